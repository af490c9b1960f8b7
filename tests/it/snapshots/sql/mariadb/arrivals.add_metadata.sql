-- arrivals.add_metadata

/* arrivals.add_metadata */ INSERT INTO participant_metadata (tenant_id, participant_id, `key`, `value`) SELECT ?, UNHEX(i), k, v
  FROM JSON_TABLE(?, '$[*]' COLUMNS (i CHAR(32) PATH '$.i', k VARCHAR(255) CHARACTER
      SET utf8mb4 PATH '$.k', v VARCHAR(4096) CHARACTER
      SET utf8mb4 PATH '$.v')) AS r

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | r | ALL | - | - | Table function: json_table
