//! `runs list` and `runs show`: what was due, what was done, and what happens next.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use entity::tenant_run;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::run_state::RunState;
use crate::engine::pass::report_of;
use crate::engine::report::TenantReport;
use crate::ids::TenantId;
use crate::store::{batches, clocks, runs, tenants};

use super::command_context::{CommandContext, require_tenant};
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format, instant_or_dash};

/// The rate of a running run is that of its last so many seconds.
const RATE_SECONDS_MAX: f64 = 60.0;

/// What every database takes for a LIMIT.
const LIMIT_MAX: u64 = i64::MAX as u64;

/// What happens next to a record of a month that has not come yet (S12).
const FUTURE: &str = "done when its month has come: its due instant lies in the future, so a \
     clock was wrong when it was made; until then it blocks nothing";

/// Verbs of `runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, newest month first
    List {
        /// Only runs of this tenant
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// Only runs in this state; may be given several times [default: all]
        #[arg(long = "state", value_name = "STATE", value_parser = state)]
        states: Vec<RunState>,
        /// List at most N runs; a line on stderr says if there are more
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
    },
    /// Show everything about one run
    Show {
        /// Id of the run, from `runs list`
        run: Uuid,
    },
}

/// A run as `runs show` and `runs list` print it.
#[derive(Serialize)]
struct RunDocument {
    #[serde(flatten)]
    report: TenantReport,
    due_at: DateTime<Utc>,
    /// Of the time-zone rules with which the cutoffs were calculated.
    tzdata_release: Option<String>,
    /// On which it was last claimed.
    server: Option<String>,
    /// S12: its due instant lies in the future by both clocks.
    due_in_future: bool,
    attempts: i32,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    duration_seconds: Option<f64>,
    /// Participants found at the last claim, and done before it; null if none were.
    participants_planned: Option<u64>,
    /// Participants anonymized or deleted.
    participants_done: u64,
    /// While it runs, over the last minute.
    participants_per_second: Option<f64>,
    /// While it runs, at that rate.
    seconds_left: Option<f64>,
    failure_class: Option<String>,
    failure_code: Option<String>,
    /// E14: of the rows that the database refused, where the last failure was that: the stage and id of
    /// the first, the constraint where the database names it, and how many there are.
    failure_stage: Option<String>,
    failure_row_id: Option<Uuid>,
    failure_constraint: Option<String>,
    failure_rows: Option<i64>,
    retry_at: Option<DateTime<Utc>>,
    next: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Vec<StageDocument>>,
}

#[derive(Serialize)]
struct StageDocument {
    stage: String,
    batches: i64,
    #[serde(flatten)]
    counts: BTreeMap<&'static str, u64>,
}

/// `runs`.
pub async fn runs(context: &CommandContext, command: RunsCommand) -> Result<Exit, Failure> {
    let config = context.config()?;
    let database = context.database(&config).await?;
    match command {
        RunsCommand::List {
            tenant,
            states,
            limit,
        } => {
            let transaction = database.begin_read("reading the runs").await?;
            let tenant = match tenant {
                Some(slug) => Some(TenantId(require_tenant(&transaction, &slug).await?.id)),
                None => None,
            };
            let slugs: HashMap<i64, String> = tenants::list(&transaction)
                .await?
                .into_iter()
                .map(|tenant| (tenant.id, tenant.slug))
                .collect();
            // One more than is shown tells whether there are more.
            let asked = limit.saturating_add(1).min(LIMIT_MAX);
            let mut listed = runs::list(&transaction, tenant, &states, asked).await?;
            let is_cut = listed.len() as u64 > limit;
            listed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let latest = context.latest(&transaction).await?;
            transaction.rollback().await?;
            let documents: Vec<RunDocument> = listed
                .iter()
                .filter_map(|run| {
                    let slug = slugs.get(&run.tenant_id).map_or("?", String::as_str);
                    document(slug, run, latest)
                })
                .collect();
            print_list(context.format, &documents, is_cut)?;
            if is_cut {
                say(&format!(
                    "only the newest {limit} runs are listed, and there are more; see --limit, --state \
                     and --tenant"
                ));
            }
        }
        RunsCommand::Show { run } => {
            let transaction = database.begin_read("reading a run").await?;
            let found = runs::find_by_id(&transaction, run).await?.ok_or_else(|| {
                Failure::usage(format_args!(
                    "there is no run {run}; see `retentiond runs list`"
                ))
            })?;
            let slug = tenants::list(&transaction)
                .await?
                .into_iter()
                .find(|tenant| tenant.id == found.tenant_id)
                .map_or_else(|| "?".to_owned(), |tenant| tenant.slug);
            let tenant = TenantId(found.tenant_id);
            let stages = batches::totals(&transaction, tenant, found.id).await?;
            let clocks = clocks::read(&transaction, &context.clock).await?;
            let latest = clocks.latest();
            let seconds = rate_seconds(clocks.database, found.started_at);
            let lately =
                batches::participants_within(&transaction, tenant, found.id, seconds).await?;
            transaction.rollback().await?;
            let mut shown = document(&slug, &found, latest).ok_or_else(|| {
                Failure::failed("the run's record holds a month or state that is not valid")
            })?;
            set_rate(&mut shown, lately, seconds);
            shown.stages = Some(
                stages
                    .into_iter()
                    .map(|stage| StageDocument {
                        stage: stage.stage,
                        batches: stage.batches,
                        counts: stage.counts.columns().into_iter().collect(),
                    })
                    .collect(),
            );
            match context.format {
                Format::Json => output::print_json(&shown)?,
                Format::Table => print_one(&shown)?,
            }
        }
    }
    database.close().await;
    Ok(Exit::Done)
}

