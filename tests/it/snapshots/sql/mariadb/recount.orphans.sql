-- recount.orphans

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM answer
  WHERE answer.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = answer.tenant_id
    AND participant.id = answer.participant_id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | answer | ref | PRIMARY | 8 | Using where; Using index
-- DEPENDENT SUBQUERY | participant | unique_subquery | PRIMARY | 24 | Using index; Using where

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE conversation_message.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = conversation_message.tenant_id
    AND participant.id = conversation_message.participant_id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | conversation_message | ref | PRIMARY | 8 | Using where; Using index
-- DEPENDENT SUBQUERY | participant | unique_subquery | PRIMARY | 24 | Using index; Using where

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE invitation.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = invitation.tenant_id
    AND participant.id = invitation.participant_id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | invitation | ref | PRIMARY | 8 | Using where; Using index
-- DEPENDENT SUBQUERY | participant | unique_subquery | PRIMARY | 24 | Using index; Using where

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE participant_metadata.tenant_id = ?
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = participant_metadata.tenant_id
    AND participant.id = participant_metadata.participant_id)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | participant_metadata | ref | PRIMARY | 8 | Using where; Using index
-- DEPENDENT SUBQUERY | participant | unique_subquery | PRIMARY | 24 | Using index; Using where
