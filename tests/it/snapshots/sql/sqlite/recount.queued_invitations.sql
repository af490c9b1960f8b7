-- recount.queued_invitations

/* recount.queued_invitations */ SELECT COUNT(*) AS n
  FROM invitation
  JOIN participant
  ON participant.tenant_id = invitation.tenant_id
  AND participant.id = invitation.participant_id
  WHERE invitation.tenant_id = ?
  AND participant.tenant_id = ?
  AND invitation.state = 'queued'
  AND participant.anonymized_at IS NOT NULL

-- SEARCH invitation USING COVERING INDEX invitation_queued (tenant_id=?)
-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* recount.queued_invitations */ SELECT COUNT(*) AS n
  FROM invitation
  JOIN participant
  ON participant.tenant_id = invitation.tenant_id
  AND participant.id = invitation.participant_id
  WHERE invitation.tenant_id = ?
  AND participant.tenant_id = ?
  AND invitation.state = 'queued'
  AND participant.unsubscribed_at IS NOT NULL
  AND participant.anonymized_at IS NULL

-- SEARCH invitation USING COVERING INDEX invitation_queued (tenant_id=?)
-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
