-- erase.delete_uploads

/* erase.delete_uploads */ DELETE
  FROM upload
  WHERE tenant_id = $1
  AND id = ANY($2)
  AND upload.first_purged_at IS NOT NULL
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = upload.tenant_id
    AND participant.upload_id = upload.id)

-- Delete on upload
--   ->  Nested Loop Anti Join
--         ->  Seq Scan on upload
--               Filter: ((first_purged_at IS NOT NULL) AND (tenant_id = $1) AND (id = ANY ($2)))
--         ->  Index Scan using participant_upload on participant
--               Index Cond: ((tenant_id = upload.tenant_id) AND (tenant_id = $1) AND (upload_id = upload.id))
