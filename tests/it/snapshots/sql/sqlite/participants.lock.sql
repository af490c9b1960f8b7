-- participants.lock

/* participants.lock */ SELECT id, email
  FROM participant
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND email IS NOT NULL

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
