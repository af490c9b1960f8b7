//! Tenant-runs: the record of what was owed, and how it stands.

use chrono::{DateTime, Utc};
use entity::tenant_run;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Period;
use crate::domain::record::{Named, Record};
use crate::domain::run_state::RunState;
use crate::domain::zone::Release;
use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

mod end;
mod months;

pub use end::{
    End, Failure, RefusedRecord, finish, finish_abandoned, finish_unclaimed, finish_without_policy,
};
pub use months::{
    FutureRecord, newest, newest_period, newest_period_before, newest_settled,
    newest_settled_of_all, of_the_future,
};
use months::{HAS_COME, come_by};

/// The run of a tenant for a period, if there is one.
pub async fn find(
    transaction: &Transaction,
    tenant: TenantId,
    period: Period,
) -> Result<Option<tenant_run::Model>, StoreError> {
    transaction
        .model(
            "runs.find",
            tenant_run::Entity::find()
                .filter(tenant_run::Column::TenantId.eq(tenant.0))
                .filter(tenant_run::Column::Period.eq(period.to_string())),
        )
        .await
}

/// The run of that id, of whichever tenant.
pub async fn find_by_id(
    transaction: &Transaction,
    id: Uuid,
) -> Result<Option<tenant_run::Model>, StoreError> {
    transaction
        .model(
            "runs.find_by_id",
            tenant_run::Entity::find().filter(tenant_run::Column::Id.eq(id)),
        )
        .await
}

/// The newest runs, of one tenant or of all, in one of `states` or in any.
pub async fn list(
    transaction: &Transaction,
    tenant: Option<TenantId>,
    states: &[RunState],
    limit: u64,
) -> Result<Vec<tenant_run::Model>, StoreError> {
    let mut query = tenant_run::Entity::find()
        .order_by_desc(tenant_run::Column::Period)
        .order_by_asc(tenant_run::Column::TenantId)
        .limit(limit);
    if let Some(tenant) = tenant {
        query = query.filter(tenant_run::Column::TenantId.eq(tenant.0));
    }
    if !states.is_empty() {
        let names = states.iter().map(|state| state.name());
        query = query.filter(tenant_run::Column::State.is_in(names));
    }
    transaction.models("runs.list", query).await
}

/// What a record that is begun anew forgets. What its batches did stays on record.
const FORGET: &str = "state = 'pending', policy_version = NULL, anonymize_cutoff = NULL, \
     purge_cutoff = NULL, started_at = NULL, finished_at = NULL, retry_at = NULL, failure_class = NULL, \
     failure_code = NULL, failure_stage = NULL, failure_row_id = NULL, failure_constraint = NULL, \
     failure_rows = NULL, undated = NULL, recount_version = NULL, tzdata_release = NULL";

/// S12: sets the tenant's records aside of months that have not come by `latest`, the later of the two
/// clocks. A clock was wrong when they were made. They become pending, with nothing pinned, so that their
/// months are done in their time; whoever still works on one loses its lease. What their batches did stays
/// on record. Returns how many there were.
///
/// A completed one is left alone as soon as its month has begun anywhere on Earth: its cutoffs are the right
/// ones, and there is no way out of `completed` from then on (S15).
pub async fn set_aside_future(
    transaction: &Transaction,
    tenant: TenantId,
    latest: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut parameters = vec![("tenant", tenant.into())];
    parameters.extend(come_by(latest));
    let set_aside = format!(
        "UPDATE tenant_run SET {FORGET} WHERE tenant_id = :tenant AND NOT {HAS_COME} \
         AND (state <> 'pending' OR policy_version IS NOT NULL) \
         AND (state <> 'completed' OR period > :come_begun)"
    );
    let set_aside = transaction
        .execute("runs.set_future_aside", &set_aside, &parameters)
        .await?;
    if set_aside > 0 {
        let release = format!(
            "UPDATE run_lease SET token = NULL, holder = NULL, expires_at = NULL, \
             renewals = renewals + 1, cursor_stage = NULL, cursor_added_at = NULL, \
             cursor_id = NULL WHERE tenant_id = :tenant AND run_id IN \
             (SELECT id FROM tenant_run WHERE tenant_id = :tenant AND NOT {HAS_COME})"
        );
        transaction
            .execute("runs.release_future", &release, &parameters)
            .await?;
    }
    Ok(set_aside)
}

