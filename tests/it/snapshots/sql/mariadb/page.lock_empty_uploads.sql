-- page.lock_empty_uploads

/* page.lock_empty_uploads */ SELECT id
  FROM upload
  WHERE tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1
  ORDER BY id
  LIMIT ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | upload | ref | PRIMARY | 8 | Using where
-- DEPENDENT SUBQUERY | participant | index_subquery | participant_upload | 24 | Using index; Using where

/* page.lock_empty_uploads */ SELECT id
  FROM upload
  WHERE tenant_id = ?
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1
  ORDER BY id
  LIMIT ?
  FOR UPDATE SKIP LOCKED

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | upload | ref | PRIMARY | 8 | Using where
-- DEPENDENT SUBQUERY | participant | index_subquery | participant_upload | 24 | Using index; Using where
