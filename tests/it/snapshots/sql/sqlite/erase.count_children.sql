-- erase.count_children

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM answer
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND 1 = 1

-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND 1 = 1

-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND 1 = 1

-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER

/* erase.count_children */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND 1 = 1

-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
