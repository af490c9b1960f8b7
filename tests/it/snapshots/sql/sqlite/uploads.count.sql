-- uploads.count

/* uploads.count */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?

-- SEARCH upload USING COVERING INDEX upload_content (tenant_id=?)
