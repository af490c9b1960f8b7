-- leases.fence

/* leases.fence */ UPDATE run_lease
  SET renewals = renewals + 1, expires_at = clock_timestamp() + make_interval(secs => $1)
  WHERE tenant_id = $2
  AND run_id = $3
  AND slice = $4
  AND token = $5

-- Update on run_lease
--   ->  Seq Scan on run_lease
--         Filter: ((tenant_id = $2) AND (run_id = $3) AND (slice = $4) AND (token = $5))
