-- participants.mark_unsubscribed

/* participants.mark_unsubscribed */ UPDATE participant
  SET unsubscribed_at = ?
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND unsubscribed_at IS NULL

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
