//! Counting what a set of cutoffs would touch. `plan` shows it, a run is completed only when it is
//! zero, and `verify` repeats it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::dated::{dated_since, dated_until};
use crate::domain::email_value::EmailValue;
use crate::domain::subject::CHILD_TABLES;
use crate::domain::suppression::{Suppressed, TenantHasher};
use crate::ids::TenantId;
use crate::store::{Dialect, StoreError, Transaction, suppressions};

use crate::engine::stage::{LEFT_EMPTY, Selection, Stage};

fn parameters(tenant: TenantId, selection: &Selection) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.into()),
        ("cutoff", selection.cutoff.into()),
        ("floor", selection.floor.into()),
    ]
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Participants that `stage` may touch under `cutoffs`.
pub async fn eligible(
    transaction: &Transaction,
    tenant: TenantId,
    stage: Stage,
    cutoffs: Cutoffs,
) -> Result<u64, StoreError> {
    eligible_besides(transaction, tenant, stage, cutoffs, &[]).await
}

/// As [`eligible`], without the participants `refused`.
pub async fn eligible_besides(
    transaction: &Transaction,
    tenant: TenantId,
    stage: Stage,
    cutoffs: Cutoffs,
    refused: &[Uuid],
) -> Result<u64, StoreError> {
    let Some(selection) = Selection::of(stage, cutoffs) else {
        return Ok(0);
    };
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT COUNT(*) AS n FROM participant WHERE tenant_id = :tenant AND {} AND {}",
        selection.condition(dialect, ""),
        besides(dialect, refused)
    );
    let mut values = parameters(tenant, &selection);
    values.push(("ids", dialect.ids(refused)));
    transaction.count("recount.eligible", &sql, &values).await
}

fn besides(dialect: Dialect, refused: &[Uuid]) -> String {
    if refused.is_empty() {
        "1 = 1".to_owned()
    } else {
        dialect.id_not_in_ids()
    }
}

/// E13: participants without a real date at `now`. Counted apart from whom the stages may touch, so that
/// somebody whom no stage ever sees is seen here.
pub async fn undated(
    transaction: &Transaction,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let sql = match transaction.dialect() {
        // Two ends of the index; whatever lies between two instants is one.
        Dialect::Postgres => "SELECT (SELECT COUNT(*) FROM participant WHERE tenant_id = :tenant \
             AND added_at < :dated_since) + (SELECT COUNT(*) FROM participant \
             WHERE tenant_id = :tenant AND added_at > :dated_until) AS n"
            .to_owned(),
        dialect => format!(
            "SELECT COUNT(*) AS n FROM participant WHERE tenant_id = :tenant AND {}",
            is_undated(dialect)
        ),
    };
    let values = [
        ("tenant", tenant.into()),
        ("dated_since", dated_since().into()),
        ("dated_until", dated_until(now).into()),
    ];
    transaction.count("recount.undated", &sql, &values).await
}

/// Condition that a participant is undated, with the parameters `:dated_since` and `:dated_until`. Never
/// NULL: what cannot be compared is no date.
pub(in crate::engine) fn is_undated(dialect: Dialect) -> String {
    format!(
        "CASE WHEN added_at >= :dated_since AND added_at <= :dated_until AND {} THEN 0 ELSE 1 END = 1",
        dialect.is_instant("added_at")
    )
}

/// Of the participants that `stage` may touch, those that were stored at or after `since` (by the
/// database's clock), themselves or by the end of their upload: S11 calls them late.
pub async fn eligible_stored_since(
    transaction: &Transaction,
    tenant: TenantId,
    stage: Stage,
    cutoffs: Cutoffs,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let Some(selection) = Selection::of(stage, cutoffs) else {
        return Ok(0);
    };
    let sql = format!(
        "SELECT COUNT(*) AS n FROM participant WHERE tenant_id = :tenant AND {} \
         AND (stored_at >= :since OR EXISTS (SELECT 1 FROM upload \
         WHERE upload.tenant_id = participant.tenant_id AND upload.id = participant.upload_id \
         AND upload.stored_at >= :since))",
        selection.condition(transaction.dialect(), "participant.")
    );
    let mut values = parameters(tenant, &selection);
    values.push(("since", since.into()));
    transaction
        .count("recount.eligible_stored_since", &sql, &values)
        .await
}

/// Uploads that a run left empty and that are still there.
pub async fn empty_uploads(transaction: &Transaction, tenant: TenantId) -> Result<u64, StoreError> {
    empty_uploads_besides(transaction, tenant, &[]).await
}

/// As [`empty_uploads`], without the uploads `refused`.
pub async fn empty_uploads_besides(
    transaction: &Transaction,
    tenant: TenantId,
    refused: &[Uuid],
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT COUNT(*) AS n FROM upload WHERE upload.tenant_id = :tenant AND {LEFT_EMPTY} AND {}",
        besides(dialect, refused)
    );
    transaction
        .count(
            "recount.empty_uploads",
            &sql,
            &[("tenant", tenant.into()), ("ids", dialect.ids(refused))],
        )
        .await
}

/// Rows of `table` whose participant does not exist.
pub async fn orphans(
    transaction: &Transaction,
    tenant: TenantId,
    table: &'static str,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM {table} WHERE {table}.tenant_id = :tenant AND NOT EXISTS \
         (SELECT 1 FROM participant WHERE participant.tenant_id = {table}.tenant_id \
         AND participant.id = {table}.participant_id)"
    );
    transaction
        .count("recount.orphans", &sql, &[("tenant", tenant.into())])
        .await
}

/// E2: invitations that are still queued for people whose address is gone.
pub async fn queued_for_anonymized(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<u64, StoreError> {
    queued_for(transaction, tenant, "participant.anonymized_at IS NOT NULL").await
}

/// U5: invitations that are still queued for people who unsubscribed and whose address is still there.
pub async fn queued_for_unsubscribed(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<u64, StoreError> {
    let whom = "participant.unsubscribed_at IS NOT NULL AND participant.anonymized_at IS NULL";
    queued_for(transaction, tenant, whom).await
}

async fn queued_for(
    transaction: &Transaction,
    tenant: TenantId,
    whom: &'static str,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM invitation JOIN participant \
         ON participant.tenant_id = invitation.tenant_id \
         AND participant.id = invitation.participant_id \
         WHERE invitation.tenant_id = :tenant AND participant.tenant_id = :tenant \
         AND invitation.state = 'queued' AND {whom}"
    );
    transaction
        .count(
            "recount.queued_invitations",
            &sql,
            &[("tenant", tenant.into())],
        )
        .await
}

/// Whom the anonymizer would take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToAnonymize {
    /// All of them.
    pub people: u64,
    /// E18: those of whose upload nobody else would be left after the run. Whoever has its file knows who it
    /// is.
    pub alone: u64,
}

/// Counts whom the anonymizer would take, in one pass over them.
async fn to_anonymize(
    transaction: &Transaction,
    tenant: TenantId,
    cutoffs: Cutoffs,
) -> Result<ToAnonymize, StoreError> {
    let Some(selection) = Selection::of(Stage::Anonymize, cutoffs) else {
        return Ok(ToAnonymize::default());
    };
    let dialect = transaction.dialect();
    let mut values = parameters(tenant, &selection);
    let stays = match Selection::of(Stage::Purge, cutoffs) {
        Some(purge) => {
            values.push(("purge_cutoff", purge.cutoff.into()));
            values.push(("purge_floor", purge.floor.into()));
            let goes = purge.condition_with(dialect, "", "purge_floor", "purge_cutoff");
            format!("NOT ({goes})")
        }
        None => "1 = 1".to_owned(),
    };
    // Who else is of the upload is counted in the index on the upload, and only where one person of it is taken.
    let sql = format!(
        "SELECT {} AS people, {} AS alone FROM (SELECT upload_id, COUNT(*) AS people \
         FROM participant WHERE tenant_id = :tenant AND {} GROUP BY upload_id) AS taken",
        dialect.sum("people"),
        dialect.sum(&format!(
            "CASE WHEN people = 1 AND (SELECT COUNT(*) FROM participant WHERE tenant_id = :tenant \
             AND upload_id = taken.upload_id AND {stays}) = 1 THEN 1 ELSE 0 END"
        )),
        selection.condition(dialect, ""),
    );
    let row = transaction
        .row::<Sums>("recount.to_anonymize", &sql, &values)
        .await?;
    Ok(row.map_or_else(ToAnonymize::default, |sums| ToAnonymize {
        people: unsigned(sums.people),
        alone: unsigned(sums.alone),
    }))
}

#[derive(FromQueryResult)]
struct Sums {
    people: i64,
    alone: i64,
}

