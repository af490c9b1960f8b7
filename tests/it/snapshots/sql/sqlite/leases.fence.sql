-- leases.fence

/* leases.fence */ UPDATE run_lease
  SET renewals = renewals + 1, expires_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+f seconds', ?))
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)
