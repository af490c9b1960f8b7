//! What a scrape shows: every series by name, type, unit and meaning, and the verbs by which the
//! other rooms record what they did.
//!
//! Without [`install`] (every command but `serve`) the verbs do nothing. A counter exists only once
//! it is registered, so every series is registered with 0 before the first scrape. No series has a
//! tenant in its labels: their number must not grow with the number of customers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::domain::counts::Counts;
use crate::domain::run_state::RunState;
use crate::domain::zone::Release;

use super::logs;

mod build_info;
mod lasting;
mod tenants;

use build_info::BuildInfo;
pub use lasting::{Left, Pause};
pub use tenants::{InProgress, tenant_ended, tenants_by_state, tenants_looked_at};

const RUN_LAST_SUCCESS: &str = "retention_run_last_success_timestamp_seconds";
const RUN_LAST_COMPLETION: &str = "retention_run_last_completion_timestamp_seconds";
const RUN_DUE: &str = "retention_run_due_timestamp_seconds";
const RUN_IN_PROGRESS: &str = "retention_run_in_progress";
const RUN_LAST_PROGRESS: &str = "retention_run_last_progress_timestamp_seconds";
const RUN_PARTICIPANTS_LEFT: &str = "retention_run_participants_left";
const TENANT_RUNS: &str = "retention_tenant_runs";
const PARTICIPANTS_ANONYMIZED: &str = "retention_participants_anonymized_total";
const PARTICIPANTS_PURGED: &str = "retention_participants_purged_total";
const ROWS_PURGED: &str = "retention_rows_purged_total";
const SUPPRESSIONS_RECORDED: &str = "retention_suppressions_recorded_total";
const BATCH_DURATION: &str = "retention_batch_duration_seconds";
const BATCH_ROWS: &str = "retention_batch_rows";
const BATCH_RETRIES: &str = "retention_batch_retries_total";
const THROTTLE_PAUSE: &str = "retention_throttle_pause_seconds";
const RUNS_PAUSED: &str = "retention_runs_paused";
const RUNS_BLOCKED: &str = "retention_runs_blocked";
const LIMITS_UNMEASURED: &str = "retention_limits_unmeasured";
const ERRORS: &str = "retention_errors_total";
const OVERDUE_PARTICIPANTS: &str = "retention_overdue_participants";
const UNDATED_PARTICIPANTS: &str = "retention_undated_participants";
const QUEUED_FOR_UNSUBSCRIBED: &str = "retention_queued_for_unsubscribed_invitations";
const RECORD_FAULTS: &str = "retention_record_faults";
const ORPHAN_ROWS: &str = "retention_orphan_rows";
const LEASE_LOST: &str = "retention_lease_lost_total";
const CLOCK_SKEW: &str = "retention_clock_skew_seconds";
const SCHEDULER_WAKEUPS: &str = "retention_scheduler_wakeups_total";
const LAST_LOOK: &str = "retention_last_look_timestamp_seconds";
const READY: &str = "retention_ready";
const LOG_LINES_DROPPED: &str = "retention_log_lines_dropped_total";

/// From one round trip to what a statement may take before it is cut off.
const BATCH_DURATION_BUCKETS_SECONDS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// From what a timer can tell to a day outside of the window.
const THROTTLE_PAUSE_BUCKETS_SECONDS: [f64; 12] = [
    0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0, 3600.0, 86_400.0,
];

/// From a single row to the largest `engine.batch_rows`.
const BATCH_ROWS_BUCKETS: [f64; 11] = [
    1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0, 10_000.0,
];

/// The values that labels may have; rooms above this one know them.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Stages that work in batches.
    pub stages: &'a [&'static str],
    /// Stages that work on participants.
    pub participant_stages: &'a [&'static str],
    /// Classes of errors.
    pub error_classes: &'a [&'static str],
    /// Classes of errors after which a batch is tried again.
    pub retry_reasons: &'a [&'static str],
    /// Why a worker pauses between two batches.
    pub throttle_reasons: &'a [&'static str],
    /// Those of them that something has to be measured for.
    pub measured_reasons: &'a [&'static str],
    /// What keeps a run from being claimed until somebody sees to it.
    pub block_reasons: &'a [&'static str],
    /// What can be wrong with a run's record, as far as a look sees it.
    pub record_faults: &'a [&'static str],
    /// What wakes the scheduler up.
    pub wakeup_sources: &'a [&'static str],
}

