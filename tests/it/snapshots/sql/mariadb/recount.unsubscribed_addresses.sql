-- recount.unsubscribed_addresses

/* recount.unsubscribed_addresses */ SELECT email AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND anonymized_at IS NULL
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where

/* recount.unsubscribed_addresses */ SELECT email AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where
