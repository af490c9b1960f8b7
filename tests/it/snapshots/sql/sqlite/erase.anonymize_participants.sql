-- erase.anonymize_participants

/* erase.anonymize_participants */ UPDATE participant
  SET first_name = NULL, last_name = NULL, email = NULL, phone = NULL, customer_id = NULL, anonymized_at = ?, unsubscribed_at = CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN typeof(unsubscribed_at) = 'text' AND strftime('%Y-%m', unsubscribed_at) IS NOT NULL THEN strftime('%Y-%m-01T00:00:00+00:00', unsubscribed_at) ELSE ? END END
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND participant.added_at < ?
  AND participant.added_at >= ?
  AND (typeof(participant.added_at) = 'text'
    AND length(participant.added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
    AND strftime('%Y-%m-%dT%H:%M:%S', substr(participant.added_at, 1, 19)) = substr(participant.added_at, 1, 19)
    AND substr(participant.added_at, -6) = '+00:00'
    AND (length(participant.added_at) = 25 OR (substr(participant.added_at, 20, 1) = '.'
        AND substr(participant.added_at, 21, length(participant.added_at) - 26) NOT GLOB '*[^0-9]*')))
  AND participant.anonymized_at IS NULL

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
