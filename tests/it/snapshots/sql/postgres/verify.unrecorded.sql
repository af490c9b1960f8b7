-- verify.unrecorded

/* verify.unrecorded */ SELECT CAST(SUM(CASE WHEN data.n > COALESCE(batches.n, 0) THEN data.n - COALESCE(batches.n, 0) ELSE 0 END) AS BIGINT) AS n
  FROM (SELECT anonymized_at, COUNT(*) AS n
    FROM participant
    WHERE tenant_id = $1
    AND anonymized_at IS NOT NULL
    GROUP BY anonymized_at) AS data
  LEFT
  JOIN (SELECT written_at, SUM(anonymized) AS n
    FROM run_batch
    WHERE tenant_id = $2
    AND stage = 'anonymize'
    GROUP BY written_at) AS batches
  ON batches.written_at = data.anonymized_at

-- Aggregate
--   ->  Nested Loop Left Join
--         Join Filter: (run_batch.written_at = participant.anonymized_at)
--         ->  GroupAggregate
--               Group Key: participant.anonymized_at
--               ->  Sort
--                     Sort Key: participant.anonymized_at
--                     ->  Bitmap Heap Scan on participant
--                           Recheck Cond: (tenant_id = $1)
--                           Filter: (anonymized_at IS NOT NULL)
--                           ->  Bitmap Index Scan on participant_upload
--                                 Index Cond: (tenant_id = $1)
--         ->  HashAggregate
--               Group Key: run_batch.written_at
--               ->  Seq Scan on run_batch
--                     Filter: ((tenant_id = $2) AND ((stage)::text = 'anonymize'::text))
