-- uploads.has_content

/* uploads.has_content */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?
  AND content_hmac = ?
  AND id <> ?

-- SEARCH upload USING INDEX upload_content (tenant_id=? AND content_hmac=?)
