-- Rights of the user that runs retentiond on MariaDB: exactly what its commands need, except for
-- `migrate up`, which the owner of the tables runs.
--
-- Run this as a user with GRANT OPTION, in the tables' database, after each `retentiond migrate up`:
--
--     mariadb --database=platform < mariadb-grants.sql
--
-- The user must exist: CREATE USER retentiond_run@'%' IDENTIFIED BY '…'. If yours has another name or
-- host, replace retentiond_run@'%' throughout. Running this twice does no harm. If you come from an
-- earlier version, REVOKE ALL PRIVILEGES, GRANT OPTION FROM retentiond_run@'%' comes first, as an administrator: this file
-- takes nothing away. Then mariadb-replication.sql (and mariadb-replica-lag.sql, if you use it) has to be run again, too.
--
-- Where this differs from postgres-grants.sql: for INSERT … ON DUPLICATE KEY UPDATE, by which a row is
-- added "unless it is there", MariaDB wants the right to update every column that is inserted.
--
-- tests/it/least_privilege.rs runs retentiond with these rights and no others.

-- Which migrations are in place.
GRANT SELECT ON seaql_migrations TO retentiond_run@'%';

-- `tenant add`; `unsubscribe` and `import` lock a tenant's row.
GRANT SELECT, INSERT (slug, name, time_zone, created_at, unsubscribe_count), UPDATE (unsubscribe_count) ON tenant TO retentiond_run@'%';

-- Append-only: `policy set` adds versions, nothing changes one.
GRANT SELECT, INSERT ON policy TO retentiond_run@'%';

-- `import` adds; a run notes that participants of an upload went, and deletes it with the last of them.
-- It reads no file's name, which may be a person's.
GRANT SELECT (tenant_id, id, content_hmac, row_count, stored_at, first_purged_at),
    INSERT (tenant_id, id, file_name, content_hmac, row_count, accepted_at),
    DELETE, UPDATE (row_count, stored_at, first_purged_at)
    ON upload TO retentiond_run@'%';

-- No right to update added_at: it decides everything, and nothing changes it; nor stored_at, which decides who is
-- late, and who is overdue. `import` gives all rows of an upload the stored_at of the upload, which is the database's.
GRANT SELECT, DELETE,
    INSERT (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, customer_id, unsubscribed_at,
        stored_at),
    UPDATE (first_name, last_name, email, phone, customer_id, unsubscribed_at, anonymized_at)
    ON participant TO retentiond_run@'%';

-- `import` adds metadata and invitations; invitations are called off, of whose
-- time of sending the month stays. No right to delete: the rows of
-- the four tables below go with their participant by the foreign keys' cascade, which needs none.
GRANT SELECT (tenant_id, participant_id), INSERT ON participant_metadata TO retentiond_run@'%';
GRANT SELECT (tenant_id, participant_id, state, send_at), INSERT (tenant_id, participant_id, id, state, send_at),
    UPDATE (state, send_at), REFERENCES ON invitation TO retentiond_run@'%';

-- They are counted; what people wrote is none of retentiond's business. REFERENCES allows nothing by
-- itself: it lets the role see in information_schema that the tables have their foreign keys. A run
-- that does not see them reads all children instead, to look for rows without a participant.
GRANT SELECT (tenant_id, participant_id), REFERENCES ON answer TO retentiond_run@'%';
GRANT SELECT (tenant_id, participant_id), REFERENCES ON conversation_message TO retentiond_run@'%';

-- Deleted only when a hash is replaced by the same one under a newer key.
GRANT SELECT, INSERT, UPDATE, DELETE ON suppression TO retentiond_run@'%';
GRANT SELECT, INSERT (key_id, check_value, created_at), UPDATE ON suppression_key TO retentiond_run@'%';

-- The records: never deleted, and those of batches never changed.
GRANT SELECT, INSERT (tenant_id, id, period, state, due_at, orphans), UPDATE ON tenant_run TO retentiond_run@'%';
GRANT SELECT, INSERT (tenant_id, run_id, slice), UPDATE ON run_lease TO retentiond_run@'%';
GRANT SELECT, INSERT ON run_batch TO retentiond_run@'%';
