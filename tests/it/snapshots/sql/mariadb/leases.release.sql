-- leases.release

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_lease | range | PRIMARY | 28 | Using where

/* leases.release */ UPDATE run_lease
  SET token = NULL, holder = NULL, expires_at = NULL, renewals = renewals + 1, cursor_stage = NULL, cursor_added_at = NULL, cursor_id = NULL
  WHERE tenant_id = ?
  AND run_id = ?
  AND slice = ?
  AND token = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_lease | range | PRIMARY | 28 | Using where
