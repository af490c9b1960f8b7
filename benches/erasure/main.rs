//! How fast `retentiond` erases, and who notices: side by side with one giant statement, and on MariaDB
//! with `pt-archiver`, on the same data restored each time. Run it by `benches/run`; see
//! `docs/performance.md` for what it measures and what came out.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to whoever runs it"
)]

mod contender;
mod data;
mod foreground;
mod measure;
mod noise;
mod plot;
mod report;
mod server;
mod work;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use retentiond::store::Dialect;

use contender::Contender;
use data::Data;
use measure::{Figures, Surroundings};
use report::Report;
use server::Server;
use work::Work;

/// Measures how fast participants are erased, side by side with other ways to do it.
#[derive(Parser)]
struct Arguments {
    /// postgres, mariadb or sqlite; all of them if left out.
    #[arg(long, value_delimiter = ',', value_parser = dialect)]
    database: Vec<Dialect>,
    /// Participants in all 20 tenants together; each has 12 child rows.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    participants: u64,
    /// Makes the data; the same seed, the same data.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// How often each contender is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repetitions: u32,
    /// anonymize or purge; both if left out.
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// Only these contenders, by their names in the report.
    #[arg(long, value_delimiter = ',')]
    contender: Vec<Contender>,
    /// Settings of the contender "ours": RETENTIOND__… names and values. For comparing settings.
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
    /// The binary to be measured.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_retentiond"))]
    binary: PathBuf,
    /// Where the report goes.
    #[arg(long, default_value = "target/benchmark")]
    out: PathBuf,
    /// Prints ratios however noisy the machine was. They mean nothing then.
    #[arg(long)]
    ignore_noise: bool,
    /// What `cargo bench` passes on.
    #[arg(long, hide = true)]
    bench: bool,
}

fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "postgres" => Ok(Dialect::Postgres),
        "mariadb" => Ok(Dialect::MariaDb),
        "sqlite" => Ok(Dialect::Sqlite),
        _ => Err("known are: postgres, mariadb, sqlite".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match compare_all(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn compare_all(mut arguments: Arguments) -> Result<()> {
    if arguments.database.is_empty() {
        arguments.database = vec![Dialect::Postgres, Dialect::MariaDb, Dialect::Sqlite];
    }
    if arguments.work.is_empty() {
        arguments.work = Work::ALL.to_vec();
    }
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let mut was_noisy = false;
    for dialect in arguments.database.clone() {
        was_noisy |= compare(&arguments, dialect).await?;
    }
    if was_noisy && !arguments.ignore_noise {
        bail!(
            "the machine was too noisy to compare anything: see above; nothing is said of ratios"
        );
    }
    Ok(())
}

/// Measures every contender on one database; returns whether the machine was too noisy.
async fn compare(arguments: &Arguments, dialect: Dialect) -> Result<bool> {
    let data = Data {
        participants: arguments.participants,
        seed: arguments.seed,
    };
    eprintln!(
        "{}: loading {} participants",
        dialect.name(),
        data.participants
    );
    let home = tempfile::tempdir()?;
    let mut template = Server::make(dialect, home.path()).await?;
    let keyring = home.path().join("keyring");
    measure::prepare(&arguments.binary, &template, &keyring)?;
    let connection = template.connect().await?;
    data.load(&connection, dialect).await?;
    let people = data.sample(&connection).await?;
    connection.close().await?;
    template.stop()?;
    let mut figures: Vec<Figures> = Vec::new();
    // Repetition by repetition, so that whatever drifts meets all of them.
    for repetition in 1..=arguments.repetitions {
        for &work in &arguments.work {
            for contender in Contender::of(work, dialect) {
                if !arguments.contender.is_empty() && !arguments.contender.contains(&contender) {
                    continue;
                }
                // The slow pace is for the foreground; once is enough to see it.
                if contender.is_measured_once() && repetition > 1 {
                    continue;
                }
                let quiet = noise::look()?;
                let surroundings = Surroundings {
                    binary: &arguments.binary,
                    keyring: &keyring,
                    settings: &arguments.setting,
                    people: &people,
                };
                let mut server = template.restored().await?;
                let found = measure::one(
                    &surroundings,
                    &server,
                    contender,
                    work,
                    &data,
                    repetition,
                    quiet,
                )
                .await
                .with_context(|| format!("{work} by {contender}"))?;
                server.stop()?;
                eprintln!("{}", report::line(&found));
                figures.push(found);
            }
        }
    }
    let trouble = noise::trouble(&figures);
    let report = Report {
        database: dialect.name(),
        version: template.version.clone(),
        data,
        figures,
        trouble,
    };
    report.print(arguments.ignore_noise);
    let stem = format!(
        "{}-{}",
        dialect.name().to_lowercase(),
        arguments.participants
    );
    let json = arguments.out.join(format!("{stem}.json"));
    fs::write(&json, report.json()?).with_context(|| format!("cannot write {}", json.display()))?;
    println!("written: {}", json.display());
    if report.may_compare(arguments.ignore_noise) {
        let svg = arguments.out.join(format!("{stem}.svg"));
        plot::draw(&report, &svg)?;
        println!("written: {}", svg.display());
    }
    Ok(report.trouble.is_some())
}
