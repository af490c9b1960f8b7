-- batches.anonymizing_run

/* batches.anonymizing_run */ SELECT run_id
  FROM run_batch
  WHERE tenant_id = ?
  AND stage = 'anonymize'
  AND written_at = ?
  ORDER BY run_id
  LIMIT 1

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_batch | ref | PRIMARY | 8 | Using where
