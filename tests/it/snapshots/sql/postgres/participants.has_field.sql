-- participants.has_field

/* participants.has_field */ SELECT COUNT(customer_id) AS n
  FROM participant
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))

/* participants.has_field */ SELECT COUNT(email) AS n
  FROM participant
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))

/* participants.has_field */ SELECT COUNT(first_name) AS n
  FROM participant
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))

/* participants.has_field */ SELECT COUNT(last_name) AS n
  FROM participant
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))

/* participants.has_field */ SELECT COUNT(phone) AS n
  FROM participant
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))
