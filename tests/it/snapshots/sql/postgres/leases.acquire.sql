-- leases.acquire

/* leases.acquire */ UPDATE run_lease
  SET holder = $1, token = $2, expires_at = clock_timestamp() + make_interval(secs => $3), renewals = renewals + 1
  WHERE tenant_id = $4
  AND run_id = $5
  AND slice = $6
  AND (token IS NULL OR NOT (run_lease.expires_at >= clock_timestamp()
      AND run_lease.expires_at <= clock_timestamp() + make_interval(secs => $7)))

-- Update on run_lease
--   ->  Seq Scan on run_lease
--         Filter: ((tenant_id = $4) AND (run_id = $5) AND (slice = $6) AND ((token IS NULL) OR (expires_at < clock_timestamp()) OR (expires_at > (clock_timestamp() + make_interval(0, 0, 0, 0, 0, 0, $7)))))
