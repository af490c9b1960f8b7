-- participants.mark_unsubscribed

/* participants.mark_unsubscribed */ UPDATE participant
  SET unsubscribed_at = $1
  WHERE tenant_id = $2
  AND id = ANY($3)
  AND unsubscribed_at IS NULL

-- Update on participant
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $2) AND (id = ANY ($3)))
--         Filter: (unsubscribed_at IS NULL)
