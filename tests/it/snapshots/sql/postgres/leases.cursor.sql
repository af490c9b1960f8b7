-- leases.cursor

/* leases.cursor */ SELECT cursor_added_at, cursor_id
  FROM run_lease
  WHERE tenant_id = $1
  AND run_id = $2
  AND slice = $3
  AND cursor_stage = $4

-- Seq Scan on run_lease
--   Filter: ((tenant_id = $1) AND (run_id = $2) AND (slice = $3) AND ((cursor_stage)::text = $4))
