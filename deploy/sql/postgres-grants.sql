-- Rights of the role that runs retentiond on PostgreSQL: exactly what its commands need, except for
-- `migrate up`, which the owner of the tables runs.
--
-- Run this as the owner of the tables, in their database, after each `retentiond migrate up`:
--
--     psql -v ON_ERROR_STOP=1 -f postgres-grants.sql 'postgres://retentiond_owner@HOST/platform?sslmode=verify-full'
--
-- The role must exist: an administrator says CREATE ROLE retentiond_run LOGIN, and sets its password.
-- If yours has another name, replace retentiond_run throughout. Running this twice does no harm. If you
-- come from an earlier version, take away first what it gave and this one does not, in the same transaction:
--
--     psql -v ON_ERROR_STOP=1 --single-transaction \
--         -c 'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM retentiond_run' -f postgres-grants.sql …
--
-- If your tables stand in another schema than public, replace that too.
--
-- What the server writes into its logs of this role's statements is for an administrator to say:
-- postgres-server-log.sql, once.
--
-- tests/it/least_privilege.rs runs retentiond with these rights and no others.

GRANT USAGE ON SCHEMA public TO retentiond_run;

-- Which migrations are in place.
GRANT SELECT ON seaql_migrations TO retentiond_run;

-- `tenant add`; `unsubscribe` and `import` lock a tenant's row, for which any right to update will do.
GRANT SELECT, INSERT (slug, name, time_zone, created_at, unsubscribe_count), UPDATE (unsubscribe_count) ON tenant TO retentiond_run;

-- Append-only: `policy set` adds versions, nothing changes one.
GRANT SELECT, INSERT ON policy TO retentiond_run;

-- `import` adds; a run notes that participants of an upload went, and deletes it with the last of them.
-- It reads no file's name, which may be a person's.
GRANT SELECT (tenant_id, id, content_hmac, row_count, stored_at, first_purged_at),
    INSERT (tenant_id, id, file_name, content_hmac, row_count, accepted_at),
    DELETE, UPDATE (row_count, stored_at, first_purged_at)
    ON upload TO retentiond_run;

-- No right to update added_at: it decides everything, and nothing changes it; nor stored_at, which decides who is
-- late, and who is overdue. `import` gives all rows of an upload the stored_at of the upload, which is the database's.
GRANT SELECT, DELETE,
    INSERT (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, customer_id, unsubscribed_at,
        stored_at),
    UPDATE (first_name, last_name, email, phone, customer_id, unsubscribed_at, anonymized_at)
    ON participant TO retentiond_run;

-- `import` adds metadata and invitations; invitations are called off, of whose
-- time of sending the month stays. No right to delete: the rows of
-- the four tables below go with their participant by the foreign keys' cascade, with the owner's rights.
GRANT SELECT (tenant_id, participant_id), INSERT ON participant_metadata TO retentiond_run;
GRANT SELECT (tenant_id, participant_id, state, send_at), INSERT (tenant_id, participant_id, id, state, send_at),
    UPDATE (state, send_at) ON invitation TO retentiond_run;

-- They are counted; what people wrote is none of retentiond's business.
GRANT SELECT (tenant_id, participant_id) ON answer TO retentiond_run;
GRANT SELECT (tenant_id, participant_id) ON conversation_message TO retentiond_run;

-- Deleted only when a hash is replaced by the same one under a newer key.
GRANT SELECT, INSERT, DELETE ON suppression TO retentiond_run;
GRANT SELECT, INSERT (key_id, check_value, created_at), UPDATE (retired_at) ON suppression_key TO retentiond_run;

-- The records: never deleted, and those of batches never changed. What run a record is of does not change either.
GRANT SELECT, INSERT (tenant_id, id, period, state, due_at, orphans),
    UPDATE (state, policy_version, anonymize_cutoff, purge_cutoff, anonymized, purged, suppressions,
        unhashable, invitations_expired, uploads_removed, participant_metadata_purged, answer_purged,
        conversation_message_purged, invitation_purged, anonymize_planned, purge_planned, attempts, started_at,
        finished_at, retry_at, failure_class, failure_code, failure_stage, failure_row_id, failure_constraint,
        failure_rows, undated, reclaimed_at, tzdata_release, server, orphans, recount_version)
    ON tenant_run TO retentiond_run;
GRANT SELECT, INSERT (tenant_id, run_id, slice),
    UPDATE (holder, token, expires_at, renewals, cursor_stage, cursor_added_at, cursor_id)
    ON run_lease TO retentiond_run;
GRANT SELECT, INSERT ON run_batch TO retentiond_run;
