-- tenants.lock

/* tenants.lock */ SELECT unsubscribe_count AS n
  FROM tenant
  WHERE id = ?
  FOR UPDATE

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | tenant | const | PRIMARY | 8 | -
