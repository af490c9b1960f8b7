-- participants.count_children

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM answer
  WHERE tenant_id = ?
  AND participant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | answer | ref | PRIMARY | 24 | Using where; Using index

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE tenant_id = ?
  AND participant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | conversation_message | ref | PRIMARY | 24 | Using where; Using index

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE tenant_id = ?
  AND participant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where; Using index

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE tenant_id = ?
  AND participant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant_metadata | ref | PRIMARY | 24 | Using where; Using index
