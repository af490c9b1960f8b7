//! `config check` and `config show`: what is configured, without its secrets, and which time-zone rules
//! this machine has. Opens no database.

use clap::Subcommand;

use crate::keyring::{self, KeyringFileError};
use crate::store;
use crate::tzdata::bundled_release;

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format};

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration and check every setting
    Check,
    /// Show the effective configuration, secrets left out, and which time-zone rules are in use
    Show,
}

/// `config`.
pub fn config(context: &CommandContext, command: ConfigCommand) -> Result<Exit, Failure> {
    // Reading it is checking it.
    let config = context.config()?;
    if let Err(error) = config.require_named_database() {
        // Systemd may have it as a credential, which is the service's alone.
        say(&format!("warning: {error}"));
    }
    if let ConfigCommand::Check = command {
        store::believe_files(&config.database.url)?;
        let keyring_file = &config.suppression.keyring_file;
        // What else may be wrong with it depends on the database, or it is a credential of the service's alone.
        if let Err(
            error @ (KeyringFileError::TooOpen { .. } | KeyringFileError::Untrusted { .. }),
        ) = keyring::load(keyring_file)
        {
            return Err(error.into());
        }
    }
    changed::warn(&config);
    let warnings: Vec<&str> = config
        .warnings
        .iter()
        .map(|one| one.sentence.as_str())
        .collect();
    let named = serde_json::json!({
        "configuration_file": changed::configuration_file(&config),
        "database": config.database.url.place(),
        "warnings": warnings,
    });
    match (command, context.format) {
        (ConfigCommand::Check, Format::Table) => {
            let file = changed::configuration_file(&config);
            say(&format!(
                "configuration file: {}; database: {}",
                file.as_deref().unwrap_or("none"),
                changed::database(&config)
            ));
            output::print_line("ok")?;
        }
        (ConfigCommand::Check, Format::Json) => {
            let mut shown = named;
            shown["ok"] = true.into();
            output::print_json(&shown)?;
        }
        (ConfigCommand::Show, Format::Table) => {
            let mut table = output::table(&["setting", "value"]);
            for (setting, value) in config.settings() {
                table.add_row([setting, value.unwrap_or_else(|| "-".to_owned())]);
            }
            output::print(&output::table_text(&table))?;
            let file = changed::configuration_file(&config);
            output::print_line(&format!(
                "configuration file: {}",
                file.as_deref().unwrap_or("none")
            ))?;
            output::print_line(&format!("database: {}", changed::database(&config)))?;
            let rules = context.tzdata.newest();
            output::print_line(&format!(
                "time-zone rules: tzdata {}, from {}",
                rules.release(),
                rules.source()
            ))?;
            if let Ok(now) = context.now()
                && let Some(complaint) = rules.complaint(now)
            {
                say(&format!("warning: {complaint}"));
            }
        }
        (ConfigCommand::Show, Format::Json) => {
            let rules = context.tzdata.newest();
            let mut shown = config.effective();
            shown["configuration_file"] = named["configuration_file"].clone();
            shown["warnings"] = named["warnings"].clone();
            shown["tzdata"] = serde_json::json!({
                "release": rules.release().name(),
                "source": rules.source().name(),
                "directory": rules.source().directory(),
                "bundled_release": bundled_release().name(),
            });
            output::print_json(&shown)?;
        }
    }
    Ok(Exit::Done)
}
