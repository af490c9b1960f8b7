-- erase.count_children

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN answer
  ON answer.tenant_id = ?
  AND answer.participant_id = UNHEX(list.h)
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | answer | ref | PRIMARY | 24 | Using where; Using index

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN conversation_message
  ON conversation_message.tenant_id = ?
  AND conversation_message.participant_id = UNHEX(list.h)
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | conversation_message | ref | PRIMARY | 24 | Using where; Using index

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = UNHEX(list.h)
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where; Using index

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN participant_metadata
  ON participant_metadata.tenant_id = ?
  AND participant_metadata.participant_id = UNHEX(list.h)
  WHERE 1 = 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | participant_metadata | ref | PRIMARY | 24 | Using where; Using index
