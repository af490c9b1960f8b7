//! `keys generate`, `keys check` and `keys rotate`: the keyring file. Secrets are never shown.

use clap::Subcommand;
use serde::Serialize;

use crate::config::Config;
use crate::keyring::{self, KeyringFileError};
use crate::store::keys::{self, KeyCheckError, KeyStatus};
use crate::store::{Database, ErrorClass, StoreError, schema, suppressions};

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format};

/// Verbs of `keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Write a new keyring file with one key, mode 0600; never overwrite a file
    #[command(
        after_help = "For a new database only: a database that has seen other keys refuses the \
        command (exit code 4), because people who unsubscribed would not be recognised any more. \
        Keep a backup of the file."
    )]
    Generate,
    /// Check the keyring file, and compare it with the database
    Check,
    /// Add a new key and make it the active one; old keys stay for look-ups
    #[command(
        after_help = "Every host needs the new file; a running service reads it after a reload or \
        a restart. Never remove an old key: a stored hash can be found only with its own key."
    )]
    Rotate,
}

/// `keys`.
pub async fn keys(context: &CommandContext, command: KeysCommand) -> Result<Exit, Failure> {
    let config = context.config()?;
    match command {
        KeysCommand::Generate => generate(context, &config).await,
        KeysCommand::Check => check(context, &config).await,
        KeysCommand::Rotate => rotate(context, &config).await,
    }
}

async fn generate(context: &CommandContext, config: &Config) -> Result<Exit, Failure> {
    let path = &config.suppression.keyring_file;
    // Said before the database is waited for; what counts is that `keyring::generate` looks again.
    if path.symlink_metadata().is_ok() {
        return Err(KeyringFileError::AlreadyExists { path: path.clone() }.into());
    }
    match known_keys(context, config).await {
        Ok(known) if known.is_empty() => {}
        Ok(known) => {
            return Err(Failure::refused(format_args!(
                "this database was started with other keys ({}), and with a new keyring people who \
                 unsubscribed would not be recognised; restore the original keyring file to {}",
                known.join(", "),
                path.display()
            )));
        }
        Err(error) => warn_not_asked(&error),
    }
    let key_id = keyring::generate(path, &mut rand::rng(), context.now()?)?;
    print_key(context, config, key_id.as_str())?;
    Ok(Exit::Done)
}

/// Ids of the keys that the database has seen; none where it has not been made yet.
async fn known_keys(context: &CommandContext, config: &Config) -> Result<Vec<String>, StoreError> {
    let Some(database) = existing(context, config).await? else {
        return Ok(Vec::new());
    };
    let transaction = database.begin_read("asking for known keys").await?;
    let known = match suppressions::known_keys(&transaction).await {
        Ok(known) => known,
        // An older schema, from before there were any.
        Err(error) if error.class() == ErrorClass::Schema => Vec::new(),
        Err(error) => return Err(error),
    };
    transaction.rollback().await?;
    database.close().await;
    Ok(known.into_iter().map(|key| key.key_id).collect())
}

/// The database, if it is there and has a schema. Creates neither.
async fn existing(
    context: &CommandContext,
    config: &Config,
) -> Result<Option<Database>, StoreError> {
    if config.database.url.names_missing_file() {
        return Ok(None);
    }
    let database = context.open(config).await?;
    if schema::status(&database).await?.applied.is_empty() {
        database.close().await;
        return Ok(None);
    }
    Ok(Some(database))
}

async fn check(context: &CommandContext, config: &Config) -> Result<Exit, Failure> {
    let keyring = keyring::load(&config.suppression.keyring_file)?;
    let database = context.database(config).await?;
    let statuses = keys::check(&database, &keyring).await?;
    database.close().await;
    print_statuses(context, config, &statuses)?;
    Ok(Exit::Done)
}

async fn rotate(context: &CommandContext, config: &Config) -> Result<Exit, Failure> {
    let path = &config.suppression.keyring_file;
    let keyring = keyring::load_to_rotate(path)?;
    let database = match existing(context, config).await {
        Ok(database) => database,
        Err(error) => {
            warn_not_asked(&error);
            None
        }
    };
    if let Some(database) = &database {
        schema::ensure_current(database).await?;
        keys::check(database, &keyring).await?;
    }
    let key_id = keyring::rotate(path, &mut rand::rng(), context.now()?)?;
    print_key(context, config, key_id.as_str())?;
    if let Some(database) = database {
        let keyring = keyring::load(path)?;
        match keys::check_and_register(&database, &keyring, context.now()?).await {
            Ok(()) => changed::tell(config),
            // The first command that uses the key makes it known all the same.
            Err(KeyCheckError::Store(error)) => say(&format!(
                "warning: the keys are rotated, but the database does not know the new one yet: \
                 {error}"
            )),
            Err(error) => return Err(error.into()),
        }
        database.close().await;
    }
    Ok(Exit::Done)
}

fn warn_not_asked(error: &StoreError) {
    say(&format!(
        "warning: the keyring was not compared with the database ({error}); run `retentiond keys \
         check` when it can be reached"
    ));
}

#[derive(Serialize)]
struct KeyDocument<'a> {
    keyring_file: String,
    key_id: &'a str,
}

/// A new key: where it is and what it is called.
fn print_key(context: &CommandContext, config: &Config, key_id: &str) -> Result<(), Failure> {
    let keyring_file = config.suppression.keyring_file.display().to_string();
    match context.format {
        Format::Json => output::print_json(&KeyDocument {
            keyring_file,
            key_id,
        }),
        Format::Table => {
            let mut table = output::table(&["keyring file", "active key"]);
            table.add_row([keyring_file.as_str(), key_id]);
            output::print(&output::table_text(&table))
        }
    }
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    keyring_file: String,
    keys: &'a [KeyStatus],
}

fn print_statuses(
    context: &CommandContext,
    config: &Config,
    statuses: &[KeyStatus],
) -> Result<(), Failure> {
    match context.format {
        Format::Json => output::print_json(&CheckDocument {
            keyring_file: config.suppression.keyring_file.display().to_string(),
            keys: statuses,
        }),
        Format::Table => {
            let yes_or_no = |yes| if yes { "yes" } else { "no" };
            let mut table = output::table(&["key", "active", "known", "in use"]);
            for status in statuses {
                table.add_row([
                    status.key_id.as_str(),
                    yes_or_no(status.active),
                    yes_or_no(status.known),
                    yes_or_no(status.in_use),
                ]);
            }
            output::print(&output::table_text(&table))
        }
    }
}
