-- participants.addresses

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | PRIMARY | 24 | Using where

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | PRIMARY | 24 | Using where

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND upload_id = ?
  AND unsubscribed_at IS NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | range | participant_upload | 40 | Using index condition; Using where
