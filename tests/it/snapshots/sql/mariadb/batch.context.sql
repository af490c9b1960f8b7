-- batch.context

/* batch.context */ SELECT clock.database_now, policy.version, policy.anonymize_after_months, policy.retain_months, (SELECT COUNT(*)
    FROM tenant_run
    WHERE tenant_id = ?
    AND period > ?
    AND state = 'completed'
    AND (period <= ? OR period <= CONVERT(DATE_FORMAT(clock.database_now + INTERVAL 15 HOUR, '%Y-%m') USING utf8mb4))
    AND (due_at <= ? OR due_at <= clock.database_now)) AS newer
  FROM (SELECT UTC_TIMESTAMP(6) AS database_now) AS clock
  LEFT
  JOIN policy
  ON policy.tenant_id = ?
  AND policy.version = (SELECT MAX(version)
    FROM policy
    WHERE tenant_id = ?
    AND effective_from <= ?
    AND effective_from <= clock.database_now)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | <derived3> | system | - | - | -
-- PRIMARY | policy | const | PRIMARY | 12 | -
-- SUBQUERY | policy | ref | PRIMARY | 8 | Using where
-- DERIVED | - | - | - | - | No tables used
-- SUBQUERY | tenant_run | ref | PRIMARY | 8 | Using where
