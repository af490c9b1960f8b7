//! `demo`: a scratch database of its own, the run of 2024-04 on it, and what to try next.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::config::Config;
use crate::demo::{self, DemoError};
use crate::keyring;
use crate::telemetry::stderr;

use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format};
use super::progress;

mod text;

/// The same people every time.
const SEED: u64 = 20_240_401;

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Makes a SQLite database, a keyring and a configuration in DIR and runs the real \
    engine on invented people. It reads and touches nothing that is configured elsewhere. Exit \
    code 1 if a result differs from the specification."
)]
pub struct DemoArguments {
    /// Where to make the database: an empty directory, or one that does not exist yet [default: a new
    /// one below the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Participants of the other tenants
    #[arg(long, value_name = "N", default_value_t = 20_000,
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    participants: u32,
}

/// `demo`.
pub async fn demo(context: &CommandContext, arguments: DemoArguments) -> Result<Exit, Failure> {
    if context.config_file.is_some() {
        return Err(Failure::usage(
            "demo makes a configuration of its own; leave --config out",
        ));
    }
    let started = Instant::now();
    let scene = Scene::set(context, arguments.dir)?;
    let terminal = stderr::is_terminal();
    // Without the environment: the demo must never run on a database that is configured there.
    let config = Config::load(Some(&scene.config_file), std::iter::empty())?;
    let engine = context.engine(&config).await?;
    if terminal {
        say(&format!("inventing {} people …", arguments.participants));
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let tenants = demo::seed(&engine, arguments.participants, context.now()?, &mut random).await?;
    let seeded_seconds = started.elapsed().as_secs_f64();
    let play = demo::play(&engine, &tenants, &scene.directory);
    let story = progress::shown(&engine, "running", play).await?;
    engine.database.close().await;
    match context.format {
        Format::Json => output::print_json(&story)?,
        Format::Table => {
            let seconds = text::Seconds {
                seeding: seeded_seconds,
                whole: started.elapsed().as_secs_f64(),
            };
            let color = stderr::wants_colors(&std::io::stdout());
            output::print(&text::render(&story, &scene, seconds, color))?;
        }
    }
    if std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("RETENTIOND__")) {
        say(
            "note: RETENTIOND__ variables are set; unset them before you try these commands, or they \
             act on what the variables name",
        );
    }
    for problem in &story.problems {
        say(&format!("error: differs from the specification: {problem}"));
    }
    Ok(if story.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Where the demo plays.
struct Scene {
    directory: PathBuf,
    config_file: PathBuf,
}

impl Scene {
    /// Makes the directory, the keyring and the configuration.
    fn set(context: &CommandContext, wanted: Option<PathBuf>) -> Result<Self, Failure> {
        let directory = match wanted {
            Some(directory) => directory,
            None => std::env::temp_dir()
                .join(format!("retentiond-demo-{}", context.ids.token().simple())),
        };
        // The configuration is read from wherever the next command is typed.
        let directory = std::path::absolute(&directory).map_err(|error| {
            Failure::usage(format_args!(
                "--dir {}: {}",
                directory.display(),
                error.kind()
            ))
        })?;
        let Some(name) = directory.to_str().map(str::to_owned) else {
            return Err(Failure::usage(format_args!(
                "--dir {}: a configuration file can name only paths in UTF-8; choose another",
                directory.display()
            )));
        };
        make_empty(&directory)?;
        let keyring_file = directory.join("retentiond.keyring");
        keyring::generate(&keyring_file, &mut rand::rng(), context.now()?)?;
        let config_file = directory.join("retentiond.toml");
        write_config(&config_file, &configuration(&name)).map_err(|error| {
            Failure::failed(format_args!(
                "cannot write {}: {}",
                config_file.display(),
                error.kind()
            ))
        })?;
        Ok(Self {
            directory,
            config_file,
        })
    }
}

/// Refuses a directory that holds anything: it may be somebody's.
fn make_empty(directory: &Path) -> Result<(), Failure> {
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::usage(format_args!(
            "--dir {}: {why}; name an empty directory, or one that is not there yet",
            directory.display()
        ))
    };
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(refuse(&"the directory is not empty")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| refuse(&error.kind())),
        Err(error) => Err(refuse(&error.kind())),
    }
}

fn write_config(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

fn configuration(directory: &str) -> String {
    format!(
        "# Of `retentiond demo`: invented people, to be thrown away.\n\
         [database]\nurl = {}\n\n[suppression]\nkeyring_file = {}\n",
        quoted(&format!(
            "sqlite://{}/retentiond.db?mode=rwc",
            percent_encoded(directory)
        )),
        quoted(&format!("{directory}/retentiond.keyring"))
    )
}

/// Text as a TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A path as it may stand in a URL.
fn percent_encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Engine(error) => error.into(),
            DemoError::Store(error) => error.into(),
            DemoError::Intake(error) => error.into(),
            DemoError::Tenants(error) => error.into(),
            DemoError::Zone(error) => Self::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_directory_survives_toml_and_url() {
        let text = configuration("/tmp/a \"b\" %#?é\\");
        let parsed: toml::Value = toml::from_str(&text).expect("TOML");
        assert_eq!(
            parsed["suppression"]["keyring_file"].as_str(),
            Some("/tmp/a \"b\" %#?é\\/retentiond.keyring")
        );
        assert_eq!(
            parsed["database"]["url"].as_str(),
            Some("sqlite:///tmp/a%20%22b%22%20%25%23%3F%C3%A9%5C/retentiond.db?mode=rwc")
        );
    }
}
