-- recount.eligible_stored_since

/* recount.eligible_stored_since */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND participant.added_at < ?
  AND participant.added_at >= ?
  AND (typeof(participant.added_at) = 'text'
    AND length(participant.added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
    AND strftime('%Y-%m-%dT%H:%M:%S', substr(participant.added_at, 1, 19)) = substr(participant.added_at, 1, 19)
    AND substr(participant.added_at, -6) = '+00:00'
    AND (length(participant.added_at) = 25 OR (substr(participant.added_at, 20, 1) = '.'
        AND substr(participant.added_at, 21, length(participant.added_at) - 26) NOT GLOB '*[^0-9]*')))
  AND (stored_at >= ? OR EXISTS (SELECT 1
      FROM upload
      WHERE upload.tenant_id = participant.tenant_id
      AND upload.id = participant.upload_id
      AND upload.stored_at >= ?))

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
