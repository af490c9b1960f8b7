-- erase.delete_uploads

/* erase.delete_uploads */ DELETE upload
  FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN upload
  ON upload.tenant_id = ?
  AND upload.id = UNHEX(list.h)
  WHERE upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | list | ALL | - | - | Table function: json_table
-- PRIMARY | upload | eq_ref | PRIMARY | 24 | Using where
-- DEPENDENT SUBQUERY | participant | index_subquery | participant_upload | 24 | Using index; Using where
