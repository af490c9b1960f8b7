-- leases.fence

/* leases.fence */ UPDATE run_lease
  SET renewals = renewals + 1, expires_at = UTC_TIMESTAMP(6) + INTERVAL CAST(? * 1000000 AS SIGNED) MICROSECOND
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_lease | range | PRIMARY | 28 | Using where
