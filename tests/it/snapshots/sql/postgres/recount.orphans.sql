-- recount.orphans

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM answer
  WHERE answer.tenant_id = $1
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = answer.tenant_id
    AND participant.id = answer.participant_id)

-- Aggregate
--   ->  Hash Anti Join
--         Hash Cond: ((answer.tenant_id = participant.tenant_id) AND (answer.participant_id = participant.id))
--         ->  Index Only Scan using answer_pkey on answer
--               Index Cond: (tenant_id = $1)
--         ->  Hash
--               ->  Index Only Scan using participant_pkey on participant
--                     Index Cond: (tenant_id = $1)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE conversation_message.tenant_id = $1
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = conversation_message.tenant_id
    AND participant.id = conversation_message.participant_id)

-- Aggregate
--   ->  Hash Anti Join
--         Hash Cond: ((conversation_message.tenant_id = participant.tenant_id) AND (conversation_message.participant_id = participant.id))
--         ->  Index Only Scan using conversation_message_pkey on conversation_message
--               Index Cond: (tenant_id = $1)
--         ->  Hash
--               ->  Index Only Scan using participant_pkey on participant
--                     Index Cond: (tenant_id = $1)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE invitation.tenant_id = $1
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = invitation.tenant_id
    AND participant.id = invitation.participant_id)

-- Aggregate
--   ->  Hash Anti Join
--         Hash Cond: ((invitation.tenant_id = participant.tenant_id) AND (invitation.participant_id = participant.id))
--         ->  Index Only Scan using invitation_pkey on invitation
--               Index Cond: (tenant_id = $1)
--         ->  Hash
--               ->  Index Only Scan using participant_pkey on participant
--                     Index Cond: (tenant_id = $1)

/* recount.orphans */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE participant_metadata.tenant_id = $1
  AND NOT EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = participant_metadata.tenant_id
    AND participant.id = participant_metadata.participant_id)

-- Aggregate
--   ->  Hash Anti Join
--         Hash Cond: ((participant_metadata.tenant_id = participant.tenant_id) AND (participant_metadata.participant_id = participant.id))
--         ->  Index Only Scan using participant_metadata_pkey on participant_metadata
--               Index Cond: (tenant_id = $1)
--         ->  Hash
--               ->  Index Only Scan using participant_pkey on participant
--                     Index Cond: (tenant_id = $1)
