-- recount.empty_uploads

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | upload | ref | PRIMARY | 8 | Using where
-- DEPENDENT SUBQUERY | participant | index_subquery | participant_upload | 24 | Using index; Using where

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND NOT (id IN (SELECT UNHEX(h)
      FROM JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list))

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | upload | ref | PRIMARY | 8 | Using where
-- MATERIALIZED | list | ALL | - | - | Table function: json_table
-- DEPENDENT SUBQUERY | participant | index_subquery | participant_upload | 24 | Using index; Using where
