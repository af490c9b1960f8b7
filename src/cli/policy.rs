//! `policy`: what a tenant asked for, in versions that are added and never changed.

use chrono::{DateTime, NaiveDate, Utc};
use clap::Subcommand;
use serde::Serialize;

use crate::domain::cutoff::{Cutoffs, until_inclusive};
use crate::domain::period::{Period, Zone};
use crate::domain::policy::{Terms, Version, force_of};

use super::command_context::CommandContext;
use super::exit::{Exit, Failure};

mod explain;
mod history;
mod set;

/// Verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Set a tenant's periods: add a version, and show when it first acts and on how many people
    Set(set::SetArguments),
    /// Show the version in force now, and the planned ones
    Show {
        /// Slug of the tenant
        #[arg(value_name = "SLUG")]
        slug: String,
    },
    /// Show every version: who set it, when and why
    History {
        /// Slug of the tenant
        #[arg(value_name = "SLUG")]
        slug: String,
    },
    /// Calculate a month's dates for any policy; needs no database and no configuration
    Explain(explain::ExplainArguments),
}

/// `policy`.
pub async fn policy(context: &CommandContext, command: PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Set(arguments) => set::set(context, arguments).await,
        PolicyCommand::Show { slug } => history::show(context, &slug).await,
        PolicyCommand::History { slug } => history::history(context, &slug).await,
        PolicyCommand::Explain(arguments) => explain::explain(context, &arguments),
    }
}

/// A version as every command prints it in JSON.
#[derive(Serialize)]
struct VersionDocument {
    version: i32,
    anonymize_after_months: Option<u16>,
    retain_months: Option<u16>,
    quarantine_days: Option<u32>,
    long_quarantine_accepted: bool,
    effective_from: DateTime<Utc>,
    created_at: DateTime<Utc>,
    created_by: String,
    reason: String,
    backdated: bool,
    /// How it stands now: `in_force`, `planned`, `replaced` or `never`.
    force: &'static str,
}

impl VersionDocument {
    fn of(version: &Version, versions: &[Version], now: DateTime<Utc>) -> Self {
        Self {
            force: force_of(version, versions, now).name(),
            version: version.number,
            anonymize_after_months: version.terms.anonymize_after.map(|months| months.get()),
            retain_months: version.terms.retain.map(|months| months.get()),
            quarantine_days: version.terms.quarantine_days,
            long_quarantine_accepted: version.terms.long_quarantine_accepted,
            effective_from: version.effective_from,
            created_at: version.created_at,
            created_by: version.created_by.clone(),
            reason: version.reason.clone(),
            backdated: version.effective_from < version.created_at,
        }
    }
}

/// The dates of one month under certain terms; the shared keys of `explain` and `set`.
#[derive(Serialize)]
struct Dates {
    period: Period,
    due: DateTime<Utc>,
    anonymize_cutoff: Option<DateTime<Utc>>,
    anonymize_until: Option<NaiveDate>,
    purge_cutoff: Option<DateTime<Utc>>,
    purge_until: Option<NaiveDate>,
}

impl Dates {
    fn of(period: Period, due: DateTime<Utc>, zone: &Zone, cutoffs: Cutoffs) -> Self {
        let until = |cutoff: Option<_>| cutoff.map(|cutoff| until_inclusive(cutoff, zone));
        Self {
            period,
            due,
            anonymize_cutoff: cutoffs.anonymize,
            anonymize_until: until(cutoffs.anonymize),
            purge_cutoff: cutoffs.purge,
            purge_until: until(cutoffs.purge),
        }
    }
}

/// "everyone added on or before 2024-02-29", or "nobody".
fn until_text(until: Option<NaiveDate>) -> String {
    until.map_or_else(
        || "nobody (period not set)".to_owned(),
        |date| format!("everyone added on or before {date}"),
    )
}

/// The three terms as people write them.
fn terms_texts(terms: &Terms) -> [String; 3] {
    let none = || "none".to_owned();
    [
        terms.anonymize_after.map_or_else(none, |m| m.to_string()),
        terms.retain.map_or_else(none, |m| m.to_string()),
        match terms.quarantine_days {
            None => none(),
            Some(days) if terms.long_quarantine_accepted => format!("{days}d (accepted as long)"),
            Some(days) => format!("{days}d"),
        },
    ]
}

/// A version below each other, as `set` and `show` print it.
fn version_facts(version: &Version) -> Vec<(&'static str, String)> {
    let [anonymize, retain, quarantine] = terms_texts(&version.terms);
    let backdated = if version.effective_from < version.created_at {
        " (backdated)"
    } else {
        ""
    };
    let instant = super::output::instant;
    vec![
        ("version", version.number.to_string()),
        ("anonymize after", anonymize),
        ("delete after", retain),
        ("quarantine", quarantine),
        (
            "effective from",
            format!("{}{backdated}", instant(version.effective_from)),
        ),
        ("set at", instant(version.created_at)),
        ("set by", version.created_by.clone()),
        (
            "reason",
            if version.reason.is_empty() {
                "-".to_owned()
            } else {
                version.reason.clone()
            },
        ),
    ]
}
