-- leases.acquire

/* leases.acquire */ UPDATE run_lease
  SET holder = ?, token = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL CAST(? * 1000000 AS SIGNED) MICROSECOND, renewals = renewals + 1
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND (token IS NULL OR NOT (run_lease.expires_at >= UTC_TIMESTAMP(6)
      AND run_lease.expires_at <= UTC_TIMESTAMP(6) + INTERVAL CAST(? * 1000000 AS SIGNED) MICROSECOND))

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_lease | range | PRIMARY | 28 | Using where
