-- participants.addresses

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = $1
  AND id > $2
  AND email IS NOT NULL
  ORDER BY id
  LIMIT $3

-- Limit
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id > $2))
--         Filter: (email IS NOT NULL)

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = $1
  AND id > $2
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT $3

-- Limit
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id > $2))
--         Filter: ((unsubscribed_at IS NOT NULL) AND (email IS NOT NULL))

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = $1
  AND id > $2
  AND upload_id = $3
  AND unsubscribed_at IS NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT $4

-- Limit
--   ->  Sort
--         Sort Key: id
--         ->  Index Scan using participant_upload on participant
--               Index Cond: ((tenant_id = $1) AND (upload_id = $3))
--               Filter: ((unsubscribed_at IS NULL) AND (email IS NOT NULL) AND (id > $2))
