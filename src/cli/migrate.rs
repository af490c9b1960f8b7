//! `migrate up` and `migrate status`: the schema.

use clap::Subcommand;
use serde::Serialize;

use crate::config::Config;
use crate::store::schema::{self, SchemaError, SchemaStatus};

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::{self, Format};

/// Verbs of `migrate`.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Bring the schema up to this version; wait for another process that does the same
    Up,
    /// Compare the schema with this version; exit code 1 if anything is pending
    Status,
}

/// `migrate`.
pub async fn migrate(context: &CommandContext, command: MigrateCommand) -> Result<Exit, Failure> {
    let config = context.config()?;
    match command {
        MigrateCommand::Up => {
            let database = context.connect(&config).await?;
            schema::migrate_up(&database).await?;
            let status = schema::status(&database).await?;
            database.close().await;
            changed::tell(&config);
            print_status(context.format, &status, Some(&config))?;
            Ok(Exit::Done)
        }
        MigrateCommand::Status => {
            let status = status(context, &config).await?;
            print_status(context.format, &status, None)?;
            if let Some(newest) = status.unknown.last() {
                return Err(SchemaError::Ahead {
                    newest: newest.clone(),
                }
                .into());
            }
            Ok(if status.pending.is_empty() {
                Exit::Done
            } else {
                Exit::Failed
            })
        }
    }
}

/// Looking must not create a SQLite file.
async fn status(context: &CommandContext, config: &Config) -> Result<SchemaStatus, Failure> {
    if config.database.url.names_missing_file() {
        return Ok(SchemaStatus::of_nothing());
    }
    let database = context.connect(config).await?;
    let status = schema::status(&database).await?;
    database.close().await;
    Ok(status)
}

#[derive(Serialize)]
struct StatusDocument<'a> {
    migrations: Vec<MigrationDocument<'a>>,
}

#[derive(Serialize)]
struct MigrationDocument<'a> {
    name: &'a str,
    state: &'static str,
}

/// `changed` is the configuration of a command that may have changed the schema.
fn print_status(
    format: Format,
    status: &SchemaStatus,
    changed: Option<&Config>,
) -> Result<(), Failure> {
    let in_state = |names: &'_ [String], state| -> Vec<(String, &'static str)> {
        names.iter().map(|name| (name.clone(), state)).collect()
    };
    let known: Vec<String> = status
        .applied
        .iter()
        .filter(|name| !status.unknown.contains(name))
        .cloned()
        .collect();
    let mut migrations = in_state(&known, "applied");
    migrations.extend(in_state(&status.pending, "pending"));
    migrations.extend(in_state(&status.unknown, "unknown"));
    match format {
        Format::Json => {
            let document = StatusDocument {
                migrations: migrations
                    .iter()
                    .map(|(name, state)| MigrationDocument { name, state })
                    .collect(),
            };
            match changed {
                Some(config) => changed::print_json(config, &document),
                None => output::print_json(&document),
            }
        }
        Format::Table => {
            let mut table = output::table(&["migration", "state"]);
            for (name, state) in &migrations {
                table.add_row([name.as_str(), state]);
            }
            output::print(&output::table_text(&table))
        }
    }
}
