-- uploads.complete

/* uploads.complete */ UPDATE upload
  SET row_count = ?, stored_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
