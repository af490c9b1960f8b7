-- participants.call_off

/* participants.call_off */ UPDATE invitation
  SET state = 'expired', send_at = CASE WHEN typeof(invitation.send_at) = 'text' AND strftime('%Y-%m', invitation.send_at) IS NOT NULL THEN strftime('%Y-%m-01T00:00:00+00:00', invitation.send_at) ELSE invitation.send_at END
  WHERE tenant_id = ?
  AND participant_id IN (SELECT unhex(value)
    FROM json_each(?))
  AND state = 'queued'

-- SEARCH invitation USING COVERING INDEX invitation_queued (tenant_id=? AND participant_id=?)
-- LIST SUBQUERY 1
--   SCAN json_each VIRTUAL TABLE INDEX 1:
--   CREATE BLOOM FILTER
