//! `policy show` and `policy history`: what counts, and how it came to that.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::policy::{Force, Version, force_of, version_at};
use crate::ids::TenantId;
use crate::store::policies;

use super::super::command_context::{CommandContext, require_tenant};
use super::super::exit::{Exit, Failure};
use super::super::output::{self, Format};
use super::{VersionDocument, terms_texts, version_facts};

/// The versions of one tenant, as of one instant.
async fn read(
    context: &CommandContext,
    slug: &str,
) -> Result<(Vec<Version>, DateTime<Utc>), Failure> {
    let config = context.config()?;
    let database = context.database(&config).await?;
    let transaction = database.begin_read("reading policies").await?;
    let row = require_tenant(&transaction, slug).await?;
    let versions = policies::versions(&transaction, TenantId(row.id))
        .await?
        .map_err(Failure::failed)?;
    let now = context.now_by_both(&transaction).await?;
    transaction.rollback().await?;
    database.close().await;
    Ok((versions, now))
}

/// `policy show`.
pub(super) async fn show(context: &CommandContext, slug: &str) -> Result<Exit, Failure> {
    let (versions, now) = read(context, slug).await?;
    let current = version_at(&versions, now);
    // A version that a higher one is effective before never counts.
    let later: Vec<&Version> = versions
        .iter()
        .filter(|version| force_of(version, &versions, now) == Force::Planned)
        .collect();
    let document = |version| VersionDocument::of(version, &versions, now);
    if context.format == Format::Json {
        #[derive(Serialize)]
        struct Shown<'a> {
            tenant: &'a str,
            current: Option<VersionDocument>,
            later: Vec<VersionDocument>,
        }
        output::print_json(&Shown {
            tenant: slug,
            current: current.map(document),
            later: later.into_iter().map(document).collect(),
        })?;
        return Ok(Exit::Done);
    }
    match current {
        Some(current) => output::print(&output::facts(&version_facts(current)))?,
        None => output::print_line(&format!(
            "{slug} has no policy in force yet: nothing is erased"
        ))?,
    }
    for version in later {
        output::print_line("\nnot yet effective:")?;
        output::print(&output::facts(&version_facts(version)))?;
    }
    Ok(Exit::Done)
}

/// `policy history`.
pub(super) async fn history(context: &CommandContext, slug: &str) -> Result<Exit, Failure> {
    let (versions, now) = read(context, slug).await?;
    if context.format == Format::Json {
        #[derive(Serialize)]
        struct History<'a> {
            tenant: &'a str,
            versions: Vec<VersionDocument>,
        }
        output::print_json(&History {
            tenant: slug,
            versions: versions
                .iter()
                .map(|version| VersionDocument::of(version, &versions, now))
                .collect(),
        })?;
        return Ok(Exit::Done);
    }
    if versions.is_empty() {
        output::print_line(&format!("{slug} never had a policy"))?;
        return Ok(Exit::Done);
    }
    let mut table = output::table(&[
        "version",
        "anonymize",
        "delete",
        "quarantine",
        "effective from",
        "set at",
        "by",
        "reason",
        "now",
        "",
    ]);
    for version in &versions {
        let [anonymize, retain, quarantine] = terms_texts(&version.terms);
        let backdated = version.effective_from < version.created_at;
        table.add_row([
            version.number.to_string(),
            anonymize,
            retain,
            quarantine,
            output::instant(version.effective_from),
            output::instant(version.created_at),
            version.created_by.clone(),
            version.reason.clone(),
            force_of(version, &versions, now).words().to_owned(),
            if backdated { "backdated" } else { "" }.to_owned(),
        ]);
    }
    output::print(&output::table_text(&table))?;
    Ok(Exit::Done)
}
