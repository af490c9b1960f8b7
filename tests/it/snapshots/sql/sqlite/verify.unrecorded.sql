-- verify.unrecorded

/* verify.unrecorded */ SELECT CAST(SUM(CASE WHEN data.n > COALESCE(batches.n, 0) THEN data.n - COALESCE(batches.n, 0) ELSE 0 END) AS BIGINT) AS n
  FROM (SELECT anonymized_at, COUNT(*) AS n
    FROM participant
    WHERE tenant_id = ?
    AND anonymized_at IS NOT NULL
    GROUP BY anonymized_at) AS data
  LEFT
  JOIN (SELECT written_at, SUM(anonymized) AS n
    FROM run_batch
    WHERE tenant_id = ?
    AND stage = 'anonymize'
    GROUP BY written_at) AS batches
  ON batches.written_at = data.anonymized_at

-- CO-ROUTINE data
--   SEARCH participant USING INDEX participant_upload (tenant_id=?)
--   USE TEMP B-TREE FOR GROUP BY
-- MATERIALIZE batches
--   SEARCH run_batch USING INDEX sqlite_autoindex_run_batch_1 (tenant_id=?)
--   USE TEMP B-TREE FOR GROUP BY
-- SCAN data
-- SEARCH batches USING AUTOMATIC COVERING INDEX (written_at=?) LEFT-JOIN
