-- arrivals.add_metadata

/* arrivals.add_metadata */ INSERT INTO participant_metadata (tenant_id, participant_id, "key", value) SELECT ?, unhex(r.value ->> '$.i'), r.value ->> '$.k', r.value ->> '$.v'
  FROM json_each(?) AS r

-- SCAN r VIRTUAL TABLE INDEX 1:
