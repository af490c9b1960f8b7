-- uploads.count

/* uploads.count */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | upload | ref | upload_content | 8 | Using index
