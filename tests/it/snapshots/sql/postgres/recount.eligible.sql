-- recount.eligible

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND 1 = 1

-- Aggregate
--   ->  Index Only Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND NOT (id = ANY($4))

-- Aggregate
--   ->  Index Only Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         Filter: (id <> ALL ($4))

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND anonymized_at IS NULL
  AND 1 = 1

-- Aggregate
--   ->  Index Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         Filter: (anonymized_at IS NULL)
