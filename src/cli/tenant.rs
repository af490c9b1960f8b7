//! `tenant`: the customers whose participants this service looks after.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::domain::period::{Period, ScheduleHour, due_instant, newest_due_period};
use crate::domain::policy::{Version, version_at};
use crate::ids::TenantId;
use crate::store::{ErrorClass, participants, policies, tenants, uploads};

use super::changed;
use super::command_context::{CommandContext, require_tenant};
use super::exit::{Exit, Failure};
use super::output::{self, Format, instant_or_dash};

/// Longest slug and longest name, as the database stores them.
const SLUG_CHARACTERS_MAX: usize = 63;
const NAME_CHARACTERS_MAX: usize = 255;

/// Verbs of `tenant`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant; at first it has no policy, so nothing is erased
    Add(AddArguments),
    /// List all tenants with their current policies
    List,
    /// Show one tenant: its zone, its policy, what is stored, when its next run is due
    Show {
        /// Slug of the tenant
        #[arg(value_name = "SLUG")]
        slug: String,
    },
}

/// Arguments of `tenant add`.
#[derive(Debug, Args)]
#[command(
    after_help = "The time zone decides when the tenant's days and months begin, and so the \
    cutoffs of every run.\n\nExamples:\n  \
    retentiond tenant add acme --name \"Acme Hotels\" --time-zone Europe/Brussels\n  \
    retentiond policy set acme --anonymize 1m --retain 1y --reason \"contract of 2024\""
)]
pub struct AddArguments {
    /// Short name for the command line and the log: lower-case letters, digits and hyphens
    #[arg(value_name = "SLUG")]
    slug: String,

    /// Name for people [default: the slug]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Time zone by its IANA name, for example Europe/Brussels
    #[arg(long, value_name = "ZONE")]
    time_zone: String,
}

/// A tenant as `tenant list`, `add` and `show` print it.
#[derive(Serialize)]
struct TenantDocument {
    id: i64,
    slug: String,
    name: String,
    time_zone: String,
    created_at: DateTime<Utc>,
    policy_version: Option<i32>,
    anonymize_after_months: Option<u16>,
    retain_months: Option<u16>,
    quarantine_days: Option<u32>,
}

/// A tenant as `tenant show` prints it.
#[derive(Serialize)]
struct ShownTenant {
    #[serde(flatten)]
    tenant: TenantDocument,
    participants: i64,
    participants_anonymized: i64,
    participants_unsubscribed: i64,
    uploads: u64,
    newest_due_period: Option<Period>,
    next_due: Option<DateTime<Utc>>,
}

/// `tenant`.
pub async fn tenant(context: &CommandContext, command: TenantCommand) -> Result<Exit, Failure> {
    match command {
        TenantCommand::Add(arguments) => add(context, arguments).await,
        TenantCommand::List => list(context).await,
        TenantCommand::Show { slug } => show(context, &slug).await,
    }
}

async fn add(context: &CommandContext, arguments: AddArguments) -> Result<Exit, Failure> {
    let slug = checked_slug(&arguments.slug)?;
    let name = checked_name(arguments.name.as_deref().unwrap_or(slug))?;
    let rules = context.tzdata.newest();
    let zone = rules.zone(&arguments.time_zone).map_err(Failure::usage)?;
    let config = context.config()?;
    let database = context.database(&config).await?;
    let taken = || {
        Failure::usage(format_args!(
            "the slug {slug:?} is taken; choose another, or see `retentiond tenant show {slug}`"
        ))
    };
    let transaction = database.begin("adding a tenant").await?;
    if tenants::find_by_slug(&transaction, slug).await?.is_some() {
        transaction.rollback().await?;
        return Err(taken());
    }
    let now = context.now_by_both(&transaction).await?;
    let added = match tenants::add(&transaction, slug, name, zone.name(), now).await {
        Ok(added) => added,
        Err(error) => {
            transaction.rollback().await?;
            // Somebody else added it between the look and the insert.
            return Err(match error.class() {
                ErrorClass::Constraint => taken(),
                _ => error.into(),
            });
        }
    };
    transaction.commit().await?;
    database.close().await;
    let document = document(added, None);
    changed::tell(&config);
    match context.format {
        Format::Json => changed::print_json(&config, &document)?,
        Format::Table => output::print(&output::facts(&basic_facts(&document)))?,
    }
    Ok(Exit::Done)
}

/// The slug, if it may be one.
fn checked_slug(slug: &str) -> Result<&str, Failure> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=SLUG_CHARACTERS_MAX).contains(&slug.len()) || !slug.bytes().all(allowed) {
        return Err(Failure::usage(format_args!(
            "{slug:?} cannot be a slug: write 1 to {SLUG_CHARACTERS_MAX} lower-case letters (a to \
             z), digits and hyphens, for example acme-hotels"
        )));
    }
    Ok(slug)
}

fn checked_name(name: &str) -> Result<&str, Failure> {
    let name = name.trim();
    if name.is_empty()
        || name.chars().count() > NAME_CHARACTERS_MAX
        || name.chars().any(char::is_control)
    {
        return Err(Failure::usage(format_args!(
            "--name must have 1 to {NAME_CHARACTERS_MAX} characters on one line"
        )));
    }
    Ok(name)
}

