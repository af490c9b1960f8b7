-- batches.record

/* batches.record */ INSERT INTO run_batch (tenant_id, run_id, id, slice, stage, written_at, cutoff, anonymized, purged, suppressions, unhashable, invitations_expired, uploads_removed, participant_metadata_purged, answer_purged, conversation_message_purged, invitation_purged)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)

-- select_type | table | type | key | key_len | Extra
-- INSERT | run_batch | ALL | - | - | -
