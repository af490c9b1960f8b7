-- recount.uploads_to_empty

/* recount.uploads_to_empty */ SELECT COUNT(*) AS n
  FROM (SELECT upload_id, COUNT(*) AS people
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    GROUP BY upload_id) AS going
  WHERE going.people = (SELECT COUNT(*)
    FROM participant
    WHERE participant.tenant_id = ?
    AND participant.upload_id = going.upload_id)

-- CO-ROUTINE going
--   SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
--   USE TEMP B-TREE FOR GROUP BY
-- SCAN going
-- CORRELATED SCALAR SUBQUERY 2
--   SEARCH participant USING COVERING INDEX participant_upload (tenant_id=? AND upload_id=?)