/// S14: begins a run anew whose record says that it is completed and cannot be: it names no policy version
/// that sets a period, or has cutoffs that are not its month's. Its counts stay, and so do its batches. The
/// statement itself looks that it is still as it was `seen`.
pub async fn begin_anew(
    transaction: &Transaction,
    seen: &tenant_run::Model,
) -> Result<(), StoreError> {
    let same = |column: &str| match transaction.dialect() {
        Dialect::Postgres => format!("{column} IS NOT DISTINCT FROM :{column}"),
        Dialect::MariaDb => format!("{column} <=> :{column}"),
        Dialect::Sqlite => format!("{column} IS :{column}"),
    };
    let sql = format!(
        "UPDATE tenant_run SET {FORGET} WHERE tenant_id = :tenant AND id = :run \
         AND state = 'completed' AND {} AND {} AND {}",
        same("policy_version"),
        same("anonymize_cutoff"),
        same("purge_cutoff")
    );
    transaction
        .execute(
            "runs.begin_anew",
            &sql,
            &[
                ("tenant", seen.tenant_id.into()),
                ("run", seen.id.into()),
                ("policy_version", seen.policy_version.into()),
                ("anonymize_cutoff", seen.anonymize_cutoff.into()),
                ("purge_cutoff", seen.purge_cutoff.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Has every run that is not completed, and the next one of every tenant, count rows without their participant
/// before it is completed: a foreign key was found not in force, and others may have deleted participants
/// meanwhile. Returns how many records say so from now on.
pub async fn suspect_orphans(transaction: &Transaction) -> Result<u64, StoreError> {
    transaction
        .execute(
            "runs.suspect_orphans", "UPDATE tenant_run SET orphans = 0 WHERE orphans IS NULL AND period >= \
             COALESCE((SELECT done.period FROM (SELECT tenant_id, MAX(period) AS period FROM tenant_run \
             WHERE state = 'completed' GROUP BY tenant_id) AS done \
             WHERE done.tenant_id = tenant_run.tenant_id), '')",
            &[],
        )
        .await
}

/// Makes the run of a tenant for a period, unless there is one: at most one ever. It goes on with what the
/// tenant's run before knew of rows without their participant; one that is completed has counted none.
pub async fn create(
    transaction: &Transaction,
    id: Uuid,
    tenant: TenantId,
    period: Period,
    due_at: DateTime<Utc>,
    state: RunState,
) -> Result<(), StoreError> {
    let unless_there = match transaction.dialect() {
        Dialect::MariaDb => "ON DUPLICATE KEY UPDATE period = period",
        _ => "ON CONFLICT (tenant_id, period) DO NOTHING",
    };
    // A table of its own, because MariaDB does not read the one that it writes.
    let sql = format!(
        "INSERT INTO tenant_run (tenant_id, id, period, state, due_at, orphans) \
         VALUES (:tenant, :id, :period, :state, :due_at, (SELECT earlier.orphans FROM \
         (SELECT orphans FROM tenant_run WHERE tenant_id = :tenant AND period < :period \
         ORDER BY period DESC LIMIT 1) AS earlier)) {unless_there}"
    );
    transaction
        .execute(
            "runs.create",
            &sql,
            &[
                ("tenant", tenant.into()),
                ("id", id.into()),
                ("period", period.into()),
                ("state", state.into()),
                ("due_at", due_at.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Marks a run as running, pins its policy version and cutoffs unless they are, with the release of the
/// time-zone rules that they were reckoned by, counts the attempt, and records on which server.
pub async fn start(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    policy_version: i32,
    cutoffs: Cutoffs,
    tzdata_release: &Release,
) -> Result<(), StoreError> {
    let (now, server) = (transaction.dialect().now(), transaction.dialect().server());
    // What is pinned stays pinned: the four columns are written while the version is unset only.
    // The version is assigned last, because MariaDB evaluates assignments from left to right.
    let sql = format!(
        "UPDATE tenant_run SET state = 'running', \
         anonymize_cutoff = CASE WHEN policy_version IS NULL THEN :anonymize ELSE anonymize_cutoff END, \
         purge_cutoff = CASE WHEN policy_version IS NULL THEN :purge ELSE purge_cutoff END, \
         tzdata_release = CASE WHEN policy_version IS NULL THEN :release ELSE tzdata_release END, \
         policy_version = COALESCE(policy_version, :version), \
         attempts = attempts + 1, server = {server}, started_at = COALESCE(started_at, {now}), \
         finished_at = NULL, retry_at = NULL \
         WHERE tenant_id = :tenant AND id = :run AND state <> 'completed'"
    );
    transaction
        .execute(
            "runs.start",
            &sql,
            &[
                ("version", policy_version.into()),
                ("anonymize", cutoffs.anonymize.into()),
                ("purge", cutoffs.purge.into()),
                ("release", tzdata_release.name().into()),
                ("tenant", tenant.into()),
                ("run", run_id.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Records how many participants a run found to do, besides those that it has done. The caller holds
/// the run's lease.
pub async fn set_planned(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    to_anonymize: u64,
    to_purge: u64,
) -> Result<(), StoreError> {
    let bound = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
    transaction
        .execute(
            "runs.set_planned",
            "UPDATE tenant_run SET anonymize_planned = anonymized + :to_anonymize, \
             purge_planned = purged + :to_purge WHERE tenant_id = :tenant AND id = :run",
            &[
                ("to_anonymize", bound(to_anonymize)),
                ("to_purge", bound(to_purge)),
                ("tenant", tenant.into()),
                ("run", run_id.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Marks the tenant's unfinished runs before `period` as superseded and takes their leases away, so
/// that a holder that is still at it commits nothing more. Returns how many there were.
pub async fn supersede_before(
    transaction: &Transaction,
    tenant: TenantId,
    period: Period,
) -> Result<u64, StoreError> {
    let parameters = [("tenant", tenant.into()), ("period", period.into())];
    transaction
        .execute(
            "runs.release_superseded",
            "UPDATE run_lease SET token = NULL, holder = NULL, expires_at = NULL, \
             renewals = renewals + 1, cursor_stage = NULL, cursor_added_at = NULL, \
             cursor_id = NULL WHERE tenant_id = :tenant AND run_id IN \
             (SELECT id FROM tenant_run WHERE tenant_id = :tenant AND period < :period \
             AND state IN ('pending', 'running', 'failed'))",
            &parameters,
        )
        .await?;
    let sql = format!(
        "UPDATE tenant_run SET state = 'superseded', finished_at = {}, retry_at = NULL, \
         failure_row_id = NULL \
         WHERE tenant_id = :tenant AND period < :period \
         AND state IN ('pending', 'running', 'failed')",
        transaction.dialect().now()
    );
    transaction
        .execute("runs.supersede", &sql, &parameters)
        .await
}

/// What the record says, to be compared with the calendar; `version` is the policy version that it names. `None`
/// = its month or its state is none of ours.
#[must_use]
pub fn record_of(run: &tenant_run::Model, version: Named) -> Option<Record> {
    Some(Record {
        period: run.period.parse().ok()?,
        state: run.state.parse().ok()?,
        due_at: run.due_at,
        version,
        pinned: Cutoffs {
            anonymize: run.anonymize_cutoff,
            purge: run.purge_cutoff,
        },
        attempts: run.attempts,
        started_at: run.started_at,
        finished_at: run.finished_at,
    })
}

/// The counts of a run's record, with their columns, as they are stored: somebody may have stored what is no
/// count.
#[must_use]
pub fn stored_counts_of(run: &tenant_run::Model) -> Vec<(&'static str, i64)> {
    let stored = [
        run.anonymized,
        run.purged,
        run.suppressions,
        run.unhashable,
        run.invitations_expired,
        run.uploads_removed,
        run.participant_metadata_purged,
        run.answer_purged,
        run.conversation_message_purged,
        run.invitation_purged,
    ];
    let columns = Counts::default().columns();
    columns
        .into_iter()
        .zip(stored)
        .map(|((name, _), stored)| (name, stored))
        .collect()
}

/// The counts of a run's record.
#[must_use]
pub fn counts_of(run: &tenant_run::Model) -> Counts {
    let mut counts = Counts::default();
    for ((_, count), (_, stored)) in counts.columns_mut().into_iter().zip(stored_counts_of(run)) {
        *count = u64::try_from(stored).unwrap_or_default();
    }
    counts
}
