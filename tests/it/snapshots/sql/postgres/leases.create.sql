-- leases.create

/* leases.create */ INSERT INTO run_lease (tenant_id, run_id, slice)
  VALUES ($1, $2, $3)
  ON CONFLICT DO NOTHING

-- Insert on run_lease
--   Conflict Resolution: NOTHING
--   ->  Result
