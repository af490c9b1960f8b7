-- participants.find

/* participants.find */ SELECT participant.upload_id, CASE WHEN (participant.added_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND participant.added_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN participant.added_at END AS added_at, CASE WHEN participant.unsubscribed_at IS NULL THEN 0 ELSE 1 END AS unsubscribed, CASE WHEN participant.anonymized_at IS NULL THEN 0 ELSE 1 END AS anonymized, CASE WHEN (participant.anonymized_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND participant.anonymized_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN participant.anonymized_at END AS anonymized_at, CASE WHEN (participant.stored_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND participant.stored_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN participant.stored_at END AS stored_at, CASE WHEN (upload.stored_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND upload.stored_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN upload.stored_at END AS upload_stored_at
  FROM participant
  JOIN upload
  ON upload.tenant_id = participant.tenant_id
  AND upload.id = participant.upload_id
  WHERE participant.tenant_id = $1
  AND participant.id = $2

-- Nested Loop
--   Join Filter: (participant.upload_id = upload.id)
--   ->  Index Scan using participant_pkey on participant
--         Index Cond: ((tenant_id = $1) AND (id = $2))
--   ->  Seq Scan on upload
--         Filter: (tenant_id = $1)
