//! `verify`: proof after the fact.

use serde::Serialize;

use crate::engine::verify::{self, Verification};

use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::{self, Format};
use super::progress;
use super::run::ScopeArguments;

/// `verify`: exit code 1 if anything is off.
pub async fn verify(context: &CommandContext, arguments: ScopeArguments) -> Result<Exit, Failure> {
    let config = context.config()?;
    let engine = context.reading_engine(&config).await?;
    let scope = arguments.scope();
    let work = verify::verify(&engine, &scope);
    let found = progress::shown(&engine, "verifying", work).await??;
    let ok = found.iter().all(|tenant| tenant.ok);
    match context.format {
        Format::Json => output::print_json(&VerifyDocument {
            ok,
            tenants: &found,
        })?,
        Format::Table => print_tables(&found)?,
    }
    engine.database.close().await;
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

#[derive(Serialize)]
struct VerifyDocument<'a> {
    ok: bool,
    tenants: &'a [Verification],
}

fn print_tables(found: &[Verification]) -> Result<(), Failure> {
    let mut table = output::table(&[
        "tenant",
        "month",
        "state",
        "overdue",
        "late",
        "orphans",
        "empty uploads",
        "queued",
        "unrecorded",
        "mismatches",
        "undated",
        "records",
        "verdict",
    ]);
    for tenant in found {
        table.add_row([
            tenant.tenant.clone(),
            tenant.period.to_string(),
            tenant.state.clone().unwrap_or_else(|| "-".to_owned()),
            (tenant.overdue_anonymize + tenant.overdue_purge).to_string(),
            tenant.late.to_string(),
            tenant.orphans.to_string(),
            tenant.empty_uploads.to_string(),
            (tenant.queued_invitations + tenant.queued_for_unsubscribed).to_string(),
            tenant.unrecorded.to_string(),
            tenant.record_mismatches.to_string(),
            tenant.undated.to_string(),
            tenant.record_faults.len().to_string(),
            if tenant.ok { "ok" } else { "NOT OK" }.to_owned(),
        ]);
    }
    output::print(&output::table_text(&table))?;
    for tenant in found {
        for finding in &tenant.findings {
            output::print_line(&format!("{}: {finding}", tenant.tenant))?;
        }
        for note in &tenant.notes {
            output::print_line(&format!("{}: note: {note}", tenant.tenant))?;
        }
    }
    Ok(())
}
