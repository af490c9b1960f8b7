//! The loop: one turn for each wake-up, signal, finished chore and second.
//!
//! A turn never waits for the database: whatever does is a chore in a task of its own, or a worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::SharedClock;
use crate::config::{Config, ConfigError};
use crate::engine::open::OpenError;
use crate::engine::survey::Survey;
use crate::engine::{Engine, EngineError, reclaim};
use crate::ids::SharedIds;
use crate::telemetry::logs::LogLevelSetter;
use crate::telemetry::metrics::Scrape;

use super::audit::{self, Audited};
use super::health::Health;
use super::look::LookError;
use super::signals::{Asked, Signals};
use super::ticks::{self, Timetable};
use super::wakeup::{Bell, Source};
use super::workers::Workers;
use super::{http, notify};

mod looking;
mod opening;

/// How often the loop turns when nothing happens.
const PULSE: Duration = Duration::from_secs(1);

/// A difference between wall clock and monotonic clock, from one pulse to the next, that is a jump
/// and no correction.
const CLOCK_JUMP: TimeDelta = TimeDelta::seconds(2);

/// How long the loop leaves the files alone when it could not clean them up: what was in the way may
/// be a backup that takes its time.
const CLEAN_UP_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What the service is given.
pub struct Parts {
    /// The configuration to begin with.
    pub config: Config,
    /// Reads the configuration again.
    pub reread: Box<dyn Fn() -> Result<Config, ConfigError> + Send>,
    /// Where metrics and health are asked for.
    pub listener: TcpListener,
    /// What a scrape is rendered from.
    pub scrape: Scrape,
    /// The level of the log.
    pub log_level: LogLevelSetter,
    /// The host's clock.
    pub clock: SharedClock,
    /// Ids.
    pub ids: SharedIds,
}

/// Why the service ended otherwise than on request.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Something that no retry mends.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Batches took longer than they were given to finish.
    #[error(
        "batches in hand did not end within [shutdown] grace_period; they were broken off and rolled \
         back, and the next process takes the runs up"
    )]
    GracePeriod,
    /// The process cannot listen to signals.
    #[error("cannot listen to signals: {}", .0.kind())]
    Signals(io::Error),
}

/// Serves until somebody asks to stop.
///
/// # Errors
///
/// See [`ServeError`].
pub async fn serve(parts: Parts) -> Result<(), ServeError> {
    let signals = Signals::listen().map_err(ServeError::Signals)?;
    let health = Arc::new(Health::new());
    let end = CancellationToken::new();
    let listener = AbortOnDropHandle::new(tokio::spawn(http::listen(
        parts.listener,
        parts.scrape.clone(),
        Arc::clone(&health),
        end.clone(),
    )));
    let (bell, rings) = Bell::new();
    let (timetable, timetables) = watch::channel(Timetable::default());
    let _ticks = AbortOnDropHandle::new(tokio::spawn(ticks::keep(timetables, bell.clone())));
    let (audited, audits) = watch::channel(None);
    let _audit = AbortOnDropHandle::new(tokio::spawn(audit::run(audits)));
    let now = Instant::now();
    let daemon = Daemon {
        wall: parts.clock.now(),
        monotonic: now,
        sweep_at: now + parts.config.schedule.sweep_interval,
        config: parts.config,
        reread: parts.reread,
        scrape: parts.scrape,
        log_level: parts.log_level,
        clock: parts.clock,
        ids: parts.ids,
        health,
        bell,
        timetable,
        audited,
        workers: None,
        probe: None,
        chores: JoinSet::new(),
        opening: None,
        reopen_at: None,
        pauses: Box::new(super::probe::backoff()),
        looking: None,
        look_again: None,
        looked_at: None,
        timer_at: None,
        pulses: 0,
        status: String::new(),
        tenants_by_state: Vec::new(),
        // The process before this one may have been killed before it came to it.
        is_dirty: true,
        cleaning: false,
        clean_up_at: now,
        has_progressed: false,
    };
    let outcome = daemon.run(rings, signals).await;
    // Kept until now, so that probes see a service that is stopping and not one that is gone.
    end.cancel();
    let _ = tokio::time::timeout(PULSE, listener).await;
    outcome
}

/// The state of the loop.
struct Daemon {
    // Dependencies.
    config: Config,
    reread: Box<dyn Fn() -> Result<Config, ConfigError> + Send>,
    scrape: Scrape,
    log_level: LogLevelSetter,
    clock: SharedClock,
    ids: SharedIds,
    health: Arc<Health>,
    bell: Bell,
    timetable: watch::Sender<Timetable>,
    audited: watch::Sender<Option<Audited>>,

