-- participants.count_children

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM answer
  WHERE tenant_id = $1
  AND participant_id = $2

-- Aggregate
--   ->  Index Only Scan using answer_pkey on answer
--         Index Cond: ((tenant_id = $1) AND (participant_id = $2))

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE tenant_id = $1
  AND participant_id = $2

-- Aggregate
--   ->  Index Only Scan using conversation_message_pkey on conversation_message
--         Index Cond: ((tenant_id = $1) AND (participant_id = $2))

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE tenant_id = $1
  AND participant_id = $2

-- Aggregate
--   ->  Index Only Scan using invitation_pkey on invitation
--         Index Cond: ((tenant_id = $1) AND (participant_id = $2))

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE tenant_id = $1
  AND participant_id = $2

-- Aggregate
--   ->  Index Only Scan using participant_metadata_pkey on participant_metadata
--         Index Cond: ((tenant_id = $1) AND (participant_id = $2))
