//! `policy set`: adds a version and says whom it will take first.

use std::os::unix::fs::MetadataExt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use clap::Args;

use crate::clock::truncate_to_microseconds;
use crate::domain::cutoff::Cutoffs;
use crate::domain::period::{Months, ScheduleHour, Zone};
use crate::domain::policy::{
    Terms, Version, parse_anonymize, parse_quarantine, parse_retain, shadowed, version_at,
};
use crate::engine::recount;
use crate::engine::stage::Stage;
use crate::ids::TenantId;
use crate::store::{Database, policies, tenants};

use super::super::calendar::NewestDueRun;
use super::super::changed;
use super::super::command_context::{CommandContext, require_tenant};
use super::super::exit::{Exit, Failure};
use super::super::output::{self, Format};
use super::{Dates, terms_texts};

use done::Done;

mod done;

/// Longest name and longest reason, as the database stores them.
const BY_CHARACTERS_MAX: usize = 255;
const REASON_CHARACTERS_MAX: usize = 1000;

/// Arguments of `policy set`.
#[derive(Debug, Args)]
#[command(
    after_help = "An option that you leave out keeps the value of the version in force on the day \
    from which the new one is effective; differences from that version are printed. Versions are \
    added and never changed. The highest version that is effective when a month is due rules that \
    month, so a policy set on 10 April first acts on 1 May. If a planned version could then never \
    rule, the command is refused (exit code 4) unless you give --replaces-planned. The \
    anonymization period is 1m to 1200m and must be shorter than the retention period, which is \
    12m to 1200m; 1y is 12m.\n\nExamples:\n  \
    retentiond policy set acme --anonymize 1m --retain 1y --reason \"contract of 2024\"\n  \
    retentiond policy set acme --retain none --effective-from 2025-01-01 --reason \"on request\"\n  \
    retentiond policy set acme --quarantine 40d --accept-long-quarantine --reason \"on request\""
)]
pub struct SetArguments {
    /// Slug of the tenant
    #[arg(value_name = "SLUG")]
    slug: String,

    /// Months or years after which personal fields are emptied: 1m, 1y, or none
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    anonymize: Option<String>,

    /// Months or years after which participants are deleted: 12m, 1y, or none
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    retain: Option<String>,

    /// Days before the platform invites the same person again: 28d, or none
    #[arg(long, value_name = "DAYS", allow_hyphen_values = true)]
    quarantine: Option<String>,

    /// Accept a quarantine longer than the anonymization period guarantees; the history records it
    #[arg(long)]
    accept_long_quarantine: bool,

    /// When it becomes effective: a day (from its start in the tenant's zone) or an RFC 3339 instant;
    /// may lie in the past [default: now]
    #[arg(long, value_name = "DATE")]
    effective_from: Option<String>,

    /// Replace versions that are planned for that day or later: they can then never rule
    #[arg(long)]
    replaces_planned: bool,

