-- recount.to_anonymize

/* recount.to_anonymize */ SELECT CAST(COALESCE(SUM(people), 0) AS SIGNED) AS people, CAST(COALESCE(SUM(CASE WHEN people = 1 AND (SELECT COUNT(*) FROM participant WHERE tenant_id = ? AND upload_id = taken.upload_id AND NOT (added_at < ? AND added_at >= ? AND (YEAR(added_at) >= 1 AND MONTH(added_at) >= 1 AND DAYOFMONTH(added_at) >= 1 AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END))) = 1 THEN 1 ELSE 0 END), 0) AS SIGNED) AS alone
  FROM (SELECT upload_id, COUNT(*) AS people
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    AND anonymized_at IS NULL
    GROUP BY upload_id) AS taken

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | <derived3> | ALL | - | - | -
-- DERIVED | participant | ref | participant_upload | 8 | Using where
-- DEPENDENT SUBQUERY | participant | ref | participant_upload | 24 | Using where
