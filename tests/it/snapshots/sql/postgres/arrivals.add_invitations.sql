-- arrivals.add_invitations

/* arrivals.add_invitations */ INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) SELECT $1, p, i, 'queued', $2
  FROM json_to_recordset(CAST($3 AS json)) AS r (p uuid, i uuid)

-- Insert on invitation
--   ->  Function Scan on json_to_recordset r
