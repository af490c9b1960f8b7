//! `import`: an upload.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::address::NotBare;
use crate::engine::open::server_logs_sentence;
use crate::intake::import::{self, ImportOptions, Imported};
use crate::intake::mapping::MappingOptions;
use crate::intake::notes::Noted;
use crate::store::server_logs;

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format};
use super::progress::FileProgress;

mod warnings;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is CSV in UTF-8: commas, a header line, quotation marks where needed; \
    a byte-order mark and CRLF are fine. Columns named first_name, last_name, email, phone and \
    customer_id are these fields; --map names others. A column that is named almost like one of \
    them is refused, unless --map or --metadata says which is meant. Every other column becomes \
    metadata, which anonymization keeps: a warning names those that look like personal data. \
    E-mail values that are not one bare address are counted and named by line. Rows that cannot \
    be imported are written to FILE.rejects.csv with line and reason (exit code 3); the others \
    are imported. The import is one transaction: if it is interrupted, nothing was imported, and \
    you can repeat it."
)]
pub struct ImportArguments {
    /// The CSV file
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,

    /// The tenant
    #[arg(long, value_name = "SLUG")]
    tenant: String,

    /// Which column is a field (first_name, last_name, email, phone, customer_id); may be given
    /// several times
    #[arg(long = "map", value_name = "FIELD=COLUMN")]
    maps: Vec<String>,

    /// A column that is metadata although it is named like a field; may be given several times
    #[arg(long = "metadata", value_name = "COLUMN")]
    metadata: Vec<String>,

    /// Reject rows whose e-mail value is not one bare address
    #[arg(long)]
    strict_email: bool,

    /// When the platform accepted the upload, for example 2024-02-29T22:59:59Z [default: now]
    #[arg(long, value_name = "TIME")]
    accepted_at: Option<String>,

    /// Column that tells when each participant was added: RFC 3339, or YYYY-MM-DD[ HH:MM:SS] in the
    /// tenant's time zone
    #[arg(long, value_name = "NAME")]
    added_at_column: Option<String>,

    /// Import a file that was imported for this tenant before
    #[arg(long)]
    again: bool,
}

/// `import`.
pub async fn import(context: &CommandContext, arguments: ImportArguments) -> Result<Exit, Failure> {
    let mut mapping = MappingOptions {
        added_at_column: arguments.added_at_column,
        metadata: arguments.metadata,
        ..MappingOptions::default()
    };
    for map in &arguments.maps {
        mapping.add(map)?;
    }
    let config = context.config()?;
    let database = context.database(&config).await?;
    let tenant = context.intake_tenant(&database, &arguments.tenant).await?;
    // Before the first row is sent. What cannot be asked keeps nobody from importing.
    let settings = server_logs::settings_that_log_people(&database).await;
    if let Some(sentence) = settings.ok().and_then(|found| server_logs_sentence(&found)) {
        say(&format!("warning: {sentence}"));
    }
    let keyring = context.keyring(&config, &database).await?;
    let intake = context.intake(&config, database, keyring);
    let options = ImportOptions {
        file: arguments.file,
        mapping,
        accepted_at: arguments.accepted_at,
        again: arguments.again,
        strict_email: arguments.strict_email,
    };
    let shown = FileProgress::begin();
    let progress = |read: u64, total: u64| shown.show(read, total);
    let imported = import::import(&intake, &tenant, &options, &progress).await;
    drop(shown);
    let imported = imported?;
    for warning in warnings::of(&imported.notes) {
        say(&format!("warning: {warning}"));
    }
    if imported.upload_id.is_some() {
        changed::tell(&config);
    }
    match context.format {
        Format::Json => changed::print_json(&config, &document(&tenant.slug, &imported))?,
        Format::Table => print_table(&tenant.slug, &imported)?,
    }
    intake.database.close().await;
    if imported.accepted == 0 {
        return Err(Failure::failed(if imported.rejected == 0 {
            "the file holds no rows, only a header; nothing was stored"
        } else {
            "no row of the file could be accepted; nothing was stored"
        }));
    }
    Ok(if imported.rejected > 0 {
        Exit::Partly
    } else {
        Exit::Done
    })
}

#[derive(Serialize)]
struct ImportDocument<'a> {
    tenant: &'a str,
    upload_id: Option<Uuid>,
    file_name: &'a str,
    accepted_at: DateTime<Utc>,
    accepted: u64,
    rejected: u64,
    recognised: u64,
    rejects_file: Option<String>,
    not_bare_emails: NotBareEmails,
    repeated_headers: Lines,
    summary_rows: Lines,
    suspicious_columns: Vec<SuspiciousColumn<'a>>,
    warnings: Vec<String>,
}

/// E-mail values that are not one bare address.
#[derive(Serialize)]
struct NotBareEmails {
    count: u64,
    first: Vec<NotBareEmail>,
}

#[derive(Serialize)]
struct NotBareEmail {
    line: u64,
    not_bare: NotBare,
}

#[derive(Serialize)]
struct Lines {
    count: u64,
    first_lines: Vec<u64>,
}

#[derive(Serialize)]
struct SuspiciousColumn<'a> {
    column: &'a str,
    hits: u64,
    values: u64,
    by_name: bool,
}

fn document<'a>(tenant: &'a str, imported: &'a Imported) -> ImportDocument<'a> {
    let notes = &imported.notes;
    let not_bare = notes.not_bare.first.iter();
    let not_bare = not_bare.map(|&(line, not_bare)| NotBareEmail { line, not_bare });
    let suspicious = notes.suspicious_columns.iter();
    let suspicious = suspicious.map(|(column, suspicion)| SuspiciousColumn {
        column,
        hits: suspicion.hits,
        values: suspicion.values,
        by_name: suspicion.by_name,
    });
    ImportDocument {
        tenant,
        upload_id: imported.upload_id,
        file_name: &imported.file_name,
        accepted_at: imported.accepted_at,
        accepted: imported.accepted,
        rejected: imported.rejected,
        recognised: imported.recognised,
        rejects_file: rejects_file(imported),
        not_bare_emails: NotBareEmails {
            count: notes.not_bare.rows,
            first: not_bare.collect(),
        },
        repeated_headers: lines(&notes.headers),
        summary_rows: lines(&notes.summaries),
        suspicious_columns: suspicious.collect(),
        warnings: warnings::of(notes),
    }
}

fn lines(noted: &Noted<()>) -> Lines {
    Lines {
        count: noted.rows,
        first_lines: noted.first.iter().map(|(line, ())| *line).collect(),
    }
}

fn rejects_file(imported: &Imported) -> Option<String> {
    let path = imported.rejects_file.as_ref()?;
    Some(path.display().to_string())
}

fn print_table(tenant: &str, imported: &Imported) -> Result<(), Failure> {
    let dash = || "-".to_owned();
    let facts = [
        ("tenant", tenant.to_owned()),
        (
            "upload",
            imported.upload_id.map_or_else(dash, |id| id.to_string()),
        ),
        ("file", imported.file_name.clone()),
        ("accepted at", output::instant(imported.accepted_at)),
        ("accepted", imported.accepted.to_string()),
        (
            "recognised",
            format!("{} (unsubscribed)", imported.recognised),
        ),
        ("rejected", imported.rejected.to_string()),
        ("rejects file", rejects_file(imported).unwrap_or_else(dash)),
    ];
    output::print(&output::facts(&facts))
}
