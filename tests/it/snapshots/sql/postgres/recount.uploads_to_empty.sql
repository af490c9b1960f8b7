-- recount.uploads_to_empty

/* recount.uploads_to_empty */ SELECT COUNT(*) AS n
  FROM (SELECT upload_id, COUNT(*) AS people
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2
    AND added_at >= $3
    GROUP BY upload_id) AS going
  WHERE going.people = (SELECT COUNT(*)
    FROM participant
    WHERE participant.tenant_id = $4
    AND participant.upload_id = going.upload_id)

-- Aggregate
--   ->  Subquery Scan on going
--         Filter: (going.people = (SubPlan 1))
--         ->  GroupAggregate
--               Group Key: participant.upload_id
--               ->  Sort
--                     Sort Key: participant.upload_id
--                     ->  Index Scan using participant_added_at on participant
--                           Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3))
--         SubPlan 1
--           ->  Aggregate
--                 ->  Index Only Scan using participant_upload on participant participant_1
--                       Index Cond: ((tenant_id = $4) AND (upload_id = going.upload_id))