    // Work.
    /// Unset until the database has been opened for the first time.
    workers: Option<Workers>,
    probe: Option<AbortOnDropHandle<()>>,
    chores: JoinSet<Chore>,
    opening: Option<Opening>,
    reopen_at: Option<Instant>,
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
    /// Since when a look is under way.
    looking: Option<Instant>,
    /// A look that was wanted meanwhile; the inner one is its cause.
    look_again: Option<Option<Source>>,
    /// When the last look ended.
    looked_at: Option<Instant>,
    sweep_at: Instant,
    timer_at: Option<Instant>,

    // What the last pulse saw.
    wall: DateTime<Utc>,
    monotonic: Instant,
    pulses: u64,
    status: String,
    tenants_by_state: Vec<(&'static str, u64)>,
    /// Something was erased since the database's files were last cleaned up.
    is_dirty: bool,
    /// They are being cleaned up.
    cleaning: bool,
    /// Not to be tried before.
    clean_up_at: Instant,
    has_progressed: bool,
}

/// Why the database is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// For the first time.
    Start,
    /// With a configuration that was read again.
    Reload,
}

/// What a task of the loop found out.
enum Chore {
    Opened(Opening, Box<Config>, Result<Engine, OpenError>),
    Looked(Option<Source>, Result<Survey, LookError>),
    CleanedUp(Result<(), EngineError>),
}

impl Daemon {
    async fn run(
        mut self,
        mut rings: mpsc::Receiver<Source>,
        mut signals: Signals,
    ) -> Result<(), ServeError> {
        tracing::info!(
            event = "service_started",
            version = env!("CARGO_PKG_VERSION"),
            listen = %self.config.http.listen,
            workers = self.config.engine.workers,
            sweep_interval_seconds = self.config.schedule.sweep_interval.as_secs_f64(),
            "service started"
        );
        self.status = self.describe();
        notify::ready(&self.status);
        self.open(Opening::Start, self.config.clone());
        let mut pulse = self.pulse();
        loop {
            let next_look_at = self.next_look_at();
            tokio::select! {
                _ = pulse.tick() => self.on_pulse(),
                () = sleep_until(next_look_at) => self.on_time(),
                Some(source) = rings.recv() => self.look(Some(source)),
                Some(done) = self.chores.join_next() => self.on_chore(done)?,
                Some(entry) = next_ended(&mut self.workers) => self.on_ended(&entry),
                asked = signals.next() => match asked {
                    Asked::Reload => self.reload(),
                    Asked::Stop => break,
                },
            }
        }
        self.stop(&mut signals, pulse).await
    }

    fn pulse(&self) -> Interval {
        // systemd recommends half of what it waits for.
        let period = notify::watchdog_interval().map_or(PULSE, |watchdog| PULSE.min(watchdog / 2));
        let mut pulse = interval(period.max(Duration::from_millis(10)));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pulse
    }

    /// The loop has turned: says so, and looks at what only shows over time.
    fn on_pulse(&mut self) {
        if self.is_stuck() {
            return;
        }
        self.health.turned(Instant::now());
        notify::alive();
        self.pulses += 1;
        if self.pulses.is_multiple_of(5) {
            self.scrape.upkeep();
        }
        let (wall, monotonic) = (self.clock.now(), Instant::now());
        let passed = TimeDelta::from_std(monotonic - self.monotonic).unwrap_or(TimeDelta::MAX);
        let jump = (wall - self.wall) - passed;
        (self.wall, self.monotonic) = (wall, monotonic);
        if jump.abs() > CLOCK_JUMP {
            tracing::warn!(
                event = "clock_jumped",
                seconds = jump.num_seconds(),
                "the host's clock jumped, or the machine was suspended"
            );
            self.look(Some(Source::Clock));
        }
        let status = self.describe();
        if status != self.status {
            notify::status(&status);
            self.status = status;
        }
    }

    /// A look that does not end although each of its statements has a deadline: something hangs that
    /// only a restart mends. The watchdog sees to it, once the loop says nothing any more.
    fn is_stuck(&self) -> bool {
        let limit = self.config.database.scan_timeout * 4 + Duration::from_secs(60);
        self.looking.is_some_and(|since| since.elapsed() > limit)
    }

