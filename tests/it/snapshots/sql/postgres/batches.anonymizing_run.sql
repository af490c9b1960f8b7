-- batches.anonymizing_run

/* batches.anonymizing_run */ SELECT run_id
  FROM run_batch
  WHERE tenant_id = $1
  AND stage = 'anonymize'
  AND written_at = $2
  ORDER BY run_id
  LIMIT 1

-- Limit
--   ->  Sort
--         Sort Key: run_id
--         ->  Seq Scan on run_batch
--               Filter: ((tenant_id = $1) AND ((stage)::text = 'anonymize'::text) AND (written_at = $2))
