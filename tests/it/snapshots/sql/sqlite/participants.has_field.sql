-- participants.has_field

/* participants.has_field */ SELECT COUNT(customer_id) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* participants.has_field */ SELECT COUNT(email) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* participants.has_field */ SELECT COUNT(first_name) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* participants.has_field */ SELECT COUNT(last_name) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)

/* participants.has_field */ SELECT COUNT(phone) AS n
  FROM participant
  WHERE tenant_id = ?
  AND id = ?

-- SEARCH participant USING INDEX sqlite_autoindex_participant_1 (tenant_id=? AND id=?)
