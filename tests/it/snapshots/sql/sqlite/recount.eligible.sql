-- recount.eligible

/* recount.eligible */ SELECT COUNT(*) AS n
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
  AND 1 = 1

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)

/* recount.eligible */ SELECT COUNT(*) AS n
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
  AND NOT (id IN (SELECT unhex(value)
      FROM json_each(?)))

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER

/* recount.eligible */ SELECT COUNT(*) AS n
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
  AND 1 = 1

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
