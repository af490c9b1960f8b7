-- recount.unsubscribed_addresses

/* recount.unsubscribed_addresses */ SELECT CASE WHEN email IS NOT NULL THEN hex(email) END AS address
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
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)

/* recount.unsubscribed_addresses */ SELECT CASE WHEN email IS NOT NULL THEN hex(email) END AS address
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
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
