-- arrivals.add_metadata

/* arrivals.add_metadata */ INSERT INTO participant_metadata (tenant_id, participant_id, key, value) SELECT $1, i, k, v
  FROM json_to_recordset(CAST($2 AS json)) AS r (i uuid, k text, v text)

-- Insert on participant_metadata
--   ->  Function Scan on json_to_recordset r
