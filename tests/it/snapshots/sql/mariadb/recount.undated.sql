-- recount.undated

/* recount.undated */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND CASE WHEN added_at >= ? AND added_at <= ? AND (YEAR(added_at) >= 1 AND MONTH(added_at) >= 1 AND DAYOFMONTH(added_at) >= 1 AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END) THEN 0 ELSE 1 END = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | participant_added_at | 8 | Using where; Using index
