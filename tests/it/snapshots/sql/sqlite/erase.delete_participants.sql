-- erase.delete_participants

/* erase.delete_participants */ DELETE
  FROM participant
  WHERE tenant_id = ?
  AND id IN (SELECT unhex(value)
    FROM json_each(?))
  AND participant.added_at < ?
  AND participant.added_at >= ?
  AND (typeof(participant.added_at) = 'text'
    AND length(participant.added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
    AND strftime('%Y-%m-%dT%H:%M:%S', substr(participant.added_at, 1, 19)) = substr(participant.added_at, 1, 19)
    AND substr(participant.added_at, -6) = '+00:00'
    AND (length(participant.added_at) = 25 OR (substr(participant.added_at, 20, 1) = '.'
        AND substr(participant.added_at, 21, length(participant.added_at) - 26) NOT GLOB '*[^0-9]*')))

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=? AND participant_id=?)
-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=? AND participant_id=?)
-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=? AND participant_id=?)
-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=? AND participant_id=?)