fn state(name: &str) -> Result<RunState, String> {
    name.parse().map_err(|_| {
        let names = RunState::ALL.map(RunState::name).join(", ");
        format!("no state of a run; write one of {names}")
    })
}

/// `latest` is the later of the two clocks.
fn document(slug: &str, run: &tenant_run::Model, latest: DateTime<Utc>) -> Option<RunDocument> {
    let report = report_of(slug, run)?;
    // A run that was stopped keeps the instant in its record.
    let finished_at = run.finished_at.filter(|_| report.state.has_ended());
    let duration_seconds = run
        .started_at
        .zip(finished_at)
        .and_then(|(started, finished)| (finished - started).to_std().ok())
        .map(|duration| duration.as_secs_f64());
    let due_in_future = run.due_at > latest;
    Some(RunDocument {
        next: if due_in_future {
            FUTURE.to_owned()
        } else {
            next(&report, run)
        },
        due_in_future,
        participants_planned: planned(run),
        participants_done: report.anonymized + report.purged,
        participants_per_second: None,
        seconds_left: None,
        report,
        due_at: run.due_at,
        tzdata_release: run.tzdata_release.clone(),
        server: run.server.clone(),
        attempts: run.attempts,
        started_at: run.started_at,
        finished_at,
        duration_seconds,
        failure_class: run.failure_class.clone(),
        failure_code: run.failure_code.clone(),
        failure_stage: run.failure_stage.clone(),
        failure_row_id: run.failure_row_id,
        failure_constraint: run.failure_constraint.clone(),
        failure_rows: run.failure_rows,
        retry_at: run.retry_at,
        stages: None,
    })
}

fn rate_seconds(now: DateTime<Utc>, started_at: Option<DateTime<Utc>>) -> f64 {
    started_at
        .and_then(|started_at| (now - started_at).to_std().ok())
        .map_or(RATE_SECONDS_MAX, |running| running.as_secs_f64())
        .clamp(1.0, RATE_SECONDS_MAX)
}

fn planned(run: &tenant_run::Model) -> Option<u64> {
    let planned = run.anonymize_planned? + run.purge_planned?;
    u64::try_from(planned).ok()
}

