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

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where

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

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | Using where
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where