/// What a scrape is rendered from.
#[derive(Clone)]
pub struct Scrape {
    handle: PrometheusHandle,
    process: Collector,
    build_info: BuildInfo,
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Scrape {
    /// The text of a scrape, in the exposition format 0.0.4. Reads `/proc`, and no database.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.collect();
        counter!(LOG_LINES_DROPPED).absolute(logs::lines_dropped());
        self.build_info.render() + &self.handle.render()
    }

    /// Shows which time-zone rules are in use.
    pub fn set_tzdata(&self, release: &Release, source: &'static str) {
        self.build_info.set_tzdata(release, source);
    }

    /// Drains what histograms have gathered; to be called every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Starts recording, for the whole process, with every series there is.
///
/// # Errors
///
/// If it was started before.
pub fn install(labels: &Labels<'_>) -> Result<Scrape, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full(BATCH_DURATION.to_owned()),
            &BATCH_DURATION_BUCKETS_SECONDS,
        )?
        .set_buckets_for_metric(
            Matcher::Full(THROTTLE_PAUSE.to_owned()),
            &THROTTLE_PAUSE_BUCKETS_SECONDS,
        )?
        .set_buckets_for_metric(Matcher::Full(BATCH_ROWS.to_owned()), &BATCH_ROWS_BUCKETS)?
        .install_recorder()?;
    let process = Collector::default();
    process.describe();
    describe();
    register(labels);
    Ok(Scrape {
        handle,
        process,
        build_info: BuildInfo::new(),
    })
}

fn describe() {
    describe_gauge!(
        RUN_LAST_SUCCESS,
        Unit::Seconds,
        "When the newest month that was completed for every tenant was finished, as Unix time; 0 \
         = never."
    );
    describe_gauge!(
        RUN_LAST_COMPLETION,
        Unit::Seconds,
        "When a tenant-run last ended, completed or failed, as Unix time; 0 = never."
    );
    describe_gauge!(
        RUN_DUE,
        Unit::Seconds,
        "The earliest due instant of all tenant-runs still owed; if none is, the latest of all, as Unix time; 0 = no tenants."
    );
    describe_gauge!(
        RUN_IN_PROGRESS,
        Unit::Count,
        "Tenant-runs that this process works on."
    );
    describe_gauge!(
        RUN_LAST_PROGRESS,
        Unit::Seconds,
        "When a run was last claimed, or a batch or stage of one ended, as Unix time; 0 = never."
    );
    describe_gauge!(
        RUN_PARTICIPANTS_LEFT,
        Unit::Count,
        "Participants that the tenant-runs that this process works on have left, by stage, of those that were counted at the claim."
    );
    describe_gauge!(
        TENANT_RUNS,
        Unit::Count,
        "Tenants by the state of their newest due month's run."
    );
    describe_counter!(
        PARTICIPANTS_ANONYMIZED,
        Unit::Count,
        "Participants anonymized by this process."
    );
    describe_counter!(
        PARTICIPANTS_PURGED,
        Unit::Count,
        "Participants deleted by this process."
    );
    describe_counter!(
        ROWS_PURGED,
        Unit::Count,
        "Rows deleted, by table, by this process."
    );
    describe_counter!(
        SUPPRESSIONS_RECORDED,
        Unit::Count,
        "Hashes of unsubscribed addresses that were new, by this process."
    );
    describe_histogram!(
        BATCH_DURATION,
        Unit::Seconds,
        "How long a batch took from BEGIN to the reply to COMMIT, retries included, in seconds."
    );
    describe_histogram!(
        BATCH_ROWS,
        Unit::Count,
        "Participants (stage uploads: uploads) in a batch."
    );
    describe_counter!(
        BATCH_RETRIES,
        Unit::Count,
        "Batches that were tried again, by the class of the error before."
    );
    describe_histogram!(
        THROTTLE_PAUSE,
        Unit::Seconds,
        "How long a worker paused although there was work, in seconds, by reason."
    );
    describe_gauge!(
        RUNS_PAUSED,
        Unit::Count,
        "Tenant-runs that pause now because of a limit or the window, by reason."
    );
    describe_gauge!(
        RUNS_BLOCKED,
        Unit::Count,
        "Owed tenant-runs that are not begun until a person acts, by reason."
    );
    describe_gauge!(
        LIMITS_UNMEASURED,
        Unit::Count,
        "What could not be measured the last time (for replica_lag: replicas), by the limit that \
         runs ignore."
    );
    describe_counter!(
        ERRORS,
        Unit::Count,
        "Failed tenant-runs, reconciliations and recounts of overdue participants, by class of \
         the error."
    );
    describe_gauge!(
        OVERDUE_PARTICIPANTS,
        Unit::Count,
        "Participants that still exist although the completed run of their tenant's newest due \
         month should have erased them, by stage."
    );
    describe_gauge!(
        LAST_LOOK,
        Unit::Seconds,
        "When this process last read what is owed, with success."
    );
    describe_gauge!(
        UNDATED_PARTICIPANTS,
        Unit::Count,
        "Participants without a real date in added_at, whom no run ever erases, of tenants whose \
         newest due month is completed."
    );
    describe_gauge!(
        QUEUED_FOR_UNSUBSCRIBED,
        Unit::Count,
        "Invitations still queued for people who unsubscribed, of tenants whose newest due month \
         is completed."
    );
    describe_gauge!(
        RECORD_FAULTS,
        Unit::Count,
        "Records of tenant-runs that cannot be true, of the newest due month and later ones, by \
         fault."
    );
    describe_gauge!(
        ORPHAN_ROWS,
        Unit::Count,
        "Rows of the child tables without their participant, as the newest run of each tenant last counted them."
    );
    describe_counter!(
        LEASE_LOST,
        Unit::Count,
        "Runs that another process took over while this one worked on them."
    );
    describe_gauge!(
        CLOCK_SKEW,
        Unit::Seconds,
        "Host's clock minus database's clock, in seconds."
    );
    describe_counter!(SCHEDULER_WAKEUPS, Unit::Count, "Reconciliations, by cause.");
    describe_counter!(
        LOG_LINES_DROPPED,
        Unit::Count,
        "Lines of the log that were dropped because stderr was not read."
    );
    describe_gauge!(READY, "1 if /readyz answers 200, else 0.");
}

