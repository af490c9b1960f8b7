-- participants.lock

/* participants.lock */ SELECT id, email
  FROM participant
  WHERE tenant_id = $1
  AND id = ANY($2)
  AND email IS NOT NULL FOR NO KEY UPDATE

-- LockRows
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = ANY ($2)))
--         Filter: (email IS NOT NULL)
