-- page.lock_empty_uploads

/* page.lock_empty_uploads */ SELECT id
  FROM upload
  WHERE tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1
  ORDER BY id
  LIMIT ?

-- SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)
