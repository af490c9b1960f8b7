//! There is no way out of `completed`: whoever has the run-time role's password could have a month done again for
//! each guess whose address it is that unsubscribed, and would see by the count whether it was right. Nor may
//! anybody rewrite when a run was done, by which cutoffs, and what it came to.
//!
//! On PostgreSQL only. MariaDB lets nobody make a trigger who does not administer a server that writes a binary log:
//! `deploy/sql/mariadb-guard.sql` does it there. On SQLite whoever can write the file can remove a trigger.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let steps = Steps::of(manager);
        for statement in [FUNCTION, TRIGGER] {
            steps.execute_on_postgres(statement).await?;
        }
        Ok(())
    }
}

/// Names in the function carry a schema, and operators are PostgreSQL's own, whatever the caller's search path is.
/// The schema is that of the table.
///
/// Two kinds of records may be begun anew, both of which are no proof that anything was done: those of a month that has
/// not begun anywhere on Earth, which a clock that was wrong has left behind; and those whose policy version or
/// cutoffs cannot be their own. Neither can be made from a record that is right, since what they are told by cannot be
/// changed.
const FUNCTION: &str = r"
CREATE FUNCTION retentiond_completed_stays() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    begins timestamp := (OLD.period || '-01')::timestamp;
    is_right boolean := false;
BEGIN
    IF to_jsonb(NEW) - 'reclaimed_at' - 'orphans' = to_jsonb(OLD) - 'reclaimed_at' - 'orphans' THEN
        RETURN NEW;
    END IF;
    IF OLD.period > to_char((now() + interval '15 hours') AT TIME ZONE 'UTC', 'YYYY-MM') THEN
        RETURN NEW;
    END IF;
    EXECUTE format(
        'SELECT true FROM %I.policy WHERE tenant_id = $1 AND version = $2 '
        'AND (anonymize_after_months IS NOT NULL OR retain_months IS NOT NULL) '
        'AND (($3 IS NULL AND anonymize_after_months IS NULL) OR $3 BETWEEN '
        '(($5 - make_interval(months => anonymize_after_months)) AT TIME ZONE ''UTC'' - interval ''15 hours'') AND '
        '(($5 - make_interval(months => anonymize_after_months)) AT TIME ZONE ''UTC'' + interval ''13 hours'')) '
        'AND (($4 IS NULL AND retain_months IS NULL) OR $4 BETWEEN '
        '(($5 - make_interval(months => retain_months)) AT TIME ZONE ''UTC'' - interval ''15 hours'') AND '
        '(($5 - make_interval(months => retain_months)) AT TIME ZONE ''UTC'' + interval ''13 hours''))',
        TG_TABLE_SCHEMA)
        INTO is_right
        USING OLD.tenant_id, OLD.policy_version, OLD.anonymize_cutoff, OLD.purge_cutoff, begins;
    IF is_right THEN
        RAISE EXCEPTION 'retentiond: the record of a completed run does not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$body$";

const TRIGGER: &str = "CREATE TRIGGER retentiond_completed_stays BEFORE UPDATE ON tenant_run \
     FOR EACH ROW WHEN (OLD.state = 'completed') EXECUTE FUNCTION retentiond_completed_stays()";
