-- erase.anonymize_participants

/* erase.anonymize_participants */ UPDATE participant
  SET first_name = NULL, last_name = NULL, email = NULL, phone = NULL, customer_id = NULL, anonymized_at = $1, unsubscribed_at = CASE WHEN unsubscribed_at IS NOT NULL THEN CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN date_trunc('month', unsubscribed_at, 'UTC') ELSE $2 END END
  WHERE tenant_id = $3
  AND id = ANY($4)
  AND participant.added_at < $5
  AND participant.added_at >= $6
  AND participant.anonymized_at IS NULL

-- Update on participant
--   ->  Index Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $3) AND (added_at < $5) AND (added_at >= $6))
--         Filter: ((anonymized_at IS NULL) AND (id = ANY ($4)))
