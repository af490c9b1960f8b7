-- uploads.count

/* uploads.count */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = $1

-- Aggregate
--   ->  Index Only Scan using upload_content on upload
--         Index Cond: (tenant_id = $1)
