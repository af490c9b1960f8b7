-- recount.uploads_to_empty

/* recount.uploads_to_empty */ SELECT COUNT(*) AS n
  FROM (SELECT upload_id, COUNT(*) AS people
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    GROUP BY upload_id) AS going
  WHERE going.people = (SELECT COUNT(*)
    FROM participant
    WHERE participant.tenant_id = ?
    AND participant.upload_id = going.upload_id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | <derived2> | ALL | - | - | Using where
-- DEPENDENT SUBQUERY | participant | ref | participant_upload | 24 | Using index
-- DERIVED | participant | ref | participant_upload | 8 | Using where