    /// Why, for the history; required
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Who decided it, for the history [default: $USER, $LOGNAME or the user's number]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// The terms that were given; `None` = left out.
struct Changes {
    anonymize: Option<Option<Months>>,
    retain: Option<Option<Months>>,
    quarantine: Option<Option<u32>>,
    accept_long_quarantine: bool,
}

impl Changes {
    fn read(arguments: &SetArguments) -> Result<Self, Failure> {
        let given = [
            &arguments.anonymize,
            &arguments.retain,
            &arguments.quarantine,
            &arguments.effective_from,
        ];
        if given.iter().all(|option| option.is_none()) && !arguments.accept_long_quarantine {
            return Err(Failure::usage(
                "nothing to set: give at least one of --anonymize, --retain, --quarantine, \
                 --accept-long-quarantine and --effective-from",
            ));
        }
        let anonymize = arguments.anonymize.as_deref().map(parse_anonymize);
        let retain = arguments.retain.as_deref().map(parse_retain);
        let quarantine = arguments.quarantine.as_deref().map(parse_quarantine);
        Ok(Self {
            anonymize: anonymize.transpose().map_err(Failure::usage)?,
            retain: retain.transpose().map_err(Failure::usage)?,
            quarantine: quarantine.transpose().map_err(Failure::usage)?,
            accept_long_quarantine: arguments.accept_long_quarantine,
        })
    }

    /// P12: what was left out stays as the version has it that is in force when the new one becomes
    /// effective. The newest by number may be planned for a later day, and its terms are not meant
    /// before. A long quarantine that was accepted stays accepted for the periods that it was accepted
    /// for, and for no others (P7).
    fn on_top_of(&self, base: Option<&Version>) -> Result<Terms, Failure> {
        let kept = base.map(|version| version.terms);
        let anonymize = self
            .anonymize
            .unwrap_or(kept.and_then(|terms| terms.anonymize_after));
        let quarantine = self
            .quarantine
            .unwrap_or(kept.and_then(|terms| terms.quarantine_days));
        let accepted_before = kept.is_some_and(|terms| {
            terms.long_quarantine_accepted
                && terms.anonymize_after == anonymize
                && terms.quarantine_days == quarantine
        });
        Terms::new(
            anonymize,
            self.retain.unwrap_or(kept.and_then(|terms| terms.retain)),
            quarantine,
            self.accept_long_quarantine || accepted_before,
        )
        .map_err(Failure::usage)
    }
}

/// `policy set`.
pub(super) async fn set(
    context: &CommandContext,
    arguments: SetArguments,
) -> Result<Exit, Failure> {
    let changes = Changes::read(&arguments)?;
    // P8: the history shows who, when and why; nobody can add it afterwards.
    let reason = arguments.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(Failure::usage(
            "--reason is missing: say why the policy changes, for the history",
        ));
    }
    let reason = reason.to_owned();
    let created_by = arguments.by.clone().unwrap_or_else(user);
    within("--reason", &reason, REASON_CHARACTERS_MAX)?;
    within("--by", &created_by, BY_CHARACTERS_MAX)?;
    let config = context.config()?;
    let hour = ScheduleHour::try_from(config.schedule.hour).map_err(Failure::usage)?;
    let database = context.database(&config).await?;

    let transaction = database.begin("setting a policy").await?;
    let row = require_tenant(&transaction, &arguments.slug).await?;
    let zone = &context.zone_of(&row)?;
    let tenant = TenantId(row.id);
    tenants::lock(&transaction, tenant).await?;
    let mut versions = policies::versions(&transaction, tenant)
        .await?
        .map_err(Failure::failed)?;
    let now = context.now_by_both(&transaction).await?;
    let effective_from = match &arguments.effective_from {
        Some(text) => effective_from(text, zone)?,
        None => now,
    };
    let current = version_at(&versions, now).cloned();
    // Dated back to before the first version: nothing is in force then, and what was left out is meant
    // to stay as it is now.
    let base = version_at(&versions, effective_from)
        .cloned()
        .or_else(|| current.clone());
    let replaced = replaced(&versions, effective_from, now, &arguments)?;
    let version = Version {
        number: versions.last().map_or(1, |newest| newest.number + 1),
        terms: changes.on_top_of(base.as_ref())?,
        effective_from,
        created_at: now,
        created_by,
        reason,
    };
    policies::add(&transaction, tenant, &version).await?;
    transaction.commit().await?;

    versions.push(version.clone());
    let outlook = outlook(context, &database, tenant, zone, hour, &versions, now)
        .await
        .map_err(|failure| {
            Failure::new(
                Exit::Partly,
                format_args!(
                    "version {} is set, but the people whom it will erase cannot be counted: {}",
                    version.number, failure.sentence
                ),
            )
        })?;
    database.close().await;
    let done = Done {
        slug: &row.slug,
        version: &version,
        versions: &versions,
        base: base.as_ref(),
        current: current.as_ref(),
        replaced,
        now,
        outlook,
    };
    changed::tell(&config);
    match context.format {
        Format::Json => changed::print_json(&config, &done.document())?,
        Format::Table => output::print(&output::facts(&done.facts()))?,
    }
    Ok(Exit::Done)
}

/// P12: the planned versions that can never rule once the new one is effective; refused unless that is
/// what is wanted.
fn replaced(
    versions: &[Version],
    effective_from: DateTime<Utc>,
    now: DateTime<Utc>,
    arguments: &SetArguments,
) -> Result<Vec<i32>, Failure> {
    let shadowed = shadowed(versions, effective_from, now);
    if shadowed.is_empty() || arguments.replaces_planned {
        return Ok(shadowed.iter().map(|version| version.number).collect());
    }
    let planned: Vec<String> = shadowed
        .iter()
        .map(|version| {
            let [anonymize, retain, quarantine] = terms_texts(&version.terms);
            format!(
                "version {} (from {}: anonymize {anonymize}, delete {retain}, quarantine {quarantine})",
                version.number,
                output::instant(version.effective_from)
            )
        })
        .collect();
    Err(Failure::refused(format_args!(
        "{} is planned and could never rule once the new version is effective from {} on; give \
         --replaces-planned if that is what you want, or a later --effective-from",
        planned.join(" and "),
        output::instant(effective_from)
    )))
}

/// The day's start in the tenant's zone, or the instant.
fn effective_from(text: &str, zone: &Zone) -> Result<DateTime<Utc>, Failure> {
    const YEARS: std::ops::RangeInclusive<i32> = 1900..=2099;
    let instant = match text.parse::<NaiveDate>() {
        Ok(date) if YEARS.contains(&date.year()) => Some(zone.first_instant_of(date)),
        Ok(_) => None,
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|instant| truncate_to_microseconds(instant.to_utc()))
            .filter(|instant| YEARS.contains(&instant.year())),
    };
    instant.ok_or_else(|| {
        Failure::usage(format_args!(
            "--effective-from {text:?} is neither a day nor an instant of the years 1900 to 2099: \
             write 2024-05-01, or 2024-05-01T00:00:00Z"
        ))
    })
}

