-- participants.count

/* participants.count */ SELECT COUNT(*) AS participants, COUNT(anonymized_at) AS anonymized, COUNT(unsubscribed_at) AS unsubscribed
  FROM participant
  WHERE tenant_id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | ref | PRIMARY | 8 | -
