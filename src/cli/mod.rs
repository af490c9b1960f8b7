//! The command line: one file a noun. Data goes to stdout, everything else to stderr.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

mod calendar;
mod changed;
pub mod command_context;
mod completions;
mod config;
mod demo;
mod environment;
pub mod exit;
mod import;
mod keys;
mod man;
mod migrate;
pub mod output;
mod participant;
mod policy;
mod printable;
mod progress;
mod run;
mod runs;
mod serve;
mod suppression;
mod tenant;
mod unsubscribe;
mod verify;

use command_context::CommandContext;
use exit::{Exit, Failure};
use output::Format;

use crate::core_dump;
use crate::file_fault::{self, FileFault};
use crate::telemetry::logs::Finish;
use crate::telemetry::stderr;

/// Anonymizes and deletes survey participants on time, for every tenant, exactly once.
///
/// Each tenant may set two periods. On the first of every month, participants older than the
/// anonymization period lose their name, e-mail address, telephone number and customer ID; those
/// older than the retention period are deleted with everything that belongs to them. If a person
/// unsubscribed, a keyed hash of the address stays, so that the person is recognised again.
#[derive(Debug, Parser)]
#[command(
    name = "retentiond",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 partly done, 4 \
                  refused by a safety rule, 5 another process holds the work.\nStart with \
                  `retentiond demo`: it needs nothing and shows everything."
)]
pub struct Cli {
    /// Configuration file [default: $RETENTIOND_CONFIG, ./retentiond.toml,
    /// /etc/retentiond/retentiond.toml, else built-in defaults]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Form of the data on standard output
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Format,

    #[command(subcommand)]
    command: Command,
}

/// How long what blocks a thread may hold up the end of the process.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// The nouns.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything on invented people, in a scratch database that you can explore afterwards
    Demo(demo::DemoArguments),
    /// Run as a daemon: do what is due on the first of each month, serve metrics and health
    ///
    /// Checks what is owed at the start, at the schedule's hour in each tenant's time zone, and every
    /// few minutes. Any number of these processes share one database. SIGTERM ends it after the current
    /// batches; after SIGHUP it reads the configuration and the keyring again.
    Serve,
    /// Do everything that is due, once, and exit
    Run(run::RunArguments),
    /// Show what a run would do, with exact counts; write nothing
    Plan(run::ScopeArguments),
    /// Check: was everything erased that was due, and do the records match the data?
    Verify(run::ScopeArguments),
    /// Show past runs
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Upload participants from a CSV file, and recognise those who unsubscribed
    Import(import::ImportArguments),
    /// Unsubscribe the address on standard input
    Unsubscribe(unsubscribe::UnsubscribeArguments),
    /// Check whether addresses are unsubscribed
    #[command(subcommand)]
    Suppression(suppression::SuppressionCommand),
    /// Add, list and show tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Set, show and explain the periods after which a tenant's data is erased
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Make, check and rotate the keys of the suppression hashes
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make or check the database's schema
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Show what is still stored about one participant, and when it is erased
    #[command(subcommand)]
    Participant(participant::ParticipantCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completions of a shell
    Completions(completions::CompletionsArguments),
    /// Print the manual page
    Man,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let forbidden = core_dump::forbid();
    crate::telemetry::logs::install_panic_hook();
    if let Err(error) = forbidden {
        output::say(&format!(
            "warning: the operating system still allows a core dump of this process, which would hold the keys \
             ({error}); set the limit to 0 (LimitCORE= in the unit, `ulimit -c 0` in a shell)"
        ));
    }
    match environment::leave_behind().and_then(|()| start(std::env::args_os())) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            if !failure.sentence.is_empty() {
                // Nothing more can be done if stderr is gone.
                let _ = writeln!(stderr::Stderr, "error: {}", failure.sentence);
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Below this the runtime itself does not come up, and says so with a panic. So it is if whoever started
/// us left hardly any over.
const OPEN_FILES_MIN: u64 = 64;

fn require_open_files() -> Result<(), Failure> {
    let few = match file_fault::open_files_max() {
        Ok(limit) => limit.filter(|limit| *limit < OPEN_FILES_MIN),
        Err(error) => FileFault::from(&error).is_limit().then_some(0),
    };
    match few {
        None if file_fault::likely_limit().is_some() => {
            Err(Failure::failed(file_fault::LIMIT_REACHED))
        }
        None => Ok(()),
        Some(_) => Err(Failure::usage(format_args!(
            "the limit of open files is below {OPEN_FILES_MIN}; raise it (LimitNOFILE= in the unit, \
             `ulimit -n` in a shell)"
        ))),
    }
}

fn start(arguments: impl Iterator<Item = OsString>) -> Result<Exit, Failure> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                // Nothing more can be done if the stream is gone.
                let _ = error.print();
                return Ok(Exit::Usage);
            }
            if error.use_stderr() {
                return Err(Failure::usage(one_line(&error)));
            }
            // Help and version are data. Nothing more can be done if the stream is gone.
            let _ = error.print();
            return Ok(Exit::Done);
        }
    };
    require_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::failed(format_args!(
                "cannot start the asynchronous runtime: {}",
                FileFault::from(&error)
            ))
        })?;
    let _log = Finish;
    let outcome = runtime.block_on(dispatch(cli));
    // Looking up a name blocks a thread, and a resolver that does not answer would hold up the exit.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    outcome
}

/// A usage error as one line. What was typed may be an address that belongs on standard input, so
/// anything that looks like one is not repeated.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("Usage:").next().unwrap_or_default();
    let said = said
        .split("For more information")
        .next()
        .unwrap_or_default();
    let said = said.trim_start_matches("error: ");
    let words: Vec<&str> = said
        .split_whitespace()
        .map(|word| {
            if word.contains('@') {
                "(not shown)"
            } else {
                word
            }
        })
        .collect();
    format!("{}; see `retentiond --help`", words.join(" "))
}

async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let context = CommandContext::new(cli.config, cli.output);
    match cli.command {
        Command::Demo(arguments) => demo::demo(&context, arguments).await,
        Command::Serve => serve::serve(&context).await,
        Command::Run(arguments) => run::run(&context, arguments).await,
        Command::Plan(arguments) => run::plan(&context, arguments).await,
        Command::Verify(arguments) => verify::verify(&context, arguments).await,
        Command::Runs(command) => runs::runs(&context, command).await,
        Command::Import(arguments) => import::import(&context, arguments).await,
        Command::Unsubscribe(arguments) => unsubscribe::unsubscribe(&context, arguments).await,
        Command::Suppression(command) => suppression::suppression(&context, command).await,
        Command::Tenant(command) => tenant::tenant(&context, command).await,
        Command::Policy(command) => policy::policy(&context, command).await,
        Command::Keys(command) => keys::keys(&context, command).await,
        Command::Migrate(command) => migrate::migrate(&context, command).await,
        Command::Participant(command) => participant::participant(&context, command).await,
        Command::Config(command) => config::config(&context, command),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man => man::man(),
    }
}
