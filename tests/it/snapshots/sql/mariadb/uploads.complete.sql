-- uploads.complete

/* uploads.complete */ UPDATE upload
  SET row_count = ?, stored_at = UTC_TIMESTAMP(6)
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | upload | range | PRIMARY | 24 | Using where
