-- uploads.exists

/* uploads.exists */ SELECT COUNT(*) AS n
  FROM upload
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH upload USING COVERING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
