-- participants.has_field

/* participants.has_field */ SELECT COUNT(customer_id) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -

/* participants.has_field */ SELECT COUNT(email) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -

/* participants.has_field */ SELECT COUNT(first_name) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -

/* participants.has_field */ SELECT COUNT(last_name) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -

/* participants.has_field */ SELECT COUNT(phone) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | participant | const | PRIMARY | 24 | -
