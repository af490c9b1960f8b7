-- recount.to_anonymize

/* recount.to_anonymize */ SELECT CAST(COALESCE(SUM(people), 0) AS BIGINT) AS people, CAST(COALESCE(SUM(CASE WHEN people = 1 AND (SELECT COUNT(*) FROM participant WHERE tenant_id = $1 AND upload_id = taken.upload_id AND NOT (added_at < $2 AND added_at >= $3)) = 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS alone
  FROM (SELECT upload_id, COUNT(*) AS people
    FROM participant
    WHERE tenant_id = $4
    AND added_at < $5
    AND added_at >= $6
    AND anonymized_at IS NULL
    GROUP BY upload_id) AS taken

-- Aggregate
--   ->  GroupAggregate
--         Group Key: participant.upload_id
--         ->  Sort
--               Sort Key: participant.upload_id
--               ->  Index Scan using participant_added_at on participant
--                     Index Cond: ((tenant_id = $4) AND (added_at < $5) AND (added_at >= $6))
--                     Filter: (anonymized_at IS NULL)
--   SubPlan 1
--     ->  Aggregate
--           ->  Index Scan using participant_upload on participant participant_1
--                 Index Cond: ((tenant_id = $1) AND (upload_id = participant.upload_id))
--                 Filter: ((added_at >= $2) OR (added_at < $3))
