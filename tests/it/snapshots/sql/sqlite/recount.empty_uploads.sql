-- recount.empty_uploads

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1

-- SEARCH upload USING INDEX upload_content (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND NOT (id IN (SELECT unhex(value)
      FROM json_each(?)))

-- SEARCH upload USING INDEX upload_content (tenant_id=?)
-- LIST SUBQUERY 2
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)
