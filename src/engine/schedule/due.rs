//! What is owed: for each tenant its newest due period, and only that one (S2).
//!
//! Nothing here trusts a timer. What is due follows from now, the tenant's time zone and the hour
//! of the schedule; whether it is done follows from the run's record. The rules of time zones are read
//! anew by each look (D12), and then they are the same for all tenants of it.

use chrono::{DateTime, Utc};
use entity::tenant;

use crate::domain::period::{Period, Zone, due_instant, newest_due_period};
use crate::domain::zone::ZoneFault;
use crate::ids::TenantId;
use crate::store::requirements::Requirement;
use crate::store::{Transaction, tenants};
use crate::tzdata::Snapshot;

use crate::engine::context::{Engine, require};
use crate::engine::error::EngineError;

/// A tenant and the period that a run would be for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Number of the tenant.
    pub tenant: TenantId,
    /// Its slug.
    pub slug: String,
    /// Its zone, with the rules that it is reckoned by, or why there are none.
    pub zone: Result<Zone, ZoneFault>,
    /// The period.
    pub period: Period,
    /// When the period is due in that zone.
    pub due_at: DateTime<Utc>,
    /// Somebody named the period, rather than the calendar.
    pub period_named: bool,
}

impl Candidate {
    /// The same period of the same tenant, as the tenant's row is now.
    pub(in crate::engine) fn of(engine: &Engine, tenant: &tenant::Model, before: &Self) -> Self {
        let mut now = Self {
            slug: tenant.slug.clone(),
            // By the rules of the last look, for all tenants of a pass alike.
            zone: engine.tzdata.newest().find(&tenant.time_zone),
            ..before.clone()
        };
        now.due_at = due_instant(now.period, now.reckoning(), engine.schedule_hour);
        now
    }

    /// The tenant's zone.
    ///
    /// # Errors
    ///
    /// [`EngineError::TimeZone`].
    pub fn zone(&self) -> Result<&Zone, EngineError> {
        self.zone
            .as_ref()
            .map_err(|fault| EngineError::TimeZone(fault.clone()))
    }

    /// What its periods are reckoned by. Of a tenant whose zone cannot be had nothing is erased; UTC
    /// only gives its failure a period.
    pub(in crate::engine) fn reckoning(&self) -> &Zone {
        self.zone.as_ref().unwrap_or(Zone::utc())
    }
}

/// Which tenants and which period somebody asked for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Slugs; empty = all tenants.
    pub tenants: Vec<String>,
    /// A period; `None` = the newest that is due.
    pub period: Option<Period>,
}

/// Slugs of a [`Scope`] that are no tenant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tenant has the slug {}; see `retentiond tenant list`", .0.join(", "))]
pub struct UnknownTenants(pub Vec<String>);

/// Looks what is due within `scope` now, by slug; the progress of the engine expects as many tenants.
///
/// # Errors
///
/// The database's, or a clock skew; the inner one when a slug is unknown.
pub async fn find_due(
    engine: &Engine,
    scope: &Scope,
) -> Result<Result<Vec<Candidate>, UnknownTenants>, EngineError> {
    let now = engine.now(engine.clocks_alone().await?)?;
    let transaction = engine
        .database
        .begin_read("looking for what is due")
        .await?;
    require(&transaction, &Requirement::TO_COUNT).await?;
    let found = candidates(engine, &transaction, scope, now).await?;
    transaction.rollback().await?;
    if let Ok(found) = &found {
        engine.progress.expect_tenants(found.len());
    }
    Ok(found)
}

/// The candidates of a scope, by slug.
///
/// # Errors
///
/// The database's; the inner one when a slug is unknown.
pub async fn candidates(
    engine: &Engine,
    transaction: &Transaction,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Candidate>, UnknownTenants>, EngineError> {
    let all = tenants::list(transaction).await?;
    let rules = engine.tzdata.refresh();
    let unknown: Vec<String> = scope
        .tenants
        .iter()
        .filter(|slug| !all.iter().any(|tenant| tenant.slug == **slug))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Ok(Err(UnknownTenants(unknown)));
    }
    Ok(Ok(all
        .iter()
        .filter(|tenant| scope.tenants.is_empty() || scope.tenants.contains(&tenant.slug))
        .map(|tenant| candidate(engine, &rules, tenant, scope.period, now))
        .collect()))
}

fn candidate(
    engine: &Engine,
    rules: &Snapshot,
    tenant: &tenant::Model,
    named: Option<Period>,
    now: DateTime<Utc>,
) -> Candidate {
    let hour = engine.schedule_hour;
    let mut candidate = Candidate {
        tenant: TenantId(tenant.id),
        slug: tenant.slug.clone(),
        zone: rules.find(&tenant.time_zone),
        period: named.unwrap_or(Period::FIRST),
        due_at: now,
        period_named: named.is_some(),
    };
    if named.is_none() {
        candidate.period = newest_due_period(now, candidate.reckoning(), hour).min(Period::LAST);
    }
    candidate.due_at = due_instant(candidate.period, candidate.reckoning(), hour);
    candidate
}
