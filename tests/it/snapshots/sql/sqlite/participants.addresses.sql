-- participants.addresses

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id>?)

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND unsubscribed_at IS NOT NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id>?)

/* participants.addresses */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id > ?
  AND upload_id = ?
  AND unsubscribed_at IS NULL
  AND email IS NOT NULL
  ORDER BY id
  LIMIT ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id>?)
