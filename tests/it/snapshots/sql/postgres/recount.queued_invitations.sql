-- recount.queued_invitations

/* recount.queued_invitations */ SELECT COUNT(*) AS n
  FROM invitation
  JOIN participant
  ON participant.tenant_id = invitation.tenant_id
  AND participant.id = invitation.participant_id
  WHERE invitation.tenant_id = $1
  AND participant.tenant_id = $2
  AND invitation.state = 'queued'
  AND participant.anonymized_at IS NOT NULL

-- Aggregate
--   ->  Result
--         One-Time Filter: ($1 = $2)
--         ->  Nested Loop
--               ->  Bitmap Heap Scan on participant
--                     Recheck Cond: (tenant_id = $2)
--                     Filter: (anonymized_at IS NOT NULL)
--                     ->  Bitmap Index Scan on participant_upload
--                           Index Cond: (tenant_id = $2)
--               ->  Index Only Scan using invitation_queued on invitation
--                     Index Cond: ((tenant_id = $2) AND (participant_id = participant.id))

/* recount.queued_invitations */ SELECT COUNT(*) AS n
  FROM invitation
  JOIN participant
  ON participant.tenant_id = invitation.tenant_id
  AND participant.id = invitation.participant_id
  WHERE invitation.tenant_id = $1
  AND participant.tenant_id = $2
  AND invitation.state = 'queued'
  AND participant.unsubscribed_at IS NOT NULL
  AND participant.anonymized_at IS NULL

-- Aggregate
--   ->  Result
--         One-Time Filter: ($1 = $2)
--         ->  Hash Join
--               Hash Cond: (invitation.participant_id = participant.id)
--               ->  Index Only Scan using invitation_queued on invitation
--                     Index Cond: (tenant_id = $2)
--               ->  Hash
--                     ->  Bitmap Heap Scan on participant
--                           Recheck Cond: (tenant_id = $2)
--                           Filter: ((unsubscribed_at IS NOT NULL) AND (anonymized_at IS NULL))
--                           ->  Bitmap Index Scan on participant_upload
--                                 Index Cond: (tenant_id = $2)
