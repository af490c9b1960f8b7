-- recount.orphans

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM answer
  WHERE answer.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = answer.tenant_id
    AND participant.id = answer.participant_id)

-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE conversation_message.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = conversation_message.tenant_id
    AND participant.id = conversation_message.participant_id)

-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE invitation.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = invitation.tenant_id
    AND participant.id = invitation.participant_id)

-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE participant_metadata.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = participant_metadata.tenant_id
    AND participant.id = participant_metadata.participant_id)

-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=?)
-- CORRELATED SCALAR SUBQUERY 1
--   SEARCH participant USING COVERING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
