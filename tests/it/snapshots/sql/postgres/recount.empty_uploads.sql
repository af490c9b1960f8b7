-- recount.empty_uploads

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = $1
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND 1 = 1

-- Aggregate
--   ->  Nested Loop Anti Join
--         Join Filter: ((participant.tenant_id = upload.tenant_id) AND (participant.upload_id = upload.id))
--         ->  Seq Scan on upload
--               Filter: ((first_purged_at IS NOT NULL) AND (tenant_id = $1))
--         ->  Index Only Scan using participant_upload on participant
--               Index Cond: (tenant_id = $1)

/* recount.empty_uploads */ SELECT COUNT(*) AS n
  FROM upload
  WHERE upload.tenant_id = $1
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)
  AND NOT (id = ANY($2))

-- Aggregate
--   ->  Nested Loop Anti Join
--         Join Filter: ((participant.tenant_id = upload.tenant_id) AND (participant.upload_id = upload.id))
--         ->  Seq Scan on upload
--               Filter: ((first_purged_at IS NOT NULL) AND (tenant_id = $1) AND (id <> ALL ($2)))
--         ->  Index Only Scan using participant_upload on participant
--               Index Cond: (tenant_id = $1)