fn register(labels: &Labels<'_>) {
    for name in [
        RUN_LAST_SUCCESS,
        RUN_LAST_COMPLETION,
        RUN_DUE,
        RUN_IN_PROGRESS,
        RUN_LAST_PROGRESS,
        CLOCK_SKEW,
        READY,
    ] {
        gauge!(name).set(0.0);
    }
    for name in [
        PARTICIPANTS_ANONYMIZED,
        PARTICIPANTS_PURGED,
        SUPPRESSIONS_RECORDED,
        LEASE_LOST,
        LOG_LINES_DROPPED,
    ] {
        counter!(name).absolute(0);
    }
    for state in RunState::ALL {
        gauge!(TENANT_RUNS, "state" => state.name()).set(0.0);
    }
    for table in Counts::default().rows_purged().into_keys() {
        counter!(ROWS_PURGED, "table" => table).absolute(0);
    }
    for stage in labels.stages {
        // Touching a histogram registers it; there is nothing to record yet.
        let _ = histogram!(BATCH_DURATION, "stage" => *stage);
        let _ = histogram!(BATCH_ROWS, "stage" => *stage);
    }
    for stage in labels.participant_stages {
        gauge!(OVERDUE_PARTICIPANTS, "stage" => *stage).set(0.0);
        gauge!(RUN_PARTICIPANTS_LEFT, "stage" => *stage).set(0.0);
    }
    gauge!(UNDATED_PARTICIPANTS).set(0.0);
    gauge!(QUEUED_FOR_UNSUBSCRIBED).set(0.0);
    for fault in labels.record_faults {
        gauge!(RECORD_FAULTS, "fault" => *fault).set(0.0);
    }
    gauge!(ORPHAN_ROWS).set(0.0);
    gauge!(LAST_LOOK).set(0.0);
    for reason in labels.throttle_reasons {
        let _ = histogram!(THROTTLE_PAUSE, "reason" => *reason);
        gauge!(RUNS_PAUSED, "reason" => *reason).set(0.0);
    }
    for reason in labels.block_reasons {
        gauge!(RUNS_BLOCKED, "reason" => *reason).set(0.0);
    }
    for reason in labels.measured_reasons {
        gauge!(LIMITS_UNMEASURED, "reason" => *reason).set(0.0);
    }
    for reason in labels.retry_reasons {
        counter!(BATCH_RETRIES, "reason" => *reason).absolute(0);
    }
    for class in labels.error_classes {
        counter!(ERRORS, "class" => *class).absolute(0);
    }
    for source in labels.wakeup_sources {
        counter!(SCHEDULER_WAKEUPS, "source" => *source).absolute(0);
    }
}

