-- leases.release

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1
  WHERE tenant_id = $1
  AND run_id = $2
  AND slice = $3
  AND token = $4

-- Update on run_lease
--   ->  Seq Scan on run_lease
--         Filter: ((tenant_id = $1) AND (run_id = $2) AND (slice = $3) AND (token = $4))

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1, cursor_stage = NULL, cursor_added_at = NULL, cursor_id = NULL
  WHERE tenant_id = $1
  AND run_id = $2
  AND slice = $3
  AND token = $4

-- Update on run_lease
--   ->  Seq Scan on run_lease
--         Filter: ((tenant_id = $1) AND (run_id = $2) AND (slice = $3) AND (token = $4))
