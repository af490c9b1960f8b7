-- recount.to_anonymize

/* recount.to_anonymize */ SELECT CAST(COALESCE(SUM(people), 0) AS BIGINT) AS people, CAST(COALESCE(SUM(CASE WHEN people = 1 AND (SELECT COUNT(*) FROM participant WHERE tenant_id = ? AND upload_id = taken.upload_id AND NOT (added_at < ? AND added_at >= ? AND (typeof(added_at) = 'text' AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35) AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19) AND substr(added_at, -6) = '+00:00' AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.' AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*'))))) = 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS alone
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
    AND anonymized_at IS NULL
    GROUP BY upload_id) AS taken

-- CO-ROUTINE taken
--   SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
--   USE TEMP B-TREE FOR GROUP BY
-- SCAN taken
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING INDEX participant_upload (tenant_id=? AND upload_id=?)
