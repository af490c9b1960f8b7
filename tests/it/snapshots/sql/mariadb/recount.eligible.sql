-- recount.eligible

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 16 | Using where; Using index

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND NOT (id IN (SELECT UNHEX(h)
      FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list))

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant | range | participant_added_at | 16 | Using where; Using index
-- MATERIALIZED | list | ALL | - | - | Table function: json_table

/* recount.eligible */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND added_at < ?
  AND added_at >= ?
  AND (YEAR(added_at) >= 1
    AND MONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) >= 1
    AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND anonymized_at IS NULL
  AND 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where
