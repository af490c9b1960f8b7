-- An optional second lock on MariaDB: the record of a completed run never changes any more.
--
-- Without it, a person with the password of retentiond's role can rewrite when a month was done, with
-- which cutoffs and which counts. They can also have it done again for each guess of an unsubscribed
-- address, and see from the count whether the guess was right. On PostgreSQL `migrate up` brings the
-- same lock.
--
-- `migrate up` cannot make it here: on a server that writes a binary log, MariaDB lets only an
-- administrator make a trigger (or everybody, with log_bin_trust_function_creators). Run this as an
-- administrator, in the tables' database, once, and again when this file changes:
--
--     mariadb --database=platform < mariadb-guard.sql
--
-- If the owner of your tables has another name or host, replace retentiond_owner@'%'. Running it
-- twice does no harm. Two kinds of records may still be begun anew, because neither proves that
-- anything was done: records of a month that has not begun anywhere on Earth, which a wrong clock
-- left behind; and records whose policy version or cutoffs cannot be their own. Neither can be made
-- from a right record. To remove the lock: DROP TRIGGER retentiond_completed_stays. Restore a dump
-- with its triggers (mariadb-dump writes them).
--
-- tests/it/least_privilege/forgeries.rs attacks it.

DELIMITER //
CREATE OR REPLACE DEFINER = retentiond_owner@'%' TRIGGER retentiond_completed_stays
    BEFORE UPDATE ON tenant_run FOR EACH ROW
    IF OLD.state = 'completed'
        AND OLD.period <= DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL 15 HOUR, '%Y-%m')
        AND NOT (
            NEW.tenant_id <=> OLD.tenant_id AND NEW.id <=> OLD.id AND NEW.period <=> OLD.period
            AND NEW.state <=> OLD.state AND NEW.due_at <=> OLD.due_at
            AND NEW.policy_version <=> OLD.policy_version
            AND NEW.anonymize_cutoff <=> OLD.anonymize_cutoff AND NEW.purge_cutoff <=> OLD.purge_cutoff
            AND NEW.anonymized <=> OLD.anonymized AND NEW.purged <=> OLD.purged
            AND NEW.suppressions <=> OLD.suppressions AND NEW.unhashable <=> OLD.unhashable
            AND NEW.invitations_expired <=> OLD.invitations_expired
            AND NEW.uploads_removed <=> OLD.uploads_removed
            AND NEW.participant_metadata_purged <=> OLD.participant_metadata_purged
            AND NEW.answer_purged <=> OLD.answer_purged
            AND NEW.conversation_message_purged <=> OLD.conversation_message_purged
            AND NEW.invitation_purged <=> OLD.invitation_purged
            AND NEW.anonymize_planned <=> OLD.anonymize_planned AND NEW.purge_planned <=> OLD.purge_planned
            AND NEW.attempts <=> OLD.attempts AND NEW.started_at <=> OLD.started_at
            AND NEW.finished_at <=> OLD.finished_at AND NEW.retry_at <=> OLD.retry_at
            AND NEW.failure_class <=> OLD.failure_class AND NEW.failure_code <=> OLD.failure_code
            AND NEW.failure_stage <=> OLD.failure_stage AND NEW.failure_row_id <=> OLD.failure_row_id
            AND NEW.failure_constraint <=> OLD.failure_constraint AND NEW.failure_rows <=> OLD.failure_rows
            AND NEW.undated <=> OLD.undated AND NEW.tzdata_release <=> OLD.tzdata_release
            AND NEW.server <=> OLD.server AND NEW.recount_version <=> OLD.recount_version
        )
        AND EXISTS (
            SELECT 1 FROM policy
            WHERE policy.tenant_id = OLD.tenant_id AND policy.version = OLD.policy_version
            AND (policy.anonymize_after_months IS NOT NULL OR policy.retain_months IS NOT NULL)
            AND ((OLD.anonymize_cutoff IS NULL AND policy.anonymize_after_months IS NULL)
                OR OLD.anonymize_cutoff BETWEEN
                    CAST(CONCAT(OLD.period, '-01') AS DATETIME) - INTERVAL policy.anonymize_after_months MONTH
                        - INTERVAL 15 HOUR
                    AND CAST(CONCAT(OLD.period, '-01') AS DATETIME) - INTERVAL policy.anonymize_after_months MONTH
                        + INTERVAL 13 HOUR)
            AND ((OLD.purge_cutoff IS NULL AND policy.retain_months IS NULL)
                OR OLD.purge_cutoff BETWEEN
                    CAST(CONCAT(OLD.period, '-01') AS DATETIME) - INTERVAL policy.retain_months MONTH
                        - INTERVAL 15 HOUR
                    AND CAST(CONCAT(OLD.period, '-01') AS DATETIME) - INTERVAL policy.retain_months MONTH
                        + INTERVAL 13 HOUR)
        )
    THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'retentiond: the record of a completed run does not change';
    END IF//
DELIMITER ;
