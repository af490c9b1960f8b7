//! `config check` and `config show`: what is configured, without its secrets. Opens nothing.

use clap::Subcommand;

use super::exit::{Exit, Failure};
use super::output::{self, Format};
use super::session::Session;

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration and check every setting
    Check,
    /// Show the effective configuration, secrets left out
    Show,
}

/// `config`.
pub fn config(session: &Session, command: ConfigCommand) -> Result<Exit, Failure> {
    // Reading it is checking it.
    let config = session.config()?;
    match (command, session.format) {
        (ConfigCommand::Check, Format::Table) => output::print_line("ok")?,
        (ConfigCommand::Check, Format::Json) => {
            output::print_json(&serde_json::json!({ "ok": true }))?;
        }
        (ConfigCommand::Show, Format::Table) => {
            let mut table = output::table(&["setting", "value"]);
            for (setting, value) in config.settings() {
                table.add_row([setting, value.unwrap_or_else(|| "-".to_owned())]);
            }
            output::print(&output::table_text(&table))?;
        }
        (ConfigCommand::Show, Format::Json) => output::print_json(&config.effective())?,
    }
    Ok(Exit::Done)
}
