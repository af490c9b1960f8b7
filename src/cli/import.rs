//! `import`: an upload.

use std::io::IsTerminal;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use uuid::Uuid;

use crate::intake::import::{self, ImportOptions, Imported};
use crate::intake::mapping::MappingOptions;

use super::exit::{Exit, Failure};
use super::output::{self, Format};
use super::run::say;
use super::session::Session;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is CSV in UTF-8: commas, a header line, quotation marks where needed; a \
    byte-order mark and CRLF are fine. Columns named first_name, last_name, email, phone and \
    customer_id are these fields; --map names others. Every other column becomes metadata, which \
    anonymization keeps: a warning names those that look like personal data. Rows that cannot be \
    taken go to FILE.rejects.csv with line and reason (exit code 3); the others are imported. It is \
    one transaction: if it is interrupted, nothing was imported, and it can be repeated."
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
pub async fn import(session: &Session, arguments: ImportArguments) -> Result<Exit, Failure> {
    let mut mapping = MappingOptions {
        added_at_column: arguments.added_at_column,
        ..MappingOptions::default()
    };
    for map in &arguments.maps {
        mapping.add(map)?;
    }
    let config = session.config()?;
    let database = session.database(&config).await?;
    let tenant = session.intake_tenant(&database, &arguments.tenant).await?;
    let keyring = session.keyring(&config, &database).await?;
    let intake = session.intake(&config, database, keyring);
    let options = ImportOptions {
        file: arguments.file,
        mapping,
        accepted_at: arguments.accepted_at,
        again: arguments.again,
    };
    let bar = progress_bar();
    let progress = |read: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(read);
    };
    let imported = import::import(&intake, &tenant, &options, &progress).await;
    bar.finish_and_clear();
    let imported = imported?;
    for warning in warnings(&imported) {
        say(&format!("warning: {warning}"));
    }
    match session.format {
        Format::Json => output::print_json(&document(&tenant.slug, &imported))?,
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

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("importing {bar:30} {bytes} of {total_bytes} [{elapsed}]")
    {
        bar.set_style(style);
    }
    bar
}

/// Sentences about columns and rows; names and numbers only, never values.
fn warnings(imported: &Imported) -> Vec<String> {
    let mut warnings = Vec::new();
    if imported.left_out_columns {
        warnings.push(
            "the file begins with the columns line and reason, like a rejects file; they were left \
             out (give them other names to store them)"
                .to_owned(),
        );
    }
    let spanning = imported.accepted_spanning_lines;
    if spanning > 0 {
        let rows = if spanning == 1 {
            "row spans"
        } else {
            "rows span"
        };
        warnings.push(format!(
            "{spanning} accepted {rows} several lines of the file; if no value has line breaks, a \
             quotation mark is missing, and people on those lines were not imported"
        ));
    }
    let columns = imported.suspicious_columns.iter();
    warnings.extend(columns.map(|column| {
        format!(
            "the column {column:?} looks like personal data; it was stored as metadata, which \
                 anonymization keeps (use --map to make it a field)"
        )
    }));
    warnings
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
    warnings: Vec<String>,
}

fn document<'a>(tenant: &'a str, imported: &'a Imported) -> ImportDocument<'a> {
    ImportDocument {
        tenant,
        upload_id: imported.upload_id,
        file_name: &imported.file_name,
        accepted_at: imported.accepted_at,
        accepted: imported.accepted,
        rejected: imported.rejected,
        recognised: imported.recognised,
        rejects_file: rejects_file(imported),
        warnings: warnings(imported),
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
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&format!("{name:<14}{value}\n"));
    }
    output::print(&text)
}
