-- recount.undated

/* recount.undated */ SELECT (SELECT COUNT(*)
    FROM participant
    WHERE tenant_id = $1
    AND added_at < $2) + (SELECT COUNT(*)
    FROM participant
    WHERE tenant_id = $3
    AND added_at > $4) AS n

-- Result
--   InitPlan 1 (returns $0)
--     ->  Aggregate
--           ->  Index Only Scan using participant_added_at on participant
--                 Index Cond: ((tenant_id = $1) AND (added_at < $2))
--   InitPlan 2 (returns $1)
--     ->  Aggregate
--           ->  Index Only Scan using participant_added_at on participant participant_1
--                 Index Cond: ((tenant_id = $3) AND (added_at > $4))
