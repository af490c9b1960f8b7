-- erase.mark_uploads

/* erase.mark_uploads */ UPDATE upload
  SET first_purged_at = $1
  WHERE tenant_id = $2
  AND id = ANY($3)
  AND first_purged_at IS NULL

-- Update on upload
--   ->  Seq Scan on upload
--         Filter: ((first_purged_at IS NULL) AND (tenant_id = $2) AND (id = ANY ($3)))
