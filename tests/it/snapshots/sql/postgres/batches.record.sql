-- batches.record

/* batches.record */ INSERT INTO run_batch (tenant_id, run_id, id, slice, stage, written_at, cutoff, anonymized, purged, suppressions, unhashable, invitations_expired, uploads_removed, participant_metadata_purged, answer_purged, conversation_message_purged, invitation_purged)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, $16)

-- Insert on run_batch
--   ->  Result
