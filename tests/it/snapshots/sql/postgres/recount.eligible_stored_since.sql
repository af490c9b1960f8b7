-- recount.eligible_stored_since

/* recount.eligible_stored_since */ SELECT COUNT(*) AS n
  FROM participant
  WHERE tenant_id = $1
  AND participant.added_at < $2
  AND participant.added_at >= $3
  AND (stored_at >= $4 OR EXISTS (SELECT 1
      FROM upload
      WHERE upload.tenant_id = participant.tenant_id
      AND upload.id = participant.upload_id
      AND upload.stored_at >= $5))

-- Aggregate
--   ->  Index Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         Filter: ((stored_at >= $4) OR (hashed SubPlan 2))
--         SubPlan 2
--           ->  Seq Scan on upload
--                 Filter: (stored_at >= $5)
