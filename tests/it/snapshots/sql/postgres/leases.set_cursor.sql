-- leases.set_cursor

/* leases.set_cursor */ UPDATE run_lease
  SET cursor_stage = $1, cursor_added_at = $2, cursor_id = $3
  WHERE tenant_id = $4
  AND run_id = $5
  AND slice = $6
  AND token = $7

-- Update on run_lease
--   ->  Seq Scan on run_lease
--         Filter: ((tenant_id = $4) AND (run_id = $5) AND (slice = $6) AND (token = $7))
