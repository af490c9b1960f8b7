-- recount.children

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    AND anonymized_at IS NULL
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = $4
  AND invitation.participant_id = selected.id
  WHERE state = 'queued'

-- Aggregate
--   ->  Nested Loop
--         ->  Sort
--               Sort Key: participant.id
--               ->  Index Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--                     Filter: (anonymized_at IS NULL)
--         ->  Index Only Scan using invitation_queued on invitation
--               Index Cond: ((tenant_id = $4) AND (participant_id = participant.id))

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    ORDER BY id) AS selected
  JOIN answer
  ON answer.tenant_id = $4
  AND answer.participant_id = selected.id
  WHERE 1 = 1

-- Aggregate
--   ->  Nested Loop
--         ->  Sort
--               Sort Key: participant.id
--               ->  Index Only Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         ->  Index Only Scan using answer_pkey on answer
--               Index Cond: ((tenant_id = $4) AND (participant_id = participant.id))

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    ORDER BY id) AS selected
  JOIN conversation_message
  ON conversation_message.tenant_id = $4
  AND conversation_message.participant_id = selected.id
  WHERE 1 = 1

-- Aggregate
--   ->  Nested Loop
--         ->  Sort
--               Sort Key: participant.id
--               ->  Index Only Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         ->  Index Only Scan using conversation_message_pkey on conversation_message
--               Index Cond: ((tenant_id = $4) AND (participant_id = participant.id))

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    ORDER BY id) AS selected
  JOIN invitation
  ON invitation.tenant_id = $4
  AND invitation.participant_id = selected.id
  WHERE 1 = 1

-- Aggregate
--   ->  Nested Loop
--         ->  Sort
--               Sort Key: participant.id
--               ->  Index Only Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         ->  Index Only Scan using invitation_pkey on invitation
--               Index Cond: ((tenant_id = $4) AND (participant_id = participant.id))

/* recount.children */ SELECT COUNT(*) AS n
  FROM (SELECT id
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    ORDER BY id) AS selected
  JOIN participant_metadata
  ON participant_metadata.tenant_id = $4
  AND participant_metadata.participant_id = selected.id
  WHERE 1 = 1

-- Aggregate
--   ->  Nested Loop
--         ->  Sort
--               Sort Key: participant.id
--               ->  Index Only Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         ->  Index Only Scan using participant_metadata_pkey on participant_metadata
--               Index Cond: ((tenant_id = $4) AND (participant_id = participant.id))
