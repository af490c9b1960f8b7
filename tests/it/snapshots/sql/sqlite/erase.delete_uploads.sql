-- erase.delete_uploads

/* erase.delete_uploads */ DELETE
  FROM upload
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)

-- SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
-- CORRELATED SCALAR SUBQUERY 2
--   SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)
-- SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)
