-- uploads.exists

/* uploads.exists */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = $1
  AND id = $2

-- Aggregate
--   ->  Index Only Scan using upload_pkey on upload
--         Index Cond: ((tenant_id = $1) AND (id = $2))
