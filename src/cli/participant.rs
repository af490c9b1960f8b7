//! `participant show`: what is still stored of somebody, and what happens next. Names of fields and
//! counts only, never a value.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use entity::tenant;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::dated::is_dated;
use crate::domain::period::{Months, Period, ScheduleHour};
use crate::domain::policy::{Version, version_at, version_numbered};
use crate::domain::subject::CHILD_TABLES;
use crate::ids::TenantId;
use crate::store::participants::{self, Stored};
use crate::store::{Transaction, batches, policies, tenants};

use super::calendar::{Missed, NewestDueRun, OpenRun, Reason, Subject};
use super::command_context::{CommandContext, require_tenant};
use super::exit::{Exit, Failure};
use super::output::{self, Format};

/// The answer for an id that is nobody's.
const NOT_STORED: &str = "not stored: never known, or deleted";

/// Verbs of `participant`.
#[derive(Debug, Subcommand)]
pub enum ParticipantCommand {
    /// Show which fields are still stored (never their values), and when they are or were erased
    #[command(
        after_help = "Nothing is known any more about a deleted person, so an unknown id and a \
        deleted one look alike: \"not stored\". That is an answer, not a failure (exit code \
        0).\n\nExample:\n  \
        retentiond participant show 018df3a0-5b1c-7d52-9a53-0f6f3f1c2b11 --tenant acme"
    )]
    Show {
        /// Id of the participant
        #[arg(value_name = "ID")]
        id: String,
        /// Only this tenant [default: all tenants]
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
}

/// `participant`.
pub async fn participant(
    context: &CommandContext,
    command: ParticipantCommand,
) -> Result<Exit, Failure> {
    let ParticipantCommand::Show { id, tenant } = command;
    // Not repeated in the error: somebody may have written an address (E10).
    let id: Uuid = id.parse().map_err(|_| {
        Failure::usage(
            "the id given is no participant's: write a UUID, for example \
             018df3a0-5b1c-7d52-9a53-0f6f3f1c2b11",
        )
    })?;
    let config = context.config()?;
    let hour = ScheduleHour::try_from(config.schedule.hour).map_err(Failure::usage)?;
    let database = context.database(&config).await?;
    let transaction = database.begin_read("looking for a participant").await?;
    let candidates = match tenant {
        Some(slug) => vec![require_tenant(&transaction, &slug).await?],
        None => tenants::list(&transaction).await?,
    };
    // Keys begin with the tenant, and an id may, in principle, stand with several.
    let mut found = Vec::new();
    for tenant in candidates {
        if let Some(row) = participants::find(&transaction, TenantId(tenant.id), id).await? {
            found.push(report(context, &transaction, hour, &tenant, id, row).await?);
        }
    }
    transaction.rollback().await?;
    database.close().await;
    print(context.format, id, &found)?;
    Ok(Exit::Done)
}

/// When a stage erases the participant.
#[derive(Clone, Copy, Serialize)]
struct Ahead {
    period: Period,
    due: DateTime<Utc>,
    already_due: bool,
}

/// What is known of a participant, as JSON has it.
#[derive(Serialize)]
struct Report {
    stored: bool,
    tenant: String,
    id: Uuid,
    upload_id: Uuid,
    /// Null where it is no instant.
    added_at: Option<DateTime<Utc>>,
    /// E13: it is no real date, so that no run ever takes the participant.
    undated: bool,
    fields_stored: Vec<&'static str>,
    metadata: u64,
    answers: u64,
    messages: u64,
    invitations: u64,
    unsubscribed: bool,
    policy_version: Option<i32>,
    anonymize_after_months: Option<u16>,
    retain_months: Option<u16>,
    /// The run that is open, and the version that it goes by (P9).
    open_run: Option<OpenRun>,
    /// The current version and that of the open run, in words.
    #[serde(skip)]
    rules: (Option<String>, Option<String>),
    anonymized_at: Option<DateTime<Utc>>,
    anonymized_by_run: Option<Uuid>,
    anonymize: Option<Ahead>,
    purge: Option<Ahead>,
    /// The completed run that left it behind.
    missed: Option<Missed>,
}

async fn report(
    context: &CommandContext,
    transaction: &Transaction,
    hour: ScheduleHour,
    row: &tenant::Model,
    id: Uuid,
    participant: Stored,
) -> Result<Report, Failure> {
    let tenant = TenantId(row.id);
    let zone = &context.zone_of(row)?;
    let versions = policies::versions(transaction, tenant)
        .await?
        .map_err(Failure::failed)?;
    let now = context.now_by_both(transaction).await?;
    let newest_due = NewestDueRun::read(context, transaction, tenant, zone, hour, now).await?;
    let (calendar, pinned) = newest_due.unfinished();
    let added_at = participant.added_at;
    let dated = added_at.filter(|added_at| is_dated(*added_at, now));
    let ahead = |cutoff: fn(Cutoffs) -> Option<DateTime<Utc>>| {
        let period = calendar.first_taking(&versions, now, pinned, dated?, cutoff)?;
        let due = calendar.due(period);
        Some(Ahead {
            period,
            due,
            already_due: due <= now,
        })
    };
    let purge = ahead(|cutoffs| cutoffs.purge);
    // P4: nobody is anonymized who goes altogether by then.
    let anonymize = ahead(|cutoffs| cutoffs.anonymize).filter(|anonymize| {
        !participant.is_anonymized() && purge.is_none_or(|purge| anonymize.period < purge.period)
    });
    let anonymized_by_run = match participant.anonymized_at {
        Some(at) => batches::anonymizing_run(transaction, tenant, at).await?,
        None => None,
    };
    let mut counts = [0; CHILD_TABLES.len()];
    for (count, table) in counts.iter_mut().zip(CHILD_TABLES) {
        *count = participants::count_children(transaction, tenant, table, id).await?;
    }
    let [metadata, answers, messages, invitations] = counts;
    let current = version_at(&versions, now);
    let missed = dated.and_then(|added_at| {
        let subject = Subject {
            added_at,
            stored_at: participant.visible_at(),
            is_anonymized: participant.is_anonymized(),
        };
        newest_due.missed(&versions, now, &subject)
    });
    let open_run = newest_due.open_run();
    let open_run_rule =
        open_run.and_then(|run| version_numbered(&versions, Some(run.policy_version)).map(rule));
    let rules = (current.map(rule), open_run_rule);
    Ok(Report {
        stored: true,
        tenant: row.slug.clone(),
        id,
        upload_id: participant.upload_id,
        added_at,
        undated: dated.is_none(),
        fields_stored: participants::fields_stored(transaction, tenant, id).await?,
        metadata,
        answers,
        messages,
        invitations,
        unsubscribed: participant.is_unsubscribed(),
        policy_version: current.map(|version| version.number),
        anonymize_after_months: current
            .and_then(|version| version.terms.anonymize_after)
            .map(Months::get),
        retain_months: current
            .and_then(|version| version.terms.retain)
            .map(Months::get),
        open_run,
        rules,
        anonymized_at: participant.anonymized_at,
        anonymized_by_run,
        anonymize,
        purge,
        missed,
    })
}

