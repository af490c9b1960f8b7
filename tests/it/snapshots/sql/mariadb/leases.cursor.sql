-- leases.cursor

/* leases.cursor */ SELECT cursor_added_at, cursor_id
  FROM run_lease
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND cursor_stage = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | - | - | - | - | Impossible WHERE noticed after reading const tables
