-- batches.add_to_run

/* batches.add_to_run */ UPDATE tenant_run
  SET reclaimed_at = NULL, anonymized = anonymized + ?, purged = purged + ?, suppressions = suppressions + ?, unhashable = unhashable + ?, invitations_expired = invitations_expired + ?, uploads_removed = uploads_removed + ?, participant_metadata_purged = participant_metadata_purged + ?, answer_purged = answer_purged + ?, conversation_message_purged = conversation_message_purged + ?, invitation_purged = invitation_purged + ?
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | tenant_run | range | tenant_run_period | 8 | Using where