/// A version in words.
fn rule(version: &Version) -> String {
    let months = |months: Option<Months>| {
        months.map_or("never".to_owned(), |m| format!("after {}m", m.get()))
    };
    format!(
        "version {}: anonymize {}, delete {}",
        version.number,
        months(version.terms.anonymize_after),
        months(version.terms.retain)
    )
}

fn print(format: Format, id: Uuid, found: &[Report]) -> Result<(), Failure> {
    if found.is_empty() {
        return match format {
            Format::Json => output::print_json(&serde_json::json!({
                "stored": false,
                "id": id,
                "sentence": NOT_STORED,
            })),
            Format::Table => output::print_line(NOT_STORED),
        };
    }
    if format == Format::Json {
        return match found {
            [report] => output::print_json(report),
            several => output::print_json(&serde_json::json!({
                "stored": true,
                "id": id,
                "participants": several,
            })),
        };
    }
    for (position, report) in found.iter().enumerate() {
        if position > 0 {
            output::print_line("")?;
        }
        output::print(&output::facts(&report_facts(report)))?;
    }
    Ok(())
}

fn report_facts(report: &Report) -> Vec<(&'static str, String)> {
    let (current, pinned) = &report.rules;
    let mut policy = current
        .clone()
        .unwrap_or("no policy is in force now".to_owned());
    if let (Some(run), Some(pinned)) = (report.open_run, pinned)
        && current.as_ref() != Some(pinned)
    {
        // P9 and P10: the run goes by what it has pinned, and spares whom the current one keeps.
        policy.push_str(&format!(
            "; the run of {} uses {pinned}, or the longer period of the two",
            run.period
        ));
    }
    let ahead = |ahead: Option<Ahead>, otherwise: &str| match ahead {
        None => otherwise.to_owned(),
        Some(Ahead {
            period,
            due,
            already_due,
        }) => format!(
            "will be, at {} (month {period}){}",
            output::instant(due),
            if already_due {
                ": due already, the next pass does it"
            } else {
                ""
            }
        ),
    };
    let anonymized = match (report.anonymized_at, report.anonymized_by_run) {
        (Some(at), Some(run)) => format!("done at {} by run {run}", output::instant(at)),
        (Some(at), None) => format!("done at {}; no run recorded it", output::instant(at)),
        (None, _) if report.purge.is_some() => ahead(report.anonymize, "not before it is deleted"),
        (None, _) => ahead(report.anonymize, "never, as the policies stand"),
    };
    let mut facts = vec![
        ("participant", report.id.to_string()),
        ("tenant", report.tenant.clone()),
        ("upload", report.upload_id.to_string()),
        ("added", added(report)),
        (
            "fields stored",
            if report.fields_stored.is_empty() {
                "none of the five".to_owned()
            } else {
                report.fields_stored.join(", ")
            },
        ),
        (
            "also stored",
            format!(
                "metadata {}, answers {}, messages {}, invitations {}",
                report.metadata, report.answers, report.messages, report.invitations
            ),
        ),
        (
            "unsubscribed",
            if report.unsubscribed { "yes" } else { "no" }.to_owned(),
        ),
        ("policy", policy),
        ("anonymized", anonymized),
        (
            "deleted",
            ahead(report.purge, "never, as the policies stand"),
        ),
    ];
    if let Some(missed) = report.missed {
        facts.push(("left behind", left_behind(missed, &report.tenant)));
    }
    facts
}

fn added(report: &Report) -> String {
    let at = report
        .added_at
        .map_or_else(|| "at no instant".to_owned(), output::instant);
    if report.undated {
        format!("{at}: no real date, so no run ever erases the participant; set added_at")
    } else {
        at
    }
}

fn left_behind(missed: Missed, tenant: &str) -> String {
    let Missed {
        run_id,
        period,
        stage,
        reason,
    } = missed;
    match reason {
        Reason::Late => format!(
            "late: stored after run {run_id} of {period} began, whose stage {stage} covers it; \
             the next month's run erases it"
        ),
        Reason::Overdue => format!(
            "overdue: run {run_id} of {period} is completed, and its stage {stage} should have \
             erased it; see `retentiond verify --tenant {tenant}`"
        ),
    }
}
