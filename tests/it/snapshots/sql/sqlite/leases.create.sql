-- leases.create

/* leases.create */ INSERT INTO run_lease (tenant_id, run_id, slice)
  VALUES (?, ?, ?)
  ON CONFLICT DO NOTHING

