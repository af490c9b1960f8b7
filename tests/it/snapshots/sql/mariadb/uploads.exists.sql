-- uploads.exists

/* uploads.exists */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | upload | const | PRIMARY | 24 | Using index
