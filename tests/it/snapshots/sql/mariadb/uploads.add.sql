-- uploads.add

/* uploads.add */
  SET STATEMENT foreign_key_checks = 0 FOR INSERT INTO upload (tenant_id, id, file_name, content_hmac, row_count, accepted_at)
  VALUES (?, ?, ?, ?, 0, ?)

-- select_type | table | type | key | key_len | Extra
-- INSERT | upload | ALL | - | - | -
