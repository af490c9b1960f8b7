-- batch.context

/* batch.context */ SELECT clock.database_now, policy.version, policy.anonymize_after_months, policy.retain_months, (SELECT COUNT(*)
    FROM tenant_run
    WHERE tenant_id = $1
    AND period > $2
    AND state = 'completed'
    AND (period <= $3 OR period <= to_char((clock.database_now + interval '15 hours') AT TIME ZONE 'UTC', 'YYYY-MM'))
    AND (due_at <= $4 OR due_at <= clock.database_now)) AS newer
  FROM (SELECT clock_timestamp() AS database_now) AS clock
  LEFT
  JOIN policy
  ON policy.tenant_id = $5
  AND policy.version = (SELECT MAX(version)
    FROM policy
    WHERE tenant_id = $6
    AND effective_from <= $7
    AND effective_from <= clock.database_now)

-- Hash Right Join
--   Hash Cond: (policy.version = (SubPlan 2))
--   ->  Seq Scan on policy
--         Filter: (tenant_id = $5)
--   ->  Hash
--         ->  Result
--         SubPlan 2
--           ->  Aggregate
--                 ->  Seq Scan on policy policy_1
--                       Filter: ((effective_from <= $7) AND (effective_from <= (clock_timestamp())) AND (tenant_id = $6))
--   SubPlan 1
--     ->  Aggregate
--           ->  Seq Scan on tenant_run
--                 Filter: ((tenant_id = $1) AND ((state)::text = 'completed'::text) AND ((period)::text > $2) AND ((due_at <= $4) OR (due_at <= (clock_timestamp()))) AND (((period)::text <= $3) OR ((period)::text <= to_char((((clock_timestamp()) + '15:00:00'::interval) AT TIME ZONE 'UTC'::text), 'YYYY-MM'::text))))
