//! Leases: who may work on a run.
//!
//! A lease is a row with a random token and an expiry by the *database's* clock. Every batch starts
//! by updating that row by its token (the fence): a holder that was paused for longer than its
//! lease finds that the token changed, and commits nothing. That holds on a Galera cluster, too,
//! because each of them *writes* the row: see `docs/decisions/galera.md`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domain::period::Period;
use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// The right to work on one slice of a run, until somebody else takes it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The tenant.
    pub tenant: TenantId,
    /// The run.
    pub run_id: Uuid,
    /// The slice; 0 as yet.
    pub slice: i32,
    /// Random; whoever knows it is the holder.
    pub token: Uuid,
    /// How long it lasts from each renewal.
    pub duration: Duration,
}

/// How far a stage got: the last row of its last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// `added_at` of that row.
    pub added_at: DateTime<Utc>,
    /// `id` of that row.
    pub id: Uuid,
}

/// No lease and no pause before a retry lasts as long: one that ends later than this from now was
/// written by a clock that was wrong, and would otherwise be waited for until that time comes (S12).
pub const WAIT_MAX: Duration = Duration::from_secs(2 * 3600);

/// The database's clock plus [`WAIT_MAX`], as the parameter `:longest`.
fn now_plus_longest(dialect: Dialect) -> String {
    dialect.now_plus_seconds().replace(":seconds", ":longest")
}

/// Condition on `expires_at`: the lease has not expired. Needs the parameter `:longest`.
pub(in crate::store) fn is_alive(dialect: Dialect) -> String {
    format!(
        "run_lease.expires_at >= {} AND run_lease.expires_at <= {}",
        dialect.now(),
        now_plus_longest(dialect)
    )
}

impl Lease {
    /// Makes the row of a slice, unless it is there.
    pub async fn create_row(
        transaction: &Transaction,
        tenant: TenantId,
        run_id: Uuid,
        slice: i32,
    ) -> Result<(), StoreError> {
        let sql = match transaction.dialect() {
            Dialect::MariaDb => {
                "INSERT INTO run_lease (tenant_id, run_id, slice) VALUES (:tenant, :run, :slice) \
                 ON DUPLICATE KEY UPDATE slice = slice"
            }
            _ => {
                "INSERT INTO run_lease (tenant_id, run_id, slice) VALUES (:tenant, :run, :slice) \
                 ON CONFLICT DO NOTHING"
            }
        };
        transaction
            .execute(
                "leases.create",
                sql,
                &[
                    ("tenant", tenant.into()),
                    ("run", run_id.into()),
                    ("slice", slice.into()),
                ],
            )
            .await?;
        Ok(())
    }

    /// Takes the lease if nobody holds it, or its holder let it expire. Returns whether we have it.
    pub async fn acquire(
        &self,
        transaction: &Transaction,
        holder: &str,
    ) -> Result<bool, StoreError> {
        let dialect = transaction.dialect();
        let sql = format!(
            "UPDATE run_lease SET holder = :holder, token = :token, expires_at = {}, \
             renewals = renewals + 1 WHERE tenant_id = :tenant AND run_id = :run \
             AND slice = :slice AND (token IS NULL OR NOT ({}))",
            dialect.now_plus_seconds(),
            is_alive(dialect)
        );
        let matched = transaction
            .execute(
                "leases.acquire",
                &sql,
                &[
                    ("holder", holder.into()),
                    ("token", self.token.into()),
                    ("seconds", self.duration.as_secs_f64().into()),
                    ("longest", WAIT_MAX.as_secs_f64().into()),
                    ("tenant", self.tenant.into()),
                    ("run", self.run_id.into()),
                    ("slice", self.slice.into()),
                ],
            )
            .await?;
        Ok(matched == 1)
    }

