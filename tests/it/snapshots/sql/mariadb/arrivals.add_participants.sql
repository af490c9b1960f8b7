-- arrivals.add_participants

/* arrivals.add_participants */ INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, customer_id, unsubscribed_at, stored_at) SELECT ?, UNHEX(i), ?, t, f, l, e, p, c, u, (SELECT stored_at
    FROM upload
    WHERE tenant_id = ?
    AND id = ?)
  FROM JSON_TABLE(?, '$[*]' COLUMNS (i CHAR(32) PATH '$.i', t DATETIME(6) PATH '$.t', f VARCHAR(255) CHARACTER
      SET utf8mb4 PATH '$.f', l VARCHAR(255) CHARACTER
      SET utf8mb4 PATH '$.l', e VARCHAR(320) CHARACTER
      SET utf8mb4 PATH '$.e', p VARCHAR(64) CHARACTER
      SET utf8mb4 PATH '$.p', c VARCHAR(255) CHARACTER
      SET utf8mb4 PATH '$.c', u DATETIME(6) PATH '$.u')) AS r

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | r | ALL | - | - | Table function: json_table
-- SUBQUERY | upload | const | PRIMARY | 24 | -
