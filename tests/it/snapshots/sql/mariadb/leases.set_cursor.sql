-- leases.set_cursor

/* leases.set_cursor */ UPDATE run_lease
  SET cursor_stage = ?, cursor_added_at = ?, cursor_id = ?
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_lease | range | PRIMARY | 28 | Using where
