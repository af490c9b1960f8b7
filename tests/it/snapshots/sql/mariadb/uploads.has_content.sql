-- uploads.has_content

/* uploads.has_content */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?
  AND content_hmac = ?
  AND id <> ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | upload | range | upload_content | 56 | Using where; Using index
