-- participants.count_children

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM answer
  WHERE tenant_id = ?
  AND participant_id = ?

-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=? AND participant_id=?)

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM conversation_message
  WHERE tenant_id = ?
  AND participant_id = ?

-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=? AND participant_id=?)

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM invitation
  WHERE tenant_id = ?
  AND participant_id = ?

-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=? AND participant_id=?)

/* participants.count_children */ SELECT COUNT(*) AS n
  FROM participant_metadata
  WHERE tenant_id = ?
  AND participant_id = ?

-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=? AND participant_id=?)
