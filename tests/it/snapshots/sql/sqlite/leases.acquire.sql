-- leases.acquire

/* leases.acquire */ UPDATE run_lease
  SET holder = ?, token = ?, expires_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+f seconds', ?)), renewals = renewals + 1
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND (token IS NULL OR NOT (run_lease.expires_at >= strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')
      AND run_lease.expires_at <= strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+f seconds', ?))))

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)
