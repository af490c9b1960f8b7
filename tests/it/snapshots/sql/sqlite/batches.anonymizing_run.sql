-- batches.anonymizing_run

/* batches.anonymizing_run */ SELECT run_id
  FROM run_batch
  WHERE tenant_id = ?
  AND stage = 'anonymize'
  AND written_at = ?
  ORDER BY run_id
  LIMIT 1

-- SEARCH run_batch USING INDEX sqlite_autoindex_run_batch_1 (tenant_id=?)
