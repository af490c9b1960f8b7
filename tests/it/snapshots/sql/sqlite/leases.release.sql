-- leases.release

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1, cursor_stage = NULL, cursor_added_at = NULL, cursor_id = NULL
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)
