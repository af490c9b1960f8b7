-- erase.expire_invitations

/* erase.expire_invitations */ UPDATE invitation
  SET state = 'expired', send_at = CASE WHEN (invitation.send_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND invitation.send_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN date_trunc('month', invitation.send_at, 'UTC') ELSE invitation.send_at END
  WHERE tenant_id = $1
  AND participant_id = ANY($2)
  AND invitation.state = 'queued'
  AND EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = $3
    AND participant.id = invitation.participant_id
    AND participant.added_at < $4
    AND participant.added_at >= $5
    AND participant.anonymized_at IS NULL)

-- Update on invitation
--   ->  Nested Loop
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $3) AND (added_at < $4) AND (added_at >= $5))
--               Filter: (anonymized_at IS NULL)
--         ->  Index Scan using invitation_queued on invitation
--               Index Cond: ((tenant_id = $1) AND (participant_id = participant.id))
--               Filter: (((state)::text = 'queued'::text) AND (participant_id = ANY ($2)))