    fn next_look_at(&self) -> Instant {
        [self.timer_at, self.reopen_at]
            .into_iter()
            .flatten()
            .fold(self.sweep_at, Instant::min)
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        if self.reopen_at.is_some_and(|at| at <= now) {
            self.reopen_at = None;
            self.open(Opening::Start, self.config.clone());
        }
        if self.timer_at.is_some_and(|at| at <= now) {
            self.timer_at = None;
            self.look(Some(Source::Timer));
        }
        if self.sweep_at <= now {
            self.sweep_at = now + self.config.schedule.sweep_interval;
            self.look(Some(Source::Sweep));
        }
    }

    fn on_chore(&mut self, done: Result<Chore, JoinError>) -> Result<(), ServeError> {
        match done {
            Ok(Chore::Opened(why, config, outcome)) => self.on_opened(why, *config, outcome)?,
            Ok(Chore::Looked(source, outcome)) => self.on_looked(source, outcome),
            Ok(Chore::CleanedUp(outcome)) => self.on_cleaned_up(outcome.is_ok()),
            // We ended it ourselves.
            Err(error) if error.is_cancelled() => {}
            // The panic has been logged where it happened. Whatever it was, it is over.
            Err(_) => self.on_broken_chore(),
        }
        Ok(())
    }

    /// A defect ended a chore, and nobody knows which. All of them can be repeated.
    fn on_broken_chore(&mut self) {
        self.looking = None;
        if std::mem::take(&mut self.cleaning) {
            self.on_cleaned_up(false);
        }
        let pause = self.next_pause();
        match self.opening.take() {
            Some(_) if self.workers.is_none() => self.reopen_at = Some(Instant::now() + pause),
            _ => self.timer_at = Some(Instant::now() + pause),
        }
    }

    fn next_pause(&mut self) -> Duration {
        self.pauses
            .next()
            .unwrap_or(self.config.schedule.sweep_interval)
    }

    /// Ends the batches in hand, gives the leases back, and closes.
    async fn stop(mut self, signals: &mut Signals, mut pulse: Interval) -> Result<(), ServeError> {
        let in_hand = self.workers.as_ref().map_or(0, Workers::in_hand);
        tracing::info!(
            event = "service_stopping",
            in_hand,
            "ending the batches in hand"
        );
        self.health.stopping();
        notify::stopping(&format!("stopping; {in_hand} tenant-runs in hand"));
        self.chores.abort_all();
        self.probe = None;
        let deadline = Instant::now() + self.config.shutdown.grace_period;
        if let Some(workers) = &mut self.workers {
            workers.stop();
            while workers.in_hand() > 0 {
                tokio::select! {
                    _ = workers.next_ended() => self.is_dirty = true,
                    _ = pulse.tick() => {
                        self.health.turned(Instant::now());
                        notify::alive();
                    }
                    () = sleep_until(deadline) => {
                        tracing::error!(
                            event = "service_stopped",
                            in_hand = workers.in_hand(),
                            "the grace period is over; batches in hand are rolled back"
                        );
                        return Err(ServeError::GracePeriod);
                    }
                    () = signals.next_stop() => {
                        tracing::warn!(event = "service_stopped", "stopped at once, as asked twice");
                        // The database rolls back what was under way; a batch is all or nothing.
                        std::process::exit(1);
                    }
                }
            }
            if self.is_dirty {
                // The log says what could not be emptied; the next process tries again. It also
                // reclaims what is owed, which may take hours, and nobody waits for that now.
                let _ = reclaim::empty_write_ahead_log(workers.engine()).await;
            }
        }
        tracing::info!(event = "service_stopped", "service stopped");
        Ok(())
    }

    /// What the service is doing, in a line.
    fn describe(&self) -> String {
        let Some(workers) = &self.workers else {
            return "waiting for the database".to_owned();
        };
        if !self.health.is_ready() {
            return "not ready: see the log, or /readyz; nothing is erased".to_owned();
        }
        let states: Vec<String> = self
            .tenants_by_state
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        format!(
            "{} tenant-runs in hand, {} in line; tenants: {}",
            workers.in_hand(),
            workers.in_line(),
            if states.is_empty() {
                "none".to_owned()
            } else {
                states.join(", ")
            }
        )
    }
}

/// The next run that ends; never, while there is none.
async fn next_ended(workers: &mut Option<Workers>) -> Option<crate::engine::report::PassEntry> {
    match workers {
        Some(workers) if workers.in_hand() > 0 => workers.next_ended().await,
        _ => None,
    }
}