/// Everything that a run with these cutoffs would do, exactly; and of how many anonymized people nobody
/// else of the upload would be left (E18).
///
/// Memory grows with the number of unsubscribed people among the eligible (32 bytes each and a
/// little), because only different addresses count as hashes.
pub async fn plan(
    transaction: &Transaction,
    tenant: TenantId,
    cutoffs: Cutoffs,
    hasher: &TenantHasher,
) -> Result<(Counts, u64), StoreError> {
    let ToAnonymize { people, alone } = to_anonymize(transaction, tenant, cutoffs).await?;
    let mut counts = Counts {
        anonymized: people,
        purged: eligible(transaction, tenant, Stage::Purge, cutoffs).await?,
        uploads_removed: empty_uploads(transaction, tenant).await?,
        ..Counts::default()
    };
    let mut hashes = HashSet::new();
    if let Some(selection) = Selection::of(Stage::Anonymize, cutoffs) {
        counts.invitations_expired = children(
            transaction,
            tenant,
            &selection,
            "invitation",
            "state = 'queued'",
        )
        .await?;
        counts.unhashable +=
            collect_hashes(transaction, tenant, &selection, hasher, &mut hashes).await?;
    }
    if let Some(selection) = Selection::of(Stage::Purge, cutoffs) {
        for (count, table) in counts.children_purged.iter_mut().zip(CHILD_TABLES) {
            *count = children(transaction, tenant, &selection, table, "1 = 1").await?;
        }
        counts.unhashable +=
            collect_hashes(transaction, tenant, &selection, hasher, &mut hashes).await?;
        counts.uploads_removed += uploads_to_empty(transaction, tenant, &selection).await?;
    }
    let hashes: Vec<Suppressed> = hashes.into_iter().collect();
    counts.suppressions =
        hashes.len() as u64 - suppressions::stored(transaction, tenant, &hashes).await?;
    Ok((counts, alone))
}

async fn children(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
    table: &str,
    condition: &str,
) -> Result<u64, StoreError> {
    // By their ids, as the children are keyed: PostgreSQL then merges two indexes, and stops where the
    // selected end, which with ids in time order is well before the tenant does. That takes it half as
    // long as a look-up for each participant, or a hash table and all of the tenant's children.
    let sql = format!(
        "SELECT COUNT(*) AS n FROM (SELECT id FROM participant WHERE tenant_id = :tenant AND {} \
         ORDER BY id) AS selected JOIN {table} \
         ON {table}.tenant_id = :tenant AND {table}.participant_id = selected.id WHERE {condition}",
        selection.condition(transaction.dialect(), "")
    );
    transaction
        .count("recount.children", &sql, &parameters(tenant, selection))
        .await
}

/// Uploads all of whose participants are about to go.
async fn uploads_to_empty(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
) -> Result<u64, StoreError> {
    // Whoever stays is counted in the index on the upload, and only for uploads that lose somebody.
    let sql = format!(
        "SELECT COUNT(*) AS n FROM (SELECT upload_id, COUNT(*) AS people FROM participant \
         WHERE tenant_id = :tenant AND {} GROUP BY upload_id) AS going \
         WHERE going.people = (SELECT COUNT(*) FROM participant \
         WHERE participant.tenant_id = :tenant AND participant.upload_id = going.upload_id)",
        selection.condition(transaction.dialect(), "")
    );
    transaction
        .count(
            "recount.uploads_to_empty",
            &sql,
            &parameters(tenant, selection),
        )
        .await
}

/// Adds the hashes of the unsubscribed people in `selection`; returns how many addresses cannot be
/// hashed.
async fn collect_hashes(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
    hasher: &TenantHasher,
    hashes: &mut HashSet<Suppressed>,
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    // In no order: to sort them, the database might write addresses to a file.
    let sql = format!(
        "SELECT {} AS address FROM participant WHERE tenant_id = :tenant AND {} \
         AND unsubscribed_at IS NOT NULL AND email IS NOT NULL",
        dialect.select_address(),
        selection.condition(dialect, ""),
    );
    let mut unhashable = 0;
    transaction
        .each_row(
            "recount.unsubscribed_addresses",
            &sql,
            &parameters(tenant, selection),
            |Unsubscribed { address }| {
                let address = dialect.address(&address);
                let value = address.as_deref().map(EmailValue::read).unwrap_or_default();
                unhashable += u64::from(value.addresses().is_empty());
                hashes.extend(value.addresses().iter().map(|email| hasher.hash(email)));
            },
        )
        .await?;
    Ok(unhashable)
}

#[derive(FromQueryResult)]
struct Unsubscribed {
    address: String,
}
