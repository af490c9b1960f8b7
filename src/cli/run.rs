//! `run` and `plan`: what is owed, done or only counted.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::domain::period::Period;
use crate::engine::due::Scope;
use crate::engine::plan::PlanEntry;
use crate::engine::report::{Outcome, PassEntry, TenantReport};
use crate::engine::{Engine, EngineError, pass, plan, reclaim};
use crate::telemetry::{logs, stderr};

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::{self, Format, say};
use super::progress;

/// Tenants and month.
#[derive(Debug, Args)]
pub struct ScopeArguments {
    /// Only this tenant; may be given several times [default: all]
    #[arg(long = "tenant", value_name = "SLUG")]
    tenants: Vec<String>,

    /// Only this month, written 2024-04 [default: the newest that is due]
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<Period>,
}

impl ScopeArguments {
    /// As the engine knows it.
    pub(super) fn scope(self) -> Scope {
        Scope {
            tenants: self.tenants,
            period: self.period,
        }
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "If a tenant's newest due month is completed, nothing changes: you may run this \
    twice. --period runs that month with its own policy version and cutoffs, unless a newer month \
    has completed. A run that comes more than [safety] gap_max after the last one is refused \
    (exit code 4) until --after-gap confirms it. Check the date and `retentiond plan` first: a \
    wrong clock looks the same. The command does not wait for a run that another process holds \
    (exit code 5). [engine] window is for `serve`: this command works at any time of day."
)]
pub struct RunArguments {
    #[command(flatten)]
    scope: ScopeArguments,

    /// Confirm runs that come more than [safety] gap_max after the last one: the date is right, and
    /// nothing ran meanwhile
    #[arg(long)]
    after_gap: bool,
}

/// `run`. Its log is the only thing on stderr, so that a line there is always an event.
pub async fn run(context: &CommandContext, arguments: RunArguments) -> Result<Exit, Failure> {
    let config = context.config_to_log().map_err(refused)?;
    // Only the first call counts, and this is the only one.
    let _ = logs::init(&config.log);
    config.log_warnings();
    run_logged(context, &config, arguments)
        .await
        .map_err(refused)
}

fn refused(Failure { exit, sentence }: Failure) -> Failure {
    tracing::error!(event = "run_refused", exit_code = exit as u8, "{sentence}");
    Failure::new(exit, "")
}

async fn run_logged(
    context: &CommandContext,
    config: &Config,
    arguments: RunArguments,
) -> Result<Exit, Failure> {
    let mut engine = context.engine(config).await?;
    changed::log(config, engine.database.server());
    context.tzdata.newest().warn(context.now()?);
    engine.is_gap_confirmed = arguments.after_gap;
    stop_on_signal(&engine);
    let scope = arguments.scope.scope();
    let work = pass::run(&engine, &scope);
    let entries = progress::shown(&engine, "running", work).await??;
    let mut exit = entries.iter().map(exit_of).fold(Exit::Done, Exit::or);
    let all_failed = entries
        .iter()
        .all(|entry| matches!(entry.outcome, Outcome::Failed { .. }));
    if exit == Exit::Partly && all_failed {
        exit = Exit::Failed;
    }
    // Also when there was nothing left to do: an earlier run may have been killed before it came
    // here, or found a lock in its way.
    // Reclaiming may take hours, and somebody who asks to stop does not wait for that.
    let cleaned_up = if engine.stop.is_cancelled() {
        reclaim::empty_write_ahead_log(&engine).await
    } else {
        reclaim::clean_up(&engine).await
    };
    if cleaned_up.is_err() {
        exit = exit.or(Exit::Partly);
    }
    match context.format {
        Format::Json => changed::print_json(config, &RunDocument { tenants: &entries })?,
        Format::Table => print_pass(&entries)?,
    }
    engine.database.close().await;
    Ok(exit)
}

#[derive(Serialize)]
struct RunDocument<'a> {
    tenants: &'a [PassEntry],
}

fn exit_of(entry: &PassEntry) -> Exit {
    match entry.outcome {
        Outcome::Done | Outcome::AlreadyCompleted | Outcome::NoPolicy | Outcome::Superseded => {
            Exit::Done
        }
        Outcome::Held => Exit::Held,
        Outcome::Refused { .. } => Exit::Refused,
        Outcome::Failed { .. } | Outcome::Stopped => Exit::Partly,
    }
}