/// A batch was committed.
pub fn batch_committed(stage: &'static str, rows: u64, duration: Duration, counts: &Counts) {
    histogram!(BATCH_DURATION, "stage" => stage).record(duration.as_secs_f64());
    histogram!(BATCH_ROWS, "stage" => stage).record(exact(rows));
    counter!(PARTICIPANTS_ANONYMIZED).increment(counts.anonymized);
    counter!(PARTICIPANTS_PURGED).increment(counts.purged);
    counter!(SUPPRESSIONS_RECORDED).increment(counts.suppressions);
    for (table, rows) in counts.rows_purged() {
        counter!(ROWS_PURGED, "table" => table).increment(rows);
    }
}

/// A batch met an error and is tried again.
pub fn batch_retried(reason: &'static str) {
    counter!(BATCH_RETRIES, "reason" => reason).increment(1);
}

/// A worker paused after a batch, for `reason`.
pub fn throttled(reason: &'static str, pause: Duration) {
    if !pause.is_zero() {
        histogram!(THROTTLE_PAUSE, "reason" => reason).record(pause.as_secs_f64());
    }
}

/// So many tenant-runs are owed and wait, for `reason`.
pub fn withheld(reason: &'static str, runs: usize) {
    gauge!(RUNS_PAUSED, "reason" => reason).set(exact(runs as u64));
}

/// So many tenant-runs are owed and are not begun until somebody sees to it, for `reason`.
pub fn blocked(reason: &'static str, runs: usize) {
    gauge!(RUNS_BLOCKED, "reason" => reason).set(exact(runs as u64));
}

/// So much of what a limit needs could not be measured.
pub fn unmeasured(reason: &'static str, count: usize) {
    gauge!(LIMITS_UNMEASURED, "reason" => reason).set(exact(count as u64));
}

/// A tenant-run, a look at what is owed or a recount failed, or a defect ended a task.
pub fn failed(class: &'static str) {
    counter!(ERRORS, "class" => class).increment(1);
}

/// Another process took a run over that was ours.
pub fn lease_lost() {
    counter!(LEASE_LOST).increment(1);
}

/// A run was claimed, or a batch or stage of one ended.
pub fn progressed(now: DateTime<Utc>) {
    gauge!(RUN_LAST_PROGRESS).set(unix_seconds(now));
}

/// A look at what is owed succeeded.
pub fn looked(now: DateTime<Utc>) {
    gauge!(LAST_LOOK).set(unix_seconds(now));
}

/// The scheduler looked at what is owed.
pub fn woke_up(source: &'static str) {
    counter!(SCHEDULER_WAKEUPS, "source" => source).increment(1);
}

/// Host's clock minus database's.
pub fn clock_skew(skew: chrono::TimeDelta) {
    // Microseconds, exact up to 285 years.
    let microseconds = skew.num_microseconds().unwrap_or(i64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(CLOCK_SKEW).set(microseconds as f64 / 1e6);
}

/// What `/readyz` says.
pub fn ready(ready: bool) {
    gauge!(READY).set(f64::from(u8::from(ready)));
}

/// When runs were due and ended, as the database has it.
#[derive(Clone, Debug, Default)]
pub struct DueGauges {
    /// See the series.
    pub due_at: Option<DateTime<Utc>>,
    /// See the series.
    pub last_success: Option<DateTime<Utc>>,
    /// See the series.
    pub last_completion: Option<DateTime<Utc>>,
    /// See the series.
    pub orphans: u64,
}

/// Shows when runs were due and ended.
pub fn due_gauges(gauges: &DueGauges) {
    gauge!(ORPHAN_ROWS).set(exact(gauges.orphans));
    for (name, instant) in [
        (RUN_DUE, gauges.due_at),
        (RUN_LAST_SUCCESS, gauges.last_success),
        (RUN_LAST_COMPLETION, gauges.last_completion),
    ] {
        gauge!(name).set(instant.map_or(0.0, unix_seconds));
    }
}

/// Participants that are overdue, by stage.
pub fn overdue(stage: &'static str, participants: u64) {
    gauge!(OVERDUE_PARTICIPANTS, "stage" => stage).set(exact(participants));
}

/// Participants without a real date.
pub fn undated(participants: u64) {
    gauge!(UNDATED_PARTICIPANTS).set(exact(participants));
}

/// Invitations that are still queued for people who unsubscribed.
pub fn queued_for_unsubscribed(invitations: u64) {
    gauge!(QUEUED_FOR_UNSUBSCRIBED).set(exact(invitations));
}

/// So many records of tenant-runs have that fault.
pub fn record_faults(fault: &'static str, records: u64) {
    gauge!(RECORD_FAULTS, "fault" => fault).set(exact(records));
}

fn unix_seconds(instant: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let microseconds = instant.timestamp_micros() as f64;
    microseconds / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}
