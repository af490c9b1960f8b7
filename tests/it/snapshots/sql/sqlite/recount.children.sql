-- recount.children

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    AND anonymized_at IS NULL
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = selected.id
  WHERE state = 'queued'

-- SEARCH participant USING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- SEARCH invitation USING COVERING INDEX invitation_queued (tenant_id=? AND participant_id=?)

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    ORDER BY id) AS selected
  JOIN answer
  ON answer.tenant_id = ?
  AND answer.participant_id = selected.id
  WHERE 1 = 1

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=? AND participant_id=?)

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    ORDER BY id) AS selected
  JOIN conversation_message
  ON conversation_message.tenant_id = ?
  AND conversation_message.participant_id = selected.id
  WHERE 1 = 1

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=? AND participant_id=?)

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = selected.id
  WHERE 1 = 1

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=? AND participant_id=?)

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = ?
    AND added_at < ?
    AND added_at >= ?
    AND (typeof(added_at) = 'text'
      AND length(added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(added_at, 1, 19)) = substr(added_at, 1, 19)
      AND substr(added_at, -6) = '+00:00'
      AND (length(added_at) = 25 OR (substr(added_at, 20, 1) = '.'
          AND substr(added_at, 21, length(added_at) - 26) NOT GLOB '*[^0-9]*')))
    ORDER BY id) AS selected
  JOIN participant_metadata
  ON participant_metadata.tenant_id = ?
  AND participant_metadata.participant_id = selected.id
  WHERE 1 = 1

-- SEARCH participant USING COVERING INDEX participant_added_at (tenant_id=? AND added_at>? AND added_at<?)
-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=? AND participant_id=?)