fn print_pass(entries: &[PassEntry]) -> Result<(), Failure> {
    let mut table = report_table(&["outcome", "seconds"]);
    for entry in entries {
        let mut cells = report_cells(&entry.report);
        cells.push(outcome_name(&entry.outcome).to_owned());
        cells.push(format!("{:.2}", entry.duration_seconds));
        table.add_row(cells);
    }
    output::print(&output::table_text(&table))
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::AlreadyCompleted => "already completed",
        Outcome::NoPolicy => "no policy",
        Outcome::Held => "held by another process",
        Outcome::Superseded => "superseded",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed { .. } => "failed",
        Outcome::Stopped => "stopped",
    }
}

/// `plan`.
pub async fn plan(context: &CommandContext, arguments: ScopeArguments) -> Result<Exit, Failure> {
    let config = context.config()?;
    let engine = context.reading_engine(&config).await?;
    let scope = arguments.scope();
    let work = plan::plan(&engine, &scope);
    let entries = progress::shown(&engine, "planning", work).await??;
    let mut exit = Exit::Done;
    let mut reports = Vec::with_capacity(entries.len());
    let failed = entries.iter().filter(|entry| entry.report.is_err()).count();
    for PlanEntry {
        candidate,
        report,
        refused,
        anonymized_alone,
    } in &entries
    {
        if let Some(refused) = refused {
            say(&format!("error: {refused}"));
            exit = exit.or(Exit::Refused);
        }
        match report {
            Ok(report) => reports.push(PlannedTenant {
                report,
                anonymized_alone: *anonymized_alone,
            }),
            Err(error) => {
                say(&format!("error: {}: {error}", candidate.slug));
                exit = exit.or(match error {
                    error if error.is_of_the_clock() => Exit::Refused,
                    EngineError::Unmet(_) => Exit::Refused,
                    _ if failed == entries.len() => Exit::Failed,
                    _ => Exit::Partly,
                });
            }
        }
    }
    match context.format {
        Format::Json => {
            let alone = reports.iter();
            let alone = alone.map(|plan| (plan.report.tenant.as_str(), plan.anonymized_alone));
            output::print_json(&PlanDocument {
                tenants: reports.iter().map(|plan| plan.report).collect(),
                anonymized_alone: alone.collect(),
            })?;
        }
        Format::Table => {
            let mut table = report_table(&["alone"]);
            for planned in reports {
                let mut cells = report_cells(planned.report);
                cells.push(planned.anonymized_alone.to_string());
                table.add_row(cells);
            }
            output::print(&output::table_text(&table))?;
        }
    }
    engine.database.close().await;
    Ok(exit)
}

#[derive(Serialize)]
struct PlanDocument<'a> {
    tenants: Vec<&'a TenantReport>,
    /// By slug: beside the reports, whose keys are those of a run's.
    anonymized_alone: BTreeMap<&'a str, u64>,
}

/// A tenant's share of a plan: what its run will report, and what only a plan counts.
struct PlannedTenant<'a> {
    report: &'a TenantReport,
    anonymized_alone: u64,
}

/// The columns that `run` and `plan` share.
fn report_table(more: &[&str]) -> output::Table {
    let mut headings = vec![
        "tenant",
        "month",
        "state",
        "policy",
        "anonymize before",
        "delete before",
        "anonymized",
        "deleted",
        "rows deleted",
        "hashes",
        "unhashable",
        "called off",
        "uploads",
        "undated",
    ];
    headings.extend(more);
    output::table(&headings)
}

fn report_cells(report: &TenantReport) -> Vec<String> {
    let rows: u64 = report.rows_purged.values().sum();
    let count = |count: u64| match report.counts_unknown {
        true => "?".to_owned(),
        false => count.to_string(),
    };
    vec![
        report.tenant.clone(),
        report.period.to_string(),
        match report.blocked_by {
            Some(reason) => format!("{} (blocked: {reason})", report.state),
            None => report.state.to_string(),
        },
        report
            .policy_version
            .map_or_else(|| "-".to_owned(), |version| format!("v{version}")),
        output::instant_or_dash(report.anonymize_cutoff),
        output::instant_or_dash(report.purge_cutoff),
        count(report.anonymized),
        count(report.purged),
        count(rows),
        count(report.suppressions),
        count(report.unhashable),
        count(report.invitations_expired),
        count(report.uploads_removed),
        count(report.undated),
    ]
}

/// SIGINT and SIGTERM end the run after the batches in hand; a second one ends it at once, which
/// the database survives just as well.
fn stop_on_signal(engine: &Engine) {
    let stop = engine.stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        for times in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if times == 0 {
                stop.cancel();
            } else {
                stderr::clear_progress_unless_busy();
                std::process::exit(i32::from(Exit::Failed as u8));
            }
        }
    });
}
