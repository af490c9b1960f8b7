//! Which database a command has changed, and who told it so: a configuration that was found in the working
//! directory may name another one than was meant.

use serde::Serialize;

use crate::config::{Config, DatabasePlace};

use super::exit::Failure;
use super::output;
use super::output::say;

/// A document of a command that changes a database, with that database.
#[derive(Serialize)]
struct Changed<'a, T> {
    #[serde(flatten)]
    document: &'a T,
    database: Option<DatabasePlace>,
    configuration_file: Option<String>,
}

/// Tells people on stderr which database was changed, and what lets others in there. Comes when it is done, so that
/// an error stays one line.
pub(super) fn tell(config: &Config) {
    let database = database(config);
    let by = match configuration_file(config) {
        Some(file) => format!("configuration {file}"),
        None => "no configuration file".to_owned(),
    };
    say(&format!("database: {database} ({by})"));
    warn(config);
}

/// Says what is allowed and lets somebody else in.
pub(super) fn warn(config: &Config) {
    for warning in &config.warnings {
        say(&format!("warning: {}", warning.sentence));
    }
}

/// As events, for commands whose log is the only thing on stderr.
pub(super) fn log(config: &Config, server: &str) {
    tracing::info!(
        event = "database_opened",
        server,
        database = database(config),
        configuration_file = configuration_file(config),
        "the database is open"
    );
}

/// Prints the document of a command that has changed the database.
pub(super) fn print_json<T: Serialize>(config: &Config, document: &T) -> Result<(), Failure> {
    output::print_json(&Changed {
        document,
        database: config.database.url.place(),
        configuration_file: configuration_file(config),
    })
}

/// Kind, place and name, or the file.
pub(super) fn database(config: &Config) -> String {
    let place = config.database.url.place();
    place.map_or_else(|| "unknown".to_owned(), |place| place.to_string())
}

/// The whole path of the configuration that was taken.
pub(super) fn configuration_file(config: &Config) -> Option<String> {
    config.whole_file().map(|file| file.display().to_string())
}
