-- tenants.lock

/* tenants.lock */ SELECT unsubscribe_count AS n
  FROM tenant
  WHERE id = ?

-- SEARCH tenant USING INTEGER PRIMARY KEY (rowid=?)
