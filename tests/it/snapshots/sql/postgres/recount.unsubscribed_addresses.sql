-- recount.unsubscribed_addresses

/* recount.unsubscribed_addresses */ SELECT email AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND anonymized_at IS NULL
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- Index Scan using participant_added_at on participant
--   Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--   Filter: ((anonymized_at IS NULL) AND (unsubscribed_at IS NOT NULL) AND (email IS NOT NULL))

/* recount.unsubscribed_addresses */ SELECT email AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- Index Scan using participant_added_at on participant
--   Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--   Filter: ((unsubscribed_at IS NOT NULL) AND (email IS NOT NULL))
