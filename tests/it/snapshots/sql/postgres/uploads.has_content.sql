-- uploads.has_content

/* uploads.has_content */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = $1
  AND content_hmac = $2
  AND id <> $3

-- Aggregate
--   ->  Seq Scan on upload
--         Filter: ((id <> $3) AND (tenant_id = $1) AND (content_hmac = $2))
