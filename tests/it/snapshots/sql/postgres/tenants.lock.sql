-- tenants.lock

/* tenants.lock */ SELECT unsubscribe_count AS n
  FROM tenant
  WHERE id = $1 FOR NO KEY UPDATE

-- LockRows
--   ->  Seq Scan on tenant
--         Filter: (id = $1)
