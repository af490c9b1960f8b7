-- participants.find

/* participants.find */ SELECT participant.upload_id, CASE WHEN (YEAR(participant.added_at) >= 1 AND MONTH(participant.added_at) >= 1 AND DAYOFMONTH(participant.added_at) >= 1 AND DAYOFMONTH(participant.added_at) <= CASE WHEN MONTH(participant.added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.added_at) <> 2 THEN 31 WHEN YEAR(participant.added_at) % 4 = 0 AND (YEAR(participant.added_at) % 100 <> 0 OR YEAR(participant.added_at) % 400 = 0) THEN 29 ELSE 28 END) THEN participant.added_at END AS added_at, CASE WHEN participant.unsubscribed_at IS NULL THEN 0 ELSE 1 END AS unsubscribed, CASE WHEN participant.anonymized_at IS NULL THEN 0 ELSE 1 END AS anonymized, CASE WHEN (YEAR(participant.anonymized_at) >= 1 AND MONTH(participant.anonymized_at) >= 1 AND DAYOFMONTH(participant.anonymized_at) >= 1 AND DAYOFMONTH(participant.anonymized_at) <= CASE WHEN MONTH(participant.anonymized_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.anonymized_at) <> 2 THEN 31 WHEN YEAR(participant.anonymized_at) % 4 = 0 AND (YEAR(participant.anonymized_at) % 100 <> 0 OR YEAR(participant.anonymized_at) % 400 = 0) THEN 29 ELSE 28 END) THEN participant.anonymized_at END AS anonymized_at, CASE WHEN (YEAR(participant.stored_at) >= 1 AND MONTH(participant.stored_at) >= 1 AND DAYOFMONTH(participant.stored_at) >= 1 AND DAYOFMONTH(participant.stored_at) <= CASE WHEN MONTH(participant.stored_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.stored_at) <> 2 THEN 31 WHEN YEAR(participant.stored_at) % 4 = 0 AND (YEAR(participant.stored_at) % 100 <> 0 OR YEAR(participant.stored_at) % 400 = 0) THEN 29 ELSE 28 END) THEN participant.stored_at END AS stored_at, CASE WHEN (YEAR(upload.stored_at) >= 1 AND MONTH(upload.stored_at) >= 1 AND DAYOFMONTH(upload.stored_at) >= 1 AND DAYOFMONTH(upload.stored_at) <= CASE WHEN MONTH(upload.stored_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(upload.stored_at) <> 2 THEN 31 WHEN YEAR(upload.stored_at) % 4 = 0 AND (YEAR(upload.stored_at) % 100 <> 0 OR YEAR(upload.stored_at) % 400 = 0) THEN 29 ELSE 28 END) THEN upload.stored_at END AS upload_stored_at
  FROM participant
  JOIN upload
  ON upload.tenant_id = participant.tenant_id
  AND upload.id = participant.upload_id
  WHERE participant.tenant_id = ?
  AND participant.id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -
-- SIMPLE | upload | const | PRIMARY | 24 | -
