-- batch.context

/* batch.context */ SELECT clock.database_now, policy.version, policy.anonymize_after_months, policy.retain_months, (SELECT COUNT(*)
    FROM tenant_run
    WHERE tenant_id = ?
    AND period > ?
    AND state = 'completed'
    AND (period <= ? OR period <= strftime('%Y-%m', clock.database_now, '+15 hours'))
    AND (due_at <= ? OR due_at <= clock.database_now)) AS newer
  FROM (SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now') AS database_now) AS clock
  LEFT
  JOIN policy
  ON policy.tenant_id = ?
  AND policy.version = (SELECT MAX(version)
    FROM policy
    WHERE tenant_id = ?
    AND effective_from <= ?
    AND effective_from <= clock.database_now)

-- CO-ROUTINE clock
--   SCAN CONSTANT ROW
-- SCAN clock
-- SEARCH policy USING INDEX sqlite_autoindex_policy_1 (tenant_id=? AND version=?) LEFT-JOIN
-- CORRELATED SCALAR SUBQUERY 3
--   SEARCH policy USING INDEX sqlite_autoindex_policy_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH tenant_run USING INDEX sqlite_autoindex_tenant_run_2 (tenant_id=? AND period>?)
