-- arrivals.add_participants

/* arrivals.add_participants */ INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, customer_id, unsubscribed_at, stored_at) SELECT ?, unhex(value ->> '$.i'), ?, value ->> '$.t', value ->> '$.f', value ->> '$.l', value ->> '$.e', value ->> '$.p', value ->> '$.c', value ->> '$.u', (SELECT stored_at
    FROM upload
    WHERE tenant_id = ?
    AND id = ?)
  FROM json_each(?)

-- SCAN json_each VIRTUAL TABLE INDEX 1:
-- SCALAR SUBQUERY 1
--   SEARCH upload USING INDEX sqlite_autoindex_upload_1 (tenant_id=? AND id=?)
-- SEARCH invitation USING COVERING INDEX sqlite_autoindex_invitation_1 (tenant_id=? AND participant_id=?)
-- SEARCH conversation_message USING COVERING INDEX sqlite_autoindex_conversation_message_1 (tenant_id=? AND participant_id=?)
-- SEARCH answer USING COVERING INDEX sqlite_autoindex_answer_1 (tenant_id=? AND participant_id=?)
-- SEARCH participant_metadata USING COVERING INDEX sqlite_autoindex_participant_metadata_1 (tenant_id=? AND participant_id=?)
