-- participants.count

/* participants.count */ SELECT COUNT(*) AS participants, COUNT(anonymized_at) AS anonymized, COUNT(unsubscribed_at) AS unsubscribed
  FROM participant
  WHERE tenant_id = ?

-- SEARCH participant USING INDEX participant_upload (tenant_id=?)
