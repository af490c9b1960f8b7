-- page.lock_empty_uploads

/* page.lock_empty_uploads */ SELECT id
  FROM upload
  WHERE tenant_id = $1
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1
  ORDER BY id
  LIMIT $2
  FOR UPDATE

-- Limit
--   ->  LockRows
--         ->  Sort
--               Sort Key: upload.id
--               ->  Nested Loop Anti Join
--                     ->  Seq Scan on upload
--                           Filter: ((first_purged_at IS NOT NULL) AND (tenant_id = $1))
--                     ->  Index Scan using participant_upload on participant
--                           Index Cond: ((tenant_id = upload.tenant_id) AND (tenant_id = $1) AND (upload_id = upload.id))

/* page.lock_empty_uploads */ SELECT id
  FROM upload
  WHERE tenant_id = $1
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1
  ORDER BY id
  LIMIT $2
  FOR UPDATE SKIP LOCKED

-- Limit
--   ->  LockRows
--         ->  Sort
--               Sort Key: upload.id
--               ->  Nested Loop Anti Join
--                     ->  Seq Scan on upload
--                           Filter: ((first_purged_at IS NOT NULL) AND (tenant_id = $1))
--                     ->  Index Scan using participant_upload on participant
--                           Index Cond: ((tenant_id = upload.tenant_id) AND (tenant_id = $1) AND (upload_id = upload.id))
