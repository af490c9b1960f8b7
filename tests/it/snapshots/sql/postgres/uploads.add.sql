-- uploads.add

/* uploads.add */ INSERT INTO upload (tenant_id, id, file_name, content_hmac, row_count, accepted_at)
  VALUES ($1, $2, $3, $4, 0, $5)

-- Insert on upload
--   ->  Result
