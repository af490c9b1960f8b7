-- batches.add_to_run

/* batches.add_to_run */ UPDATE tenant_run
  SET reclaimed_at = NULL, anonymized = anonymized + $1, purged = purged + $2, suppressions = suppressions + $3, unhashable = unhashable + $4, invitations_expired = invitations_expired + $5, uploads_removed = uploads_removed + $6, participant_metadata_purged = participant_metadata_purged + $7, answer_purged = answer_purged + $8, conversation_message_purged = conversation_message_purged + $9, invitation_purged = invitation_purged + $10
  WHERE tenant_id = $11
  AND id = $12

-- Update on tenant_run
--   ->  Seq Scan on tenant_run
--         Filter: ((tenant_id = $11) AND (id = $12))
