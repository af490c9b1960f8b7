-- leases.set_cursor

/* leases.set_cursor */ UPDATE run_lease
  SET cursor_stage = ?, cursor_added_at = ?, cursor_id = ?
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- SEARCH run_lease USING INDEX sqlite_autoindex_run_lease_1 (tenant_id=? AND run_id=? AND slice=?)
