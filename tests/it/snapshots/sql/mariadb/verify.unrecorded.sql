-- verify.unrecorded

/* verify.unrecorded */ SELECT CAST(SUM(CASE WHEN data.n > COALESCE(batches.n, 0) THEN data.n - COALESCE(batches.n, 0) ELSE 0 END) AS SIGNED) AS n
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

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | <derived2> | ALL | - | - | -
-- PRIMARY | <derived3> | ref | key0 | 9 | Using where
-- DERIVED | run_batch | ref | PRIMARY | 8 | Using where; Using temporary; Using filesort
-- DERIVED | participant | ref | PRIMARY | 8 | Using where; Using temporary; Using filesort
