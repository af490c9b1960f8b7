//! The loop: one round for each wake-up, signal, finished task and second.
//!
//! The loop never waits for the database: what does is a task of its own, or a worker.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::SharedClock;
use crate::config::{Config, ConfigError, HttpConfig, LogFormat};
use crate::domain::record::Fault;
use crate::engine::open::OpenError;
use crate::engine::report::Outcome;
use crate::ids::SharedIds;
use crate::telemetry::logs::{self, LogLevelSetter};
use crate::telemetry::metrics::{self, Scrape};
use crate::tzdata::{Snapshot, Tzdata};

use super::audit::{self, Audited};
use super::health::Health;
use super::signals::{SignalRequest, Signals};
use super::supervisor::supervise;
use super::ticks::{self, Timetable};
use super::wakeup::{Source, WakeupSender};
use super::workers::Workers;
use super::{http, notify, probe};

use tasks::{BackgroundTask, Opening, OpeningUnderWay, Reconciling};
use window::Closed;

mod opening;
mod reconciling;
mod rules;
mod stopping;
mod tasks;
mod window;

/// How often the loop turns when nothing happens.
const PULSE: Duration = Duration::from_secs(1);

/// A difference between wall clock and monotonic clock, from one pulse to the next, that is a jump
/// and no correction.
const CLOCK_JUMP: TimeDelta = TimeDelta::seconds(2);

/// What the service is given.
pub struct ServiceDependencies {
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
    /// Reads the rules of time zones.
    pub tzdata: Tzdata,
}

/// Why the service ended otherwise than on request.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Something that no retry mends.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Batches took longer than they were given to finish.
    #[error(
        "current batches did not end within [shutdown] grace_period; they were broken off and \
         rolled back, and the next process continues the runs"
    )]
    GracePeriod,
    /// The listener of metrics and health cannot be used.
    #[error("cannot use the listener of [http] listen: {}", .0.kind())]
    Listener(io::Error),
    /// The process cannot listen to signals.
    #[error("cannot listen to signals: {}", .0.kind())]
    Signals(io::Error),
}

/// Serves until somebody asks to stop.
///
/// # Errors
///
/// See [`ServeError`].
pub async fn serve(parts: ServiceDependencies) -> Result<(), ServeError> {
    let signals = Signals::listen().map_err(ServeError::Signals)?;
    let health = Arc::new(Health::new());
    let end = CancellationToken::new();
    // As the standard library's, for it can be shared by a task and the one that replaces it.
    let listener = parts.listener.into_std().map_err(ServeError::Listener)?;
    let listener = {
        let (scrape, health, end) = (parts.scrape.clone(), Arc::clone(&health), end.clone());
        supervise("http", move || {
            let listener = listener.try_clone();
            http::listen(listener, scrape.clone(), Arc::clone(&health), end.clone())
        })
    };
    let (wakeups, rings) = WakeupSender::new();
    let (timetable, timetables) = watch::channel(Timetable::default());
    let _ticks = {
        let wakeups = wakeups.clone();
        supervise("ticks", move || {
            ticks::keep(timetables.clone(), wakeups.clone())
        })
    };
    let (audited, audits) = watch::channel(None);
    let _audit = supervise("audit", move || audit::run(audits.clone()));
    let now = Instant::now();
    let daemon = Daemon {
        wall: parts.clock.now(),
        monotonic: now,
        sweep_at: now + parts.config.schedule.sweep_interval,
        started_with: (parts.config.http.clone(), parts.config.log.format),
        config: parts.config,
        reread: parts.reread,
        scrape: parts.scrape,
        log_level: parts.log_level,
        clock: parts.clock,
        ids: parts.ids,
        rules: parts.tzdata.newest(),
        tzdata: parts.tzdata,
        health,
        wakeups,
        timetable,
        audited,
        workers: None,
        probe: None,
        tasks: JoinSet::new(),
        opening: None,
        reopen_at: None,
        pauses: probe::pauses(),
        stop_pauses: probe::pauses(),
        reconciling: None,
        reconcile_again: None,
        reconciled_at: None,
        timer_at: None,
        refresh_at: None,
        closed: None,
        clean_up_at: None,
        cleaning: None,
        // What an earlier process erased may still stand in the log.
        erasures: 1,
        erasures_cleaned_up: 0,
        pulses: 0,
        status: String::new(),
        has_progressed: false,
        blocked_by_gap: 0,
        record_faults: BTreeMap::new(),
    };
    let outcome = daemon.run(rings, signals).await;
    // Kept until now, so that probes see a service that is stopping and not one that is gone.
    end.cancel();
    let _ = tokio::time::timeout(PULSE, listener).await;
    outcome
}

type Pauses = Box<dyn Iterator<Item = Duration> + Send>;

/// The state of the loop.
struct Daemon {
    // Dependencies.
    config: Config,
    /// What a reload does not reach.
    started_with: (HttpConfig, Option<LogFormat>),
    reread: Box<dyn Fn() -> Result<Config, ConfigError> + Send>,
    scrape: Scrape,
    log_level: LogLevelSetter,
    clock: SharedClock,
    ids: SharedIds,
    tzdata: Tzdata,
    /// The rules that the last good look went by.
    rules: Arc<Snapshot>,
    health: Arc<Health>,
    wakeups: WakeupSender,
    timetable: watch::Sender<Timetable>,
    audited: watch::Sender<Option<Audited>>,

