-- page.lock_participants

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN typeof(unsubscribed_at) = 'text' THEN strftime('%Y-%m', unsubscribed_at) END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN email IS NOT NULL THEN hex(email) END END AS address
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
  AND (added_at, id) > (?, ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN typeof(unsubscribed_at) = 'text' THEN strftime('%Y-%m', unsubscribed_at) END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN email IS NOT NULL THEN hex(email) END END AS address
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
  AND (added_at, id) > (?, ?)
  AND NOT (id IN (SELECT unhex(value)
      FROM json_each(?)))
  ORDER BY added_at, id
  LIMIT ?

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN typeof(unsubscribed_at) = 'text' THEN strftime('%Y-%m', unsubscribed_at) END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN email IS NOT NULL THEN hex(email) END END AS address
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
  AND (added_at, id) > (?, ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN typeof(unsubscribed_at) = 'text' THEN strftime('%Y-%m', unsubscribed_at) END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN email IS NOT NULL THEN hex(email) END END AS address
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
  AND (added_at, id) > (?, ?)
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  ORDER BY added_at, id
  LIMIT ?

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
