-- erase.delete_participants

/* erase.delete_participants */ DELETE
  FROM participant
  WHERE tenant_id = $1
  AND id = ANY($2)
  AND participant.added_at < $3
  AND participant.added_at >= $4

-- Delete on participant
--   ->  Index Scan using participant_added_at on participant
--         Index Cond: ((tenant_id = $1) AND (added_at < $3) AND (added_at >= $4))
--         Filter: (id = ANY ($2))