    // Work.
    /// Unset until the database has been opened for the first time.
    workers: Option<Workers>,
    probe: Option<AbortOnDropHandle<()>>,
    tasks: JoinSet<BackgroundTask>,
    opening: Option<OpeningUnderWay>,
    reopen_at: Option<Instant>,
    /// While the database cannot be opened or looked at; anew after a good look.
    pauses: Pauses,
    /// While something is wrong for everybody although looks are good, as on a full disk; anew after
    /// a run that is done.
    stop_pauses: Pauses,
    reconciling: Option<Reconciling>,
    /// A look that was wanted meanwhile; the inner one is its cause.
    reconcile_again: Option<Option<Source>>,
    /// When the last look ended.
    reconciled_at: Option<Instant>,
    sweep_at: Instant,
    timer_at: Option<Instant>,
    /// When to look again only because runs have ended since the last look.
    refresh_at: Option<Instant>,
    /// Set while `engine.window` is closed.
    closed: Option<Closed>,

    // SQLite's write-ahead log.
    cleaning: Option<AbortHandle>,
    /// When to try again to empty it.
    clean_up_at: Option<Instant>,
    /// Runs that may have erased something since the start.
    erasures: u64,
    /// How many of them the last successful emptying came after.
    erasures_cleaned_up: u64,

    // What the last pulse saw.
    wall: DateTime<Utc>,
    monotonic: Instant,
    pulses: u64,
    status: String,
    has_progressed: bool,
    /// How many runs waited for somebody to confirm them, at the last look (S13).
    blocked_by_gap: usize,
    /// S14: what was wrong with records at the last look.
    record_faults: BTreeMap<Fault, u64>,
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
            tzdata_release = %self.rules.release(),
            tzdata_source = %self.rules.source(),
            listen = %self.config.http.listen,
            configuration_file = self.config.whole_file().map(|file| file.display().to_string()),
            workers = self.config.engine.workers,
            sweep_interval_seconds = self.config.schedule.sweep_interval.as_secs_f64(),
            "service started"
        );
        self.config.log_warnings();
        self.tell_of_rules();
        self.status = self.describe();
        notify::ready(&self.status);
        self.open(Opening::Start, self.config.clone());
        let mut pulse = self.pulse();
        loop {
            let next_reconcile_at = self.next_reconcile_at();
            tokio::select! {
                _ = pulse.tick() => self.on_pulse(),
                () = sleep_until(next_reconcile_at) => self.on_time(),
                Some(source) = rings.recv() => self.begin_reconcile(Some(source)),
                Some(done) = self.tasks.join_next_with_id() => self.on_task(done)?,
                Some(outcome) = next_ended(&mut self.workers) => self.on_ended(&outcome),
                asked = signals.next() => match asked {
                    SignalRequest::Reload => self.reload(),
                    SignalRequest::Stop => break,
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
        logs::tell_dropped();
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
            self.begin_reconcile(Some(Source::Clock));
        }
        self.keep_to_window();
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
        self.reconciling
            .as_ref()
            .is_some_and(|reconciling| reconciling.since.elapsed() > limit)
    }

    fn next_reconcile_at(&self) -> Instant {
        [
            self.timer_at,
            self.refresh_at,
            self.clean_up_at,
            self.reopen_at,
        ]
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
            self.begin_reconcile(Some(Source::Timer));
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = None;
            self.begin_reconcile(None);
        }
        if self.clean_up_at.is_some_and(|at| at <= now) {
            self.clean_up_at = None;
            self.clean_up_if_idle();
        }
        if self.sweep_at <= now {
            self.sweep_at = now + self.config.schedule.sweep_interval;
            self.begin_reconcile(Some(Source::Sweep));
        }
    }

    fn next_pause(&mut self) -> Duration {
        self.pauses
            .next()
            .unwrap_or(self.config.schedule.sweep_interval)
    }

    /// What the service is doing, in a line.
    fn describe(&self) -> String {
        let Some(workers) = &self.workers else {
            return "waiting for the database".to_owned();
        };
        if !self.health.is_ready() {
            return "not ready: see the log, or /readyz".to_owned();
        }
        let states: Vec<String> = metrics::tenants_by_state()
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        format!(
            "{} held runs, {} waiting{}; tenants: {}",
            workers.in_hand(),
            workers.in_line(),
            if self.closed.is_some() {
                ", outside of the window"
            } else {
                ""
            },
            if states.is_empty() {
                "none".to_owned()
            } else {
                states.join(", ")
            }
        )
    }
}

/// The next run that ends; never, while there is none.
async fn next_ended(workers: &mut Option<Workers>) -> Option<Outcome> {
    match workers {
        Some(workers) if workers.in_hand() > 0 => workers.next_ended().await,
        _ => None,
    }
}
