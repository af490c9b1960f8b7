-- erase.mark_uploads

/* erase.mark_uploads */ UPDATE JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN upload
  ON upload.tenant_id = ?
  AND upload.id = UNHEX(list.h)
  SET first_purged_at = ?
  WHERE first_purged_at IS NULL

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | upload | eq_ref | PRIMARY | 24 | Using where
