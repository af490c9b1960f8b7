-- batches.totals

/* batches.totals */ SELECT stage, COUNT(*) AS batches, CAST(SUM(anonymized) AS SIGNED) AS anonymized, CAST(SUM(purged) AS SIGNED) AS purged, CAST(SUM(suppressions) AS SIGNED) AS suppressions, CAST(SUM(unhashable) AS SIGNED) AS unhashable, CAST(SUM(invitations_expired) AS SIGNED) AS invitations_expired, CAST(SUM(uploads_removed) AS SIGNED) AS uploads_removed, CAST(SUM(participant_metadata_purged) AS SIGNED) AS participant_metadata_purged, CAST(SUM(answer_purged) AS SIGNED) AS answer_purged, CAST(SUM(conversation_message_purged) AS SIGNED) AS conversation_message_purged, CAST(SUM(invitation_purged) AS SIGNED) AS invitation_purged
  FROM run_batch
  WHERE tenant_id = ?
  AND run_id = ?
  GROUP BY stage
  ORDER BY stage

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | run_batch | ref | PRIMARY | 24 | Using where; Using temporary; Using filesort
