-- participants.count

/* participants.count */ SELECT COUNT(*) AS participants, COUNT(anonymized_at) AS anonymized, COUNT(unsubscribed_at) AS unsubscribed
  FROM participant
  WHERE tenant_id = $1

-- Aggregate
--   ->  Bitmap Heap Scan on participant
--         Recheck Cond: (tenant_id = $1)
--         ->  Bitmap Index Scan on participant_upload
--               Index Cond: (tenant_id = $1)