async fn list(context: &CommandContext) -> Result<Exit, Failure> {
    let config = context.config()?;
    let database = context.database(&config).await?;
    let transaction = database.begin_read("reading the tenants").await?;
    let now = context.now_by_both(&transaction).await?;
    let mut documents = Vec::new();
    for row in tenants::list(&transaction).await? {
        // One bad policy must not hide the other tenants.
        let versions = policies::versions(&transaction, TenantId(row.id)).await?;
        let versions = versions.unwrap_or_default();
        documents.push(document(row, version_at(&versions, now)));
    }
    transaction.rollback().await?;
    database.close().await;
    if context.format == Format::Json {
        #[derive(Serialize)]
        struct List<'a> {
            tenants: &'a [TenantDocument],
        }
        output::print_json(&List {
            tenants: &documents,
        })?;
        return Ok(Exit::Done);
    }
    let mut table = output::table(&[
        "slug",
        "name",
        "time zone",
        "policy",
        "anonymize after",
        "delete after",
        "created",
    ]);
    for tenant in &documents {
        table.add_row([
            tenant.slug.clone(),
            tenant.name.clone(),
            tenant.time_zone.clone(),
            version_text(tenant.policy_version),
            months_text(tenant.anonymize_after_months),
            months_text(tenant.retain_months),
            output::instant(tenant.created_at),
        ]);
    }
    output::print(&output::table_text(&table))?;
    Ok(Exit::Done)
}

async fn show(context: &CommandContext, slug: &str) -> Result<Exit, Failure> {
    let config = context.config()?;
    let hour = ScheduleHour::try_from(config.schedule.hour).map_err(Failure::usage)?;
    let database = context.database(&config).await?;
    let transaction = database.begin_read("reading a tenant").await?;
    let now = context.now_by_both(&transaction).await?;
    let row = require_tenant(&transaction, slug).await?;
    let tenant = TenantId(row.id);
    let versions = policies::versions(&transaction, tenant)
        .await?
        .map_err(Failure::failed)?;
    let people = participants::count(&transaction, tenant).await?;
    let uploads = uploads::count(&transaction, tenant).await?;
    transaction.rollback().await?;
    database.close().await;
    let zone = context.tzdata.newest().find(&row.time_zone).ok();
    let zone = zone.as_ref();
    let newest_due = zone.map(|zone| newest_due_period(now, zone, hour));
    let shown = ShownTenant {
        tenant: document(row, version_at(&versions, now)),
        participants: people.participants,
        participants_anonymized: people.anonymized,
        participants_unsubscribed: people.unsubscribed,
        uploads,
        newest_due_period: newest_due,
        next_due: zone
            .zip(newest_due)
            .map(|(zone, period)| due_instant(period.next(), zone, hour)),
    };
    if context.format == Format::Json {
        output::print_json(&shown)?;
        return Ok(Exit::Done);
    }
    let mut lines = basic_facts(&shown.tenant);
    lines.extend([
        (
            "participants",
            format!(
                "{}, of them {} anonymized and {} unsubscribed",
                shown.participants, shown.participants_anonymized, shown.participants_unsubscribed
            ),
        ),
        ("uploads", shown.uploads.to_string()),
        (
            "newest due month",
            shown.newest_due_period.map_or_else(
                || "- (its time zone cannot be used)".to_owned(),
                |p| p.to_string(),
            ),
        ),
        ("next due", instant_or_dash(shown.next_due)),
    ]);
    output::print(&output::facts(&lines))?;
    Ok(Exit::Done)
}

fn document(row: entity::tenant::Model, current: Option<&Version>) -> TenantDocument {
    let terms = current.map(|version| version.terms);
    TenantDocument {
        id: row.id,
        slug: row.slug,
        name: row.name,
        time_zone: row.time_zone,
        created_at: row.created_at,
        policy_version: current.map(|version| version.number),
        anonymize_after_months: terms
            .and_then(|terms| terms.anonymize_after)
            .map(|months| months.get()),
        retain_months: terms
            .and_then(|terms| terms.retain)
            .map(|months| months.get()),
        quarantine_days: terms.and_then(|terms| terms.quarantine_days),
    }
}

fn basic_facts(tenant: &TenantDocument) -> Vec<(&'static str, String)> {
    vec![
        ("tenant", tenant.slug.clone()),
        ("name", tenant.name.clone()),
        ("time zone", tenant.time_zone.clone()),
        ("created", output::instant(tenant.created_at)),
        ("policy version", version_text(tenant.policy_version)),
        (
            "anonymize after",
            months_text(tenant.anonymize_after_months),
        ),
        ("delete after", months_text(tenant.retain_months)),
    ]
}

fn version_text(version: Option<i32>) -> String {
    version.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

fn months_text(months: Option<u16>) -> String {
    months.map_or_else(|| "never".to_owned(), |months| format!("{months}m"))
}
