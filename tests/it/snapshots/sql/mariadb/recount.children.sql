-- recount.children

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    AND anonymized_at IS NULL
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = selected.id
  WHERE state = 'queued'

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    ORDER BY id) AS selected
  JOIN answer
  ON answer.tenant_id = ?
  AND answer.participant_id = selected.id
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 16 | Using where; Using index
-- SIMPLE | answer | ref | PRIMARY | 24 | Using index

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    ORDER BY id) AS selected
  JOIN conversation_message
  ON conversation_message.tenant_id = ?
  AND conversation_message.participant_id = selected.id
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 16 | Using where; Using index
-- SIMPLE | conversation_message | ref | PRIMARY | 24 | Using index

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = selected.id
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 16 | Using where; Using index
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using index

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (YEAR(added_at) >= 1
      AND MONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) >= 1
      AND DAYOFMONTH(added_at) <= CASE WHEN MONTH(added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(added_at) <> 2 THEN 31 WHEN YEAR(added_at) % 4 = 0 AND (YEAR(added_at) % 100 <> 0 OR YEAR(added_at) % 400 = 0) THEN 29 ELSE 28 END)
    ORDER BY id) AS selected
  JOIN participant_metadata
  ON participant_metadata.tenant_id = ?
  AND participant_metadata.participant_id = selected.id
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_added_at | 16 | Using where; Using index
-- SIMPLE | participant_metadata | ref | PRIMARY | 24 | Using index
