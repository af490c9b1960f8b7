-- erase.mark_uploads

/* erase.mark_uploads */ UPDATE upload
  SET first_purged_at = ?
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND first_purged_at IS NULL

-- SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