/// Adds how fast a running run is, and how long it will take at that rate. Neither is known right
/// after a claim, nor of a run whose holder died.
fn set_rate(document: &mut RunDocument, participants_within: u64, seconds: f64) {
    if document.report.state != RunState::Running || participants_within == 0 {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = participants_within as f64 / seconds;
    document.participants_per_second = Some(rate);
    document.seconds_left = document.participants_planned.map(|planned| {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let left = planned.saturating_sub(document.participants_done) as f64;
        left / rate
    });
}

/// What will happen to the run next, for support staff.
fn next(report: &TenantReport, run: &tenant_run::Model) -> String {
    match report.state {
        RunState::Completed => "nothing: the month is done".to_owned(),
        RunState::Superseded => "nothing: a newer month covers it".to_owned(),
        RunState::NoPolicy => "each pass checks it again, until the next month is due".to_owned(),
        RunState::Pending => "the next pass continues it".to_owned(),
        RunState::Running => {
            "its holder continues it; if the holder died, the next pass after the lease expired \
             does"
                .to_owned()
        }
        RunState::Failed => format!(
            "`run` tries it again at once, the service from {} on, with the same cutoffs",
            instant_or_dash(run.retry_at)
        ),
    }
}

fn progress(run: &RunDocument) -> String {
    let Some(planned) = run.participants_planned else {
        return format!("{} participants", run.participants_done);
    };
    let done = format!("{} of {planned} participants", run.participants_done);
    match (run.participants_per_second, run.seconds_left) {
        (Some(rate), Some(left)) => format!("{done}, {rate:.0} a second, {left:.0} s left"),
        _ => done,
    }
}

/// E14: which rows the database refused, for the people who must remove what refers to them.
fn rows_refused(run: &RunDocument) -> String {
    let (Some(rows), Some(stage), Some(id)) =
        (run.failure_rows, &run.failure_stage, run.failure_row_id)
    else {
        return "-".to_owned();
    };
    let constraint = run.failure_constraint.as_ref();
    format!(
        "{rows}; the first, in stage {stage}: {id}, {}",
        constraint.map_or_else(
            || "by a constraint or trigger that the database does not name".to_owned(),
            |name| format!("by the constraint {name}")
        )
    )
}

fn state_text(run: &RunDocument) -> String {
    if run.due_in_future {
        format!("{} (due in the future)", run.report.state)
    } else {
        run.report.state.to_string()
    }
}

fn print_list(format: Format, documents: &[RunDocument], is_cut: bool) -> Result<(), Failure> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct List<'a> {
            runs: &'a [RunDocument],
            /// There are more than `--limit` let through.
            cut: bool,
        }
        return output::print_json(&List {
            runs: documents,
            cut: is_cut,
        });
    }
    let mut table = output::table(&[
        "run",
        "tenant",
        "month",
        "state",
        "anonymized",
        "deleted",
        "finished",
        "failure",
    ]);
    for run in documents {
        table.add_row([
            run.report
                .run_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            run.report.tenant.clone(),
            run.report.period.to_string(),
            state_text(run),
            run.report.anonymized.to_string(),
            run.report.purged.to_string(),
            instant_or_dash(run.finished_at),
            run.failure_class.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    output::print(&output::table_text(&table))
}

fn print_one(run: &RunDocument) -> Result<(), Failure> {
    let report = &run.report;
    let failure = match (&run.failure_class, &run.failure_code) {
        (Some(class), Some(code)) => format!("{class} (code {code})"),
        (Some(class), None) => class.clone(),
        _ => "-".to_owned(),
    };
    let facts = [
        (
            "run",
            report.run_id.map(|id| id.to_string()).unwrap_or_default(),
        ),
        ("tenant", report.tenant.clone()),
        ("month", report.period.to_string()),
        ("state", state_text(run)),
        ("due", output::instant(run.due_at)),
        (
            "policy version",
            report
                .policy_version
                .map_or_else(|| "-".to_owned(), |v| v.to_string()),
        ),
        ("anonymize before", instant_or_dash(report.anonymize_cutoff)),
        ("delete before", instant_or_dash(report.purge_cutoff)),
        (
            "by tzdata",
            run.tzdata_release.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        ("attempts", run.attempts.to_string()),
        (
            "server",
            run.server.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        ("started", instant_or_dash(run.started_at)),
        ("finished", instant_or_dash(run.finished_at)),
        (
            "took",
            run.duration_seconds
                .map_or_else(|| "-".to_owned(), |s| format!("{s:.2} s")),
        ),
        ("progress", progress(run)),
        ("undated", run.report.undated.to_string()),
        ("last failure", failure),
        ("rows refused", rows_refused(run)),
        ("next", run.next.clone()),
    ];
    output::print(&output::facts(&facts))?;
    let names = Counts::default().columns();
    let mut headings = vec!["stage", "batches"];
    headings.extend(names.iter().map(|(name, _)| *name));
    let mut table = output::table(&headings);
    for stage in run.stages.iter().flatten() {
        let mut cells = vec![stage.stage.clone(), stage.batches.to_string()];
        cells.extend(names.iter().map(|(name, _)| stage.counts[name].to_string()));
        table.add_row(cells);
    }
    output::print(&format!("\n{}", output::table_text(&table)))
}