fn within(option: &str, text: &str, characters_max: usize) -> Result<(), Failure> {
    if text.chars().count() > characters_max || text.chars().any(char::is_control) {
        return Err(Failure::usage(format_args!(
            "{option} must be one line of at most {characters_max} characters"
        )));
    }
    Ok(())
}

/// Who runs this, as far as the environment says.
fn user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|name| {
            let printable = name.chars().filter(|character| !character.is_control());
            printable.take(BY_CHARACTERS_MAX).collect::<String>()
        })
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| {
            // In a container nobody sets either.
            std::fs::metadata("/proc/self").map_or_else(
                |_| "unknown".to_owned(),
                |process| format!("uid {}", process.uid()),
            )
        })
}

/// What a version will do first.
struct Outlook {
    dates: Dates,
    would_anonymize: u64,
    would_purge: u64,
}

/// The first period that the newest version rules, and whom it would take if that were now. `None` when
/// it will rule none.
async fn outlook(
    context: &CommandContext,
    database: &Database,
    tenant: TenantId,
    zone: &Zone,
    hour: ScheduleHour,
    versions: &[Version],
    now: DateTime<Utc>,
) -> Result<Option<Outlook>, Failure> {
    let Some(version) = versions.last() else {
        return Ok(None);
    };
    let transaction = database
        .begin_read("counting what a policy would take")
        .await?;
    let calendar = NewestDueRun::read(context, &transaction, tenant, zone, hour, now)
        .await?
        .unpinned();
    let outlook = match calendar.first_ruled_by(versions, version.number) {
        None => None,
        Some(period) => {
            let cutoffs = Cutoffs::of(period, zone, &version.terms);
            let count = |stage| recount::eligible(&transaction, tenant, stage, cutoffs);
            Some(Outlook {
                would_anonymize: count(Stage::Anonymize).await?,
                would_purge: count(Stage::Purge).await?,
                dates: Dates::of(period, calendar.due(period), zone, cutoffs),
            })
        }
    };
    transaction.rollback().await?;
    Ok(outlook)
}
