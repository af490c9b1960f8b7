-- page.lock_participants

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND (added_at, id) > ($4, $5)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT $6
  FOR UPDATE

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND (added_at, id) > ($4, $5)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT $6
  FOR UPDATE SKIP LOCKED

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND (added_at, id) > ($4, $5)
  AND NOT (id = ANY($6))
  ORDER BY added_at, id
  LIMIT $7
  FOR UPDATE

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))
--               Filter: (id <> ALL ($6))

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND (added_at, id) > ($4, $5)
  AND NOT (id = ANY($6))
  ORDER BY added_at, id
  LIMIT $7
  FOR UPDATE SKIP LOCKED

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))
--               Filter: (id <> ALL ($6))

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND anonymized_at IS NULL
  AND (added_at, id) > ($4, $5)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT $6
  FOR UPDATE

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))
--               Filter: (anonymized_at IS NULL)

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND anonymized_at IS NULL
  AND (added_at, id) > ($4, $5)
  AND 1 = 1
  ORDER BY added_at, id
  LIMIT $6
  FOR UPDATE SKIP LOCKED

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))
--               Filter: (anonymized_at IS NULL)

/* page.lock_participants */ SELECT id, added_at, upload_id, CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, CASE WHEN (unsubscribed_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND unsubscribed_at < TIMESTAMPTZ '10000-01-01 00:00:00+00') THEN to_char(unsubscribed_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN email END AS address
  FROM participant
  WHERE tenant_id = $1
  AND added_at < $2
  AND added_at >= $3
  AND anonymized_at IS NULL
  AND (added_at, id) > ($4, $5)
  AND id = ANY($6)
  ORDER BY added_at, id
  LIMIT $7
  FOR UPDATE

-- Limit
--   ->  LockRows
--         ->  Index Scan using participant_added_at on participant
--               Index Cond: ((tenant_id = $1) AND (added_at < $2) AND (added_at >= $3) AND (ROW(added_at, id) > ROW($4, $5)))
--               Filter: ((anonymized_at IS NULL) AND (id = ANY ($6)))
