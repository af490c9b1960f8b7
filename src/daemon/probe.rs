//! Asks the database every few seconds how it is and what time it has, so that `/readyz` tells the
//! truth of now and work goes on as soon as the database is back.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::clocks::Clocks;
use backon::{BackoffBuilder, ExponentialBuilder};

use crate::engine::{Engine, EngineError};
use crate::store::requirements::Requirement;
use crate::telemetry::metrics;

use super::health::{Check, Health};
use super::wakeup::{Source, WakeupSender};

/// How often, while all is well.
const INTERVAL: Duration = Duration::from_secs(10);

/// The first and the longest pause while the database does not answer.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Pauses while something is wrong: doubling, with jitter, for as long as it takes.
pub(super) fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(PAUSE.0)
        .with_max_delay(PAUSE.1)
        .without_max_times()
        .with_jitter()
        .build()
        // Jitter comes on top of the longest pause.
        .map(|pause| pause.min(PAUSE.1))
}

/// The same, for whoever keeps them.
pub(super) fn pauses() -> Box<dyn Iterator<Item = Duration> + Send> {
    Box::new(backoff())
}

/// Probes until it is dropped.
pub(super) async fn run(engine: Arc<Engine>, health: Arc<Health>, wakeups: WakeupSender) {
    let mut pauses = backoff();
    let mut was_well = true;
    loop {
        let is_well = match ask(&engine, &health).await {
            Ok(is_well) => is_well,
            Err(error) => {
                // Whoever changed it has most likely put the new one where the old one was: the loop looks.
                if was_well && matches!(&error, EngineError::Store(error) if error.refuses_login())
                {
                    wakeups.ring(Source::Password);
                }
                false
            }
        };
        let pause = if is_well {
            if !was_well {
                wakeups.ring(Source::Recovery);
            }
            pauses = backoff();
            INTERVAL
        } else {
            pauses.next().unwrap_or(PAUSE.1)
        };
        was_well = is_well;
        tokio::time::sleep(pause).await;
    }
}

/// One probe; whether all is well. An error is the database's.
async fn ask(engine: &Engine, health: &Health) -> Result<bool, EngineError> {
    match clocks_of_primary(engine).await {
        Ok(clocks) => {
            metrics::clock_skew(clocks.skew());
            health.set(Check::Database, None);
            let problem = engine.now(clocks).err();
            report_clock(health, problem.as_ref());
            Ok(problem.is_none())
        }
        Err(error) => {
            report_database(health, &error);
            Err(error)
        }
    }
}

/// Both clocks of a database that takes writes.
async fn clocks_of_primary(engine: &Engine) -> Result<Clocks, EngineError> {
    // Everything else is asked by the look: it changes seldom, and takes longer to find out.
    if let Some(unmet) = engine.database.unmet_of(&Requirement::OF_PROBE).await? {
        return Err(EngineError::Unmet(unmet));
    }
    Ok(engine.clocks_alone().await?)
}

/// Records that the clocks agree, or do not.
pub(super) fn report_clock(health: &Health, problem: Option<&EngineError>) {
    if let Some(error) = problem
        && !health.is_failing(Check::Clock)
    {
        let event = match error {
            EngineError::ClockSkew { .. } => "clock_skew",
            _ => "clock_refused",
        };
        tracing::error!(event, class = error.class(), "{error}");
    }
    health.set(Check::Clock, problem.map(ToString::to_string));
}

/// Records that the database could not be used.
pub(super) fn report_database(health: &Health, error: &EngineError) {
    if !health.is_failing(Check::Database) {
        tracing::error!(
            event = "database_unavailable",
            class = error.class(),
            code = error.code(),
            "nothing new is begun until the database is back: {error}"
        );
    }
    health.set(Check::Database, Some(error.to_string()));
}
