-- erase.expire_invitations

/* erase.expire_invitations */ UPDATE invitation
  SET state = 'expired', send_at = CASE WHEN typeof(invitation.send_at) = 'text' AND strftime('%Y-%m', invitation.send_at) IS NOT NULL THEN strftime('%Y-%m-01T00:00:00+00:00', invitation.send_at) ELSE invitation.send_at END
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND invitation.state = 'queued'
  AND EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = ?
    AND participant.id = invitation.participant_id
    AND participant.added_at < ?
    AND participant.added_at >= ?
    AND (typeof(participant.added_at) = 'text'
      AND length(participant.added_at) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35)
      AND strftime('%Y-%m-%dT%H:%M:%S', substr(participant.added_at, 1, 19)) = substr(participant.added_at, 1, 19)
      AND substr(participant.added_at, -6) = '+00:00'
      AND (length(participant.added_at) = 25 OR (substr(participant.added_at, 20, 1) = '.'
          AND substr(participant.added_at, 21, length(participant.added_at) - 26) NOT GLOB '*[^0-9]*')))
    AND participant.anonymized_at IS NULL)

-- SEARCH invitation USING COVERING INDEX invitation_queued (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
-- CORRELATED SCALAR SUBQUERY 2
--   SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
