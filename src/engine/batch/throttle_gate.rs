//! Where a stage waits, before each batch, until no limit is passed.

use tokio::time::{Duration, Instant};

use crate::telemetry::metrics;

use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::stage::Stage;
use crate::engine::throttle::{MEASURED_AGE_MAX, Pressure, Reason};

/// Pauses with no more than that between them are told as one: a limit that is kept to by many short
/// pauses is said to be, once.
const CALM_MIN: Duration = Duration::from_secs(10);

/// The gate of one stage of a run. Says when the run begins to pause, and when it does no more.
#[derive(Debug)]
pub(in crate::engine) struct ThrottleGate<'a> {
    run: &'a HeldRun,
    stage: Stage,
    pauses: Vec<ReasonPause>,
}

/// Pauses for one reason.
#[derive(Debug)]
struct ReasonPause {
    reason: Reason,
    paused: Duration,
    ended_at: Instant,
}

impl<'a> ThrottleGate<'a> {
    pub(in crate::engine) fn new(run: &'a HeldRun, stage: Stage) -> Self {
        Self {
            run,
            stage,
            pauses: Vec::new(),
        }
    }

    /// Waits for as long as a limit is passed; the lease is kept meanwhile. Nothing is locked.
    ///
    /// # Errors
    ///
    /// [`EngineError::Stopped`], [`EngineError::LeaseLost`], or the database's.
    pub(in crate::engine) async fn pass(&mut self) -> Result<(), EngineError> {
        if self.run.engine.throttle.is_off() {
            return Ok(());
        }
        let run = self.run;
        let wait = async {
            self.wait().await;
            Ok(())
        };
        run.while_holding(wait).await
    }

    async fn wait(&mut self) {
        let mut pause: Option<metrics::Pause> = None;
        while let Some(pressure) = self
            .run
            .engine
            .throttle
            .pressure(self.run.lease.tenant)
            .await
        {
            let reason = pressure.reason.name();
            if pause.as_ref().is_none_or(|pause| pause.reason() != reason) {
                // The one before ends first.
                drop(pause.take());
                pause = Some(metrics::Pause::begin(reason));
            }
            let started = Instant::now();
            self.begin(pressure);
            tokio::time::sleep(MEASURED_AGE_MAX).await;
            let (reason, now) = (pressure.reason, Instant::now());
            if let Some(past) = self.pauses.iter_mut().find(|past| past.reason == reason) {
                past.paused += now - started;
                past.ended_at = now;
            }
        }
        let is_over = |past: &mut ReasonPause| past.ended_at.elapsed() >= CALM_MIN;
        let over: Vec<ReasonPause> = self.pauses.extract_if(.., is_over).collect();
        over.iter().for_each(|past| self.say_ended(past));
    }

    /// Says that the run pauses, if that is news.
    fn begin(&mut self, pressure: Pressure) {
        if self.pauses.iter().any(|one| one.reason == pressure.reason) {
            return;
        }
        self.pauses.push(ReasonPause {
            reason: pressure.reason,
            paused: Duration::ZERO,
            ended_at: Instant::now(),
        });
        tracing::info!(
            event = "throttle_began",
            tenant = self.run.slug,
            period = %self.run.period,
            run_id = %self.run.lease.run_id,
            stage = self.stage.name(),
            reason = pressure.reason.name(),
            measured = pressure.measured,
            limit = pressure.limit,
            "the run pauses between two batches until the limit is kept to again"
        );
    }

    fn say_ended(&self, past: &ReasonPause) {
        tracing::info!(
            event = "throttle_ended",
            tenant = self.run.slug,
            period = %self.run.period,
            run_id = %self.run.lease.run_id,
            stage = self.stage.name(),
            reason = past.reason.name(),
            paused_seconds = past.paused.as_secs_f64(),
            "the run pauses no more"
        );
    }
}

/// The stage ends, whatever its end is.
impl Drop for ThrottleGate<'_> {
    fn drop(&mut self) {
        self.pauses.iter().for_each(|past| self.say_ended(past));
    }
}
