-- arrivals.add_invitations

/* arrivals.add_invitations */ INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) SELECT ?, UNHEX(p), UNHEX(i), 'queued', ?
  FROM JSON_TABLE(?, '$[*]' COLUMNS (p CHAR(32) PATH '$.p', i CHAR(32) PATH '$.i')) AS r

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | r | ALL | - | - | Table function: json_table