    /// The fence, first statement of every batch: renews the lease by its token. False = lost; the
    /// transaction must not go on.
    pub async fn fence(&self, transaction: &Transaction) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE run_lease SET renewals = renewals + 1, expires_at = {} \
             WHERE tenant_id = :tenant AND run_id = :run AND slice = :slice AND token = :token",
            transaction.dialect().now_plus_seconds()
        );
        let matched = transaction
            .execute(
                "leases.fence",
                &sql,
                &[
                    ("seconds", self.duration.as_secs_f64().into()),
                    ("tenant", self.tenant.into()),
                    ("run", self.run_id.into()),
                    ("slice", self.slice.into()),
                    ("token", self.token.into()),
                ],
            )
            .await?;
        Ok(matched == 1)
    }

    /// Gives the lease back, so that nobody has to wait for its expiry. The cursor stays unless
    /// `forget_cursor`: it names a participant, and must not outlive the run.
    pub async fn release(
        &self,
        transaction: &Transaction,
        forget_cursor: bool,
    ) -> Result<(), StoreError> {
        let sql = if forget_cursor {
            "UPDATE run_lease SET token = NULL, holder = NULL, expires_at = NULL, \
             renewals = renewals + 1, \
             cursor_stage = NULL, cursor_added_at = NULL, cursor_id = NULL \
             WHERE tenant_id = :tenant AND run_id = :run AND slice = :slice AND token = :token"
        } else {
            "UPDATE run_lease SET token = NULL, holder = NULL, expires_at = NULL, \
             renewals = renewals + 1 \
             WHERE tenant_id = :tenant AND run_id = :run AND slice = :slice AND token = :token"
        };
        transaction
            .execute(
                "leases.release",
                sql,
                &[
                    ("tenant", self.tenant.into()),
                    ("run", self.run_id.into()),
                    ("slice", self.slice.into()),
                    ("token", self.token.into()),
                ],
            )
            .await?;
        Ok(())
    }

    /// Where `stage` stands, if a batch of it was committed before.
    pub async fn cursor(
        &self,
        transaction: &Transaction,
        stage: &str,
    ) -> Result<Option<Cursor>, StoreError> {
        let row = transaction
            .row::<StoredCursor>(
                "leases.cursor",
                "SELECT cursor_added_at, cursor_id FROM run_lease WHERE tenant_id = :tenant \
                 AND run_id = :run AND slice = :slice AND cursor_stage = :stage",
                &[
                    ("tenant", self.tenant.into()),
                    ("run", self.run_id.into()),
                    ("slice", self.slice.into()),
                    ("stage", stage.into()),
                ],
            )
            .await?;
        Ok(row.and_then(|row| {
            Some(Cursor {
                added_at: row.cursor_added_at?,
                id: row.cursor_id?,
            })
        }))
    }

    /// Records how far `stage` got; `None` = the stage starts over or ended.
    pub async fn set_cursor(
        &self,
        transaction: &Transaction,
        stage: &str,
        cursor: Option<Cursor>,
    ) -> Result<(), StoreError> {
        transaction
            .execute(
                "leases.set_cursor",
                "UPDATE run_lease SET cursor_stage = :stage, cursor_added_at = :added_at, \
                 cursor_id = :id WHERE tenant_id = :tenant AND run_id = :run AND slice = :slice \
                 AND token = :token",
                &[
                    ("stage", cursor.map(|_| stage.to_owned()).into()),
                    ("added_at", cursor.map(|cursor| cursor.added_at).into()),
                    ("id", cursor.map(|cursor| cursor.id).into()),
                    ("tenant", self.tenant.into()),
                    ("run", self.run_id.into()),
                    ("slice", self.slice.into()),
                    ("token", self.token.into()),
                ],
            )
            .await?;
        Ok(())
    }
}

/// How many processes hold a run of the period `since` or a newer one.
pub async fn holders(transaction: &Transaction, since: Period) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(DISTINCT run_lease.holder) AS n FROM tenant_run \
         JOIN run_lease ON run_lease.tenant_id = tenant_run.tenant_id \
         AND run_lease.run_id = tenant_run.id \
         WHERE tenant_run.period >= :since AND {}",
        is_alive(transaction.dialect())
    );
    transaction
        .count(
            "leases.holders",
            &sql,
            &[
                ("since", since.into()),
                ("longest", WAIT_MAX.as_secs_f64().into()),
            ],
        )
        .await
}

#[derive(FromQueryResult)]
struct StoredCursor {
    cursor_added_at: Option<DateTime<Utc>>,
    cursor_id: Option<Uuid>,
}
