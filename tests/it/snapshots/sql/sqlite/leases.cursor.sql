-- leases.cursor

/* leases.cursor */ SELECT cursor_added_at, cursor_id
  FROM run_lease
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND cursor_stage = ?

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)
