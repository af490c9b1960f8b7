-- participants.lock

/* participants.lock */ SELECT id, email
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN participant
  ON participant.tenant_id = ?
  AND participant.id = UNHEX(list.h)
  WHERE email IS NOT NULL
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | participant | eq_ref | PRIMARY | 24 | Using where
