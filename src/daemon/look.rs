//! One look at what is owed: server, schema and keyring first, for none of them may have changed under
//! a daemon that has been up for months.

use crate::engine::survey::{Survey, survey};
use crate::engine::{Engine, EngineError};
use crate::store::ErrorClass;
use crate::store::keys::{self, KeyCheckError};
use crate::store::schema::{self, SchemaError};

use super::health::{Check, Health};
use super::probe;

/// Why a look found nothing out.
#[derive(Debug)]
pub(super) enum LookError {
    /// The schema is not this version's.
    Schema(String),
    /// The keyring is not this database's.
    Keys(String),
    /// Anything else.
    Engine(EngineError),
}

impl LookError {
    /// Whether runs in hand must end, too: what they rely on is not there any more.
    pub(super) fn stops_work(&self) -> bool {
        matches!(self, Self::Schema(_) | Self::Keys(_))
    }
}

/// Looks.
pub(super) async fn look(engine: &Engine) -> Result<Survey, LookError> {
    engine
        .database
        .require_primary()
        .await
        .map_err(|error| LookError::Engine(error.into()))?;
    schema::ensure_current(&engine.database)
        .await
        .map_err(|error| match error {
            SchemaError::Store(error) => LookError::Engine(error.into()),
            error => LookError::Schema(error.to_string()),
        })?;
    keys::check(&engine.database, &engine.keyring)
        .await
        .map_err(|error| match error {
            KeyCheckError::Store(error) => LookError::Engine(error.into()),
            error => LookError::Keys(error.to_string()),
        })?;
    survey(engine).await.map_err(LookError::Engine)
}

/// Shows in health, log and metrics how a look went.
pub(super) fn report(health: &Health, problem: Option<&LookError>) {
    match problem {
        None => {
            health.set(Check::Database, None);
            health.set(Check::Schema, None);
            health.set(Check::Keys, None);
            probe::report_clock(health, None);
        }
        Some(LookError::Schema(problem)) => report_problem(health, Check::Schema, problem),
        Some(LookError::Keys(problem)) => report_problem(health, Check::Keys, problem),
        Some(LookError::Engine(error @ EngineError::ClockSkew { .. })) => {
            probe::report_clock(health, Some(error));
        }
        // The database answers; what it answers is not what this version expects.
        Some(LookError::Engine(EngineError::Store(error))) if !is_of_the_server(error.class()) => {
            report_problem(health, Check::Schema, &error.to_string());
        }
        Some(LookError::Engine(error)) => probe::report_database(health, error),
    }
}

/// Whether the server, or the way to it, is at fault, and not what it holds.
fn is_of_the_server(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Unavailable | ErrorClass::Deadline | ErrorClass::Address | ErrorClass::ReadOnly
    )
}

fn report_problem(health: &Health, check: Check, problem: &str) {
    if !health.is_failing(check) {
        tracing::error!(event = "look_failed", "nothing is erased: {problem}");
    }
    health.set(check, Some(problem.to_owned()));
}
