-- participants.mark_unsubscribed

/* participants.mark_unsubscribed */ UPDATE JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN participant
  ON participant.tenant_id = ?
  AND participant.id = UNHEX(list.h)
  SET unsubscribed_at = ?
  WHERE unsubscribed_at IS NULL

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | participant | eq_ref | PRIMARY | 24 | Using where
