-- erase.anonymize_participants

/* erase.anonymize_participants */ UPDATE JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN participant
  ON participant.tenant_id = ?
  AND participant.id = UNHEX(list.h)
  SET first_name = NULL, last_name = NULL, email = NULL, phone = NULL, customer_id = NULL, anonymized_at = ?, unsubscribed_at = CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN CAST(DATE_FORMAT(unsubscribed_at, '%Y-%m-01') AS DATETIME(6)) ELSE ? END END
  WHERE participant.added_at < ?
  AND participant.added_at >= ?
  AND (YEAR(participant.added_at) >= 1
    AND MONTH(participant.added_at) >= 1
    AND DAYOFMONTH(participant.added_at) >= 1
    AND DAYOFMONTH(participant.added_at) <= CASE WHEN MONTH(participant.added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.added_at) <> 2 THEN 31 WHEN YEAR(participant.added_at) % 4 = 0 AND (YEAR(participant.added_at) % 100 <> 0 OR YEAR(participant.added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND participant.anonymized_at IS NULL

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | participant | eq_ref | PRIMARY | 24 | Using where
