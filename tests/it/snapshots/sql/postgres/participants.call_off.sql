-- participants.call_off

/* participants.call_off */ UPDATE invitation
  SET state = 'expired', send_at = CASE WHEN (invitation.send_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND invitation.send_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN date_trunc('month', invitation.send_at, 'UTC') ELSE invitation.send_at END
  WHERE tenant_id = $1
  AND participant_id = ANY($2)
  AND state = 'queued'

-- Update on invitation
--   ->  Index Scan using invitation_queued on invitation
--         Index Cond: ((tenant_id = $1) AND (participant_id = ANY ($2)))
--         Filter: ((state)::text = 'queued'::text)
