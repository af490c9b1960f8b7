//! `policy show` and `policy history`: what counts, and how it came to that.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::policy::{Version, version_at};
use crate::engine::context::database_now;
use crate::ids::TenantId;
use crate::store::policies;

use super::super::exit::{Exit, Failure};
use super::super::output::{self, Format};
use super::super::session::{Session, require_tenant};
use super::super::tenant::facts;
use super::{VersionDocument, terms_texts, version_facts};

/// The versions of one tenant, as of one instant.
async fn read(session: &Session, slug: &str) -> Result<(Vec<Version>, DateTime<Utc>), Failure> {
    let config = session.config()?;
    let database = session.database(&config).await?;
    let transaction = database.begin_read("reading policies").await?;
    let row = require_tenant(&transaction, slug).await?;
    let versions = policies::versions(&transaction, TenantId(row.id))
        .await?
        .map_err(Failure::failed)?;
    let now = session.now().min(database_now(&transaction).await?);
    transaction.rollback().await?;
    database.close().await;
    Ok((versions, now))
}

/// `policy show`.
pub(super) async fn show(session: &Session, slug: &str) -> Result<Exit, Failure> {
    let (versions, now) = read(session, slug).await?;
    let current = version_at(&versions, now);
    // A lower version that would become effective later never counts: a higher one rules already.
    let later: Vec<&Version> = versions
        .iter()
        .filter(|version| {
            version.effective_from > now
                && current.is_none_or(|current| version.number > current.number)
        })
        .collect();
    if session.format == Format::Json {
        #[derive(Serialize)]
        struct Shown<'a> {
            tenant: &'a str,
            current: Option<VersionDocument>,
            later: Vec<VersionDocument>,
        }
        output::print_json(&Shown {
            tenant: slug,
            current: current.map(VersionDocument::of),
            later: later.into_iter().map(VersionDocument::of).collect(),
        })?;
        return Ok(Exit::Done);
    }
    match current {
        Some(current) => output::print(&facts(&version_facts(current)))?,
        None => output::print_line(&format!(
            "{slug} has no policy that counts yet: nothing is erased"
        ))?,
    }
    for version in later {
        output::print_line("\nnot yet effective:")?;
        output::print(&facts(&version_facts(version)))?;
    }
    Ok(Exit::Done)
}

/// `policy history`.
pub(super) async fn history(session: &Session, slug: &str) -> Result<Exit, Failure> {
    let (versions, _) = read(session, slug).await?;
    if session.format == Format::Json {
        #[derive(Serialize)]
        struct History<'a> {
            tenant: &'a str,
            versions: Vec<VersionDocument>,
        }
        output::print_json(&History {
            tenant: slug,
            versions: versions.iter().map(VersionDocument::of).collect(),
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
            if backdated { "backdated" } else { "" }.to_owned(),
        ]);
    }
    output::print(&output::table_text(&table))?;
    Ok(Exit::Done)
}
