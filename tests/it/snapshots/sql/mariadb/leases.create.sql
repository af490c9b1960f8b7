-- leases.create

/* leases.create */ INSERT INTO run_lease (tenant_id, run_id, slice)
  VALUES (?, ?, ?)
  ON DUPLICATE KEY UPDATE slice = slice

-- select_type | table | type | key | key_len | Extra
-- INSERT | run_lease | ALL | - | - | -
