-- recount.eligible_stored_since

/* recount.eligible_stored_since */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = ?
  AND participant.added_at < ?
  AND participant.added_at >= ?
  AND (YEAR(participant.added_at) >= 1
    AND MONTH(participant.added_at) >= 1
    AND DAYOFMONTH(participant.added_at) >= 1
    AND DAYOFMONTH(participant.added_at) <= CASE WHEN MONTH(participant.added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.added_at) <> 2 THEN 31 WHEN YEAR(participant.added_at) % 4 = 0 AND (YEAR(participant.added_at) % 100 <> 0 OR YEAR(participant.added_at) % 400 = 0) THEN 29 ELSE 28 END)
  AND (stored_at >= ? OR EXISTS (SELECT 1
      FROM upload
      WHERE upload.tenant_id = participant.tenant_id
      AND upload.id = participant.upload_id
      AND upload.stored_at >= ?))

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant | ref | PRIMARY | 8 | Using where
-- MATERIALIZED | upload | ALL | - | - | Using where
