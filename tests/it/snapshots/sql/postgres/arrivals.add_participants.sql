-- arrivals.add_participants

/* arrivals.add_participants */ INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, customer_id, unsubscribed_at, stored_at) SELECT $1, i, $2, t, f, l, e, p, c, u, (SELECT stored_at
    FROM upload
    WHERE tenant_id = $3
    AND id = $4)
  FROM json_to_recordset(CAST($5 AS json)) AS r (i uuid, t timestamptz, f text, l text, e text, p text, c text, u timestamptz)

-- Insert on participant
--   InitPlan 1 (returns $0)
--     ->  Seq Scan on upload
--           Filter: ((tenant_id = $3) AND (id = $4))
--   ->  Function Scan on json_to_recordset r
