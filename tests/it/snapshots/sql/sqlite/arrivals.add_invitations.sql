-- arrivals.add_invitations

/* arrivals.add_invitations */ INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) SELECT ?, unhex(value ->> '$.p'), unhex(value ->> '$.i'), 'queued', ?
  FROM json_each(?)

-- SCAN json_each VIRTUAL TABLE INDEX 1:
