//! One look at what is owed: server, schema and keyring first, for none of them may have changed under
//! a daemon that has been up for months.

use crate::domain::zone::ZoneFault;
use crate::engine::error::{KEYRING, PANIC, TIME_ZONE};
use crate::engine::survey::{Survey, survey};
use crate::engine::{Engine, EngineError, orphans};
use crate::store::ErrorClass;
use crate::store::keys::{self, KeyCheckError};
use crate::store::requirements::Requirement;
use crate::store::schema::{self, SchemaError};

use super::health::{Check, Health};
use super::probe;

/// Why a look found nothing out.
#[derive(Debug)]
pub(super) enum ReconcileError {
    /// The schema is not this version's.
    Schema(String),
    /// The keyring is not this database's.
    Keys(String),
    /// The zone of `[engine] window` cannot be had, so nobody knows whether it is open.
    Window(ZoneFault),
    /// A defect ended it.
    Broken,
    /// Anything else.
    Engine(EngineError),
}

impl ReconcileError {
    /// Whether runs in hand must end, too: what they rely on is not there any more.
    pub(super) fn stops_work(&self) -> bool {
        matches!(
            self,
            Self::Schema(_) | Self::Keys(_) | Self::Engine(EngineError::Unmet(_))
        )
    }

    /// Whether the server does not let us in.
    pub(super) fn refuses_login(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Store(error)) if error.refuses_login())
    }

    /// Class in metrics and in the log.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Schema(_) => ErrorClass::Schema.name(),
            Self::Keys(_) => KEYRING,
            Self::Window(_) => TIME_ZONE,
            Self::Broken => PANIC,
            Self::Engine(error) => error.class(),
        }
    }
}

/// Looks.
pub(super) async fn reconcile(engine: &Engine) -> Result<Survey, ReconcileError> {
    schema::ensure_current(&engine.database)
        .await
        .map_err(|error| match error {
            SchemaError::Store(error) => ReconcileError::Engine(error.into()),
            error => ReconcileError::Schema(error.to_string()),
        })?;
    let unmet = engine.database.unmet_of(&Requirement::ALL).await;
    if let Some(unmet) = unmet.map_err(|error| ReconcileError::Engine(error.into()))? {
        orphans::suspect(engine, &unmet).await;
        return Err(ReconcileError::Engine(EngineError::Unmet(unmet)));
    }
    keys::check(&engine.database, &engine.keyring)
        .await
        .map_err(|error| match error {
            KeyCheckError::Store(error) => ReconcileError::Engine(error.into()),
            error => ReconcileError::Keys(error.to_string()),
        })?;
    let survey = survey(engine).await.map_err(ReconcileError::Engine)?;
    engine
        .closed_until(survey.now)
        .map_err(ReconcileError::Window)?;
    Ok(survey)
}

/// Shows in health and log how a look went.
pub(super) fn report(health: &Health, problem: Option<&ReconcileError>) {
    let Some(error) = problem else {
        for check in [
            Check::Database,
            Check::Schema,
            Check::Keys,
            Check::Reconcile,
        ] {
            health.set(check, None);
        }
        probe::report_clock(health, None);
        return;
    };
    let (check, problem) = match error {
        ReconcileError::Schema(problem) => (Check::Schema, problem.clone()),
        ReconcileError::Keys(problem) => (Check::Keys, problem.clone()),
        ReconcileError::Engine(error) if error.is_of_the_clock() => {
            return probe::report_clock(health, Some(error));
        }
        ReconcileError::Engine(EngineError::Store(error))
            if error.class() == ErrorClass::Schema =>
        {
            (Check::Schema, error.to_string())
        }
        ReconcileError::Engine(error @ EngineError::Store(of_store))
            if is_of_the_server(of_store.class()) =>
        {
            // The probe may soon say that the database answers. A look that failed stays failed until one
            // succeeds: to read what is owed is more than to answer.
            health.set(Check::Reconcile, Some(error.to_string()));
            return probe::report_database(health, error);
        }
        ReconcileError::Engine(EngineError::Unmet(unmet))
            if Requirement::OF_PROBE.contains(&unmet.requirement) =>
        {
            health.set(Check::Reconcile, Some(unmet.to_string()));
            return probe::report_database(health, &EngineError::Unmet(unmet.clone()));
        }
        // The database answers, so the probe will not say that anything is wrong with it.
        ReconcileError::Engine(error) => (Check::Reconcile, error.to_string()),
        ReconcileError::Window(fault) => {
            let problem = format!("the zone of [engine] window_time_zone cannot be used: {fault}");
            (Check::Reconcile, problem)
        }
        ReconcileError::Broken => {
            let problem = "a defect in retentiond ended the reconciliation; please report it";
            (Check::Reconcile, problem.to_owned())
        }
    };
    if !health.is_failing(check) {
        let consequence = if error.stops_work() {
            "held runs end after their batch"
        } else {
            "runs that were found before continue"
        };
        tracing::error!(
            event = "look_failed",
            class = error.class(),
            "no more work is found, and {consequence}: {problem}"
        );
    }
    health.set(check, Some(problem));
}

/// Whether the server, or the way to it, is at fault, and not what it holds.
fn is_of_the_server(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Unavailable
            | ErrorClass::Deadline
            | ErrorClass::Address
            | ErrorClass::ReadOnly
            | ErrorClass::Settings
    )
}
