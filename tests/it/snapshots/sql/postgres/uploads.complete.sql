-- uploads.complete

/* uploads.complete */ UPDATE upload
  SET row_count = $1, stored_at = clock_timestamp()
  WHERE tenant_id = $2
  AND id = $3

-- Update on upload
--   ->  Seq Scan on upload
--         Filter: ((tenant_id = $2) AND (id = $3))
