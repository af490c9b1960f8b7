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
use crate::store::{batches, runs, tenants};

use super::exit::{Exit, Failure};
use super::output::{self, Format, instant_or_dash};
use super::session::{Session, require_tenant};

/// Verbs of `runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, newest period first
    List {
        /// Only this tenant's
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
    },
    /// Show one run whole
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
    attempts: i32,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    duration_seconds: Option<f64>,
    failure_class: Option<String>,
    failure_code: Option<String>,
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
pub async fn runs(session: &Session, command: RunsCommand) -> Result<Exit, Failure> {
    let config = session.config()?;
    let database = session.database(&config).await?;
    match command {
        RunsCommand::List { tenant, limit } => {
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
            let listed = runs::list(&transaction, tenant, limit).await?;
            transaction.rollback().await?;
            let documents: Vec<RunDocument> = listed
                .iter()
                .filter_map(|run| {
                    document(slugs.get(&run.tenant_id).map_or("?", String::as_str), run)
                })
                .collect();
            print_list(session.format, &documents)?;
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
            let stages = batches::totals(&transaction, TenantId(found.tenant_id), found.id).await?;
            transaction.rollback().await?;
            let mut shown = document(&slug, &found).ok_or_else(|| {
                Failure::failed("the run's record holds a period or state that is none")
            })?;
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
            match session.format {
                Format::Json => output::print_json(&shown)?,
                Format::Table => print_one(&shown)?,
            }
        }
    }
    database.close().await;
    Ok(Exit::Done)
}

fn document(slug: &str, run: &tenant_run::Model) -> Option<RunDocument> {
    let report = report_of(slug, run)?;
    let duration_seconds = run
        .started_at
        .zip(run.finished_at)
        .and_then(|(started, finished)| (finished - started).to_std().ok())
        .map(|duration| duration.as_secs_f64());
    Some(RunDocument {
        next: next(&report, run),
        report,
        due_at: run.due_at,
        attempts: run.attempts,
        started_at: run.started_at,
        finished_at: run.finished_at,
        duration_seconds,
        failure_class: run.failure_class.clone(),
        failure_code: run.failure_code.clone(),
        retry_at: run.retry_at,
        stages: None,
    })
}

/// What will happen to the run next, for support staff.
fn next(report: &TenantReport, run: &tenant_run::Model) -> String {
    match report.state {
        RunState::Completed => "nothing: the period is done".to_owned(),
        RunState::Superseded => "nothing: a newer period covers it".to_owned(),
        RunState::NoPolicy => {
            "looked at again on every pass, until the next period is due".to_owned()
        }
        RunState::Pending => "the next pass takes it up".to_owned(),
        RunState::Running => {
            "its holder goes on; if it died, the next pass after its lease expired takes it up"
                .to_owned()
        }
        RunState::Failed => format!(
            "`run` takes it up at once, the service from {} on, with the same cutoffs",
            instant_or_dash(run.retry_at)
        ),
    }
}

fn print_list(format: Format, documents: &[RunDocument]) -> Result<(), Failure> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct List<'a> {
            runs: &'a [RunDocument],
        }
        return output::print_json(&List { runs: documents });
    }
    let mut table = output::table(&[
        "run",
        "tenant",
        "period",
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
            run.report.state.to_string(),
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
        ("period", report.period.to_string()),
        ("state", report.state.to_string()),
        ("due", output::instant(run.due_at)),
        (
            "policy version",
            report
                .policy_version
                .map_or_else(|| "-".to_owned(), |v| v.to_string()),
        ),
        ("anonymize before", instant_or_dash(report.anonymize_cutoff)),
        ("delete before", instant_or_dash(report.purge_cutoff)),
        ("attempts", run.attempts.to_string()),
        ("started", instant_or_dash(run.started_at)),
        ("finished", instant_or_dash(run.finished_at)),
        (
            "took",
            run.duration_seconds
                .map_or_else(|| "-".to_owned(), |s| format!("{s:.2} s")),
        ),
        ("last failure", failure),
        ("next", run.next.clone()),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&format!("{name:<18}{value}\n"));
    }
    output::print(&text)?;
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
