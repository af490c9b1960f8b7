-- page.lock_participants

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 32 | Using where

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE SKIP LOCKED

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 32 | Using where

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND NOT (id IN (SELECT UNHEX(h)
      FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list))
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant | range | participant_added_at | 32 | Using where
-- MATERIALIZED | list | ALL | - | - | Table function: json_table

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND NOT (id IN (SELECT UNHEX(h)
      FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list))
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE SKIP LOCKED

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant | range | participant_added_at | 32 | Using where
-- MATERIALIZED | list | ALL | - | - | Table function: json_table

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND anonymized_at IS NULL
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 32 | Using where

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND anonymized_at IS NULL
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE SKIP LOCKED

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 32 | Using where

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (YEAR(unsubscribed_at) >= 1 AND MONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) >= 1 AND DAYOFMONTH(unsubscribed_at) <= CASE WHEN MONTH(unsubscribed_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(unsubscribed_at) <> 2 THEN 31 WHEN YEAR(unsubscribed_at) % 4 = 0 AND (YEAR(unsubscribed_at) % 100 <> 0 OR YEAR(unsubscribed_at) % 400 = 0) THEN 29 ELSE 28 END) THEN DATE_FORMAT(unsubscribed_at, '%Y-%m') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND anonymized_at IS NULL
  AND ((added_at = ?
      AND id > ?) OR added_at > ?)
  AND id IN (SELECT UNHEX(h)
    FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list)
  ORDER BY added_at, id
  LIMIT ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant | range | participant_added_at | 32 | Using where
-- PRIMARY | <subquery2> | eq_ref | distinct_key | 67 | Using where
-- MATERIALIZED | list | ALL | - | - | Table function: json_table
