-- batches.totals

/* batches.totals */ SELECT stage, COUNT(*) AS batches, CAST(SUM(anonymized) AS BIGINT) AS anonymized, CAST(SUM(purged) AS BIGINT) AS purged, CAST(SUM(suppressions) AS BIGINT) AS suppressions, CAST(SUM(unhashable) AS BIGINT) AS unhashable, CAST(SUM(invitations_expired) AS BIGINT) AS invitations_expired, CAST(SUM(uploads_removed) AS BIGINT) AS uploads_removed, CAST(SUM(participant_metadata_purged) AS BIGINT) AS participant_metadata_purged, CAST(SUM(answer_purged) AS BIGINT) AS answer_purged, CAST(SUM(conversation_message_purged) AS BIGINT) AS conversation_message_purged, CAST(SUM(invitation_purged) AS BIGINT) AS invitation_purged
  FROM run_batch
  WHERE tenant_id = ?
  AND run_id = ?
  GROUP BY stage
  ORDER BY stage

-- SEARCH run_batch USING INDEX sqlite_autoindex_run_batch_1 (tenant_id=? AND run_id=?)
-- USE TEMP B-TREE FOR GROUP BY
