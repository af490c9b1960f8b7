//! One measurement: one contender, one piece of work, on restored data.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use retentiond::store::Dialect;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde::Serialize;

use crate::contender::Contender;
use crate::data::{Data, Person, TENANTS};
use crate::foreground::{Foreground, Latency, idle};
use crate::noise::Quiet;
use crate::server::{Server, number, succeed};
use crate::work::Work;

/// How long the foreground is looked at before the work begins.
const IDLE: Duration = Duration::from_secs(8);

/// What all measurements share.
pub struct Surroundings<'a> {
    pub binary: &'a Path,
    pub keyring: &'a Path,
    pub settings: &'a [String],
    pub people: &'a [Person],
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub work: String,
    pub contender: String,
    pub repetition: u32,
    pub participants: u64,
    pub seconds: f64,
    pub rows_per_second: f64,
    /// Beyond what the foreground wrote.
    pub log_bytes_per_row: Option<f64>,
    /// Of the process that drives the work; a giant statement has none.
    pub peak_memory_mebibytes: Option<f64>,
    pub idle: Latency,
    pub during: Latency,
    pub quiet: Quiet,
}

/// Makes the schema and the keyring.
pub fn prepare(binary: &Path, server: &Server, keyring: &Path) -> Result<()> {
    for arguments in [&["migrate", "up"][..], &["keys", "generate"]] {
        succeed(ours(binary, server, keyring).args(arguments))?;
    }
    Ok(())
}

fn ours(binary: &Path, server: &Server, keyring: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("RETENTIOND__DATABASE__URL", server.url())
        .env("RETENTIOND__SUPPRESSION__KEYRING_FILE", keyring)
        .env("RETENTIOND__LOG__LEVEL", "warn");
    command
}

pub async fn one(
    surroundings: &Surroundings<'_>,
    server: &Server,
    contender: Contender,
    work: Work,
    data: &Data,
    repetition: u32,
    quiet: Quiet,
) -> Result<Figures> {
    let connection = server.connect().await?;
    let (anonymize, retain) = work.terms();
    let since = if server.dialect() == Dialect::MariaDb {
        "'2020-01-01'"
    } else {
        "'2020-01-01T00:00:00+00:00'"
    };
    connection
        .execute_unprepared(&format!(
            "INSERT INTO policy (tenant_id, version, anonymize_after_months, retain_months, \
             effective_from, created_at, created_by, reason) \
             SELECT id, 1, {anonymize}, {retain}, {since}, {since}, 'bench', '' FROM tenant"
        ))
        .await?;
    let left = async || {
        let condition = work.condition(server.dialect());
        let sql = format!("SELECT COUNT(*) AS n FROM participant WHERE {condition}");
        Ok::<_, anyhow::Error>(u64::try_from(number(&connection, &sql).await?)?)
    };
    let participants = work.participants(data);
    ensure!(
        left().await? == participants,
        "the data is not what it should be"
    );

    let foreground = Foreground::begin(server, surroundings.people).await?;
    let before = server.log_bytes(&connection).await?;
    let idle_began = Instant::now();
    let idle = idle(&foreground, IDLE).await;
    let idle_seconds = idle_began.elapsed().as_secs_f64();
    let between = server.log_bytes(&connection).await?;
    let began = Instant::now();
    let peak = erase(surroundings, server, contender, work).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = server.log_bytes(&connection).await?;
    let during = foreground.end().await?;
    ensure!(left().await? == 0, "it did not do the work");
    connection.close().await?;

    let log_bytes_per_row = before
        .zip(between)
        .zip(after)
        .map(|((before, between), after)| {
            let of_foreground = float(between - before) / idle_seconds * seconds;
            (float(after - between) - of_foreground) / float(participants)
        });
    Ok(Figures {
        work: work.to_string(),
        contender: contender.to_string(),
        repetition,
        participants,
        seconds,
        rows_per_second: float(participants) / seconds,
        log_bytes_per_row,
        peak_memory_mebibytes: peak,
        idle,
        during,
        quiet,
    })
}

/// Does the work; the peak memory of the process that did, where there is one.
async fn erase(
    surroundings: &Surroundings<'_>,
    server: &Server,
    contender: Contender,
    work: Work,
) -> Result<Option<f64>> {
    if let Some(settings) = contender.settings() {
        let mut command = ours(surroundings.binary, server, surroundings.keyring);
        command.envs(settings.iter().copied()).arg("run");
        for setting in surroundings.settings {
            let (name, value) = setting
                .split_once('=')
                .context("--setting wants NAME=VALUE")?;
            command.env(name, value);
        }
        return watch(command).await.map(Some);
    }
    if contender == Contender::PtArchiver {
        return archive(server, work).await;
    }
    let connection = server.connect().await?;
    let explicit = contender == Contender::GiantExplicit;
    let everybody = match server.dialect() {
        // A page has rows of all tenants. What goes tenant by tenant, as we must, writes it once for each,
        // and one statement for everybody only once: that would be another piece of work.
        Dialect::Sqlite => (1..=TENANTS).map(Some).collect(),
        _ => vec![None],
    };
    for tenant in everybody {
        let transaction = connection.begin().await?;
        for statement in work.giant(server.dialect(), explicit, tenant) {
            transaction.execute_unprepared(&statement).await?;
        }
        transaction.commit().await?;
    }
    Ok(None)
}

/// Tenant by tenant, along the index that we use too, 1,000 rows a transaction.
async fn archive(server: &Server, work: Work) -> Result<Option<f64>> {
    let connection = server.connect().await?;
    let tenants = number(&connection, "SELECT MAX(id) AS n FROM tenant").await?;
    let mut peak: f64 = 0.0;
    for tenant in 1..=tenants {
        let mut command = Command::new("pt-archiver");
        command
            .arg(format!(
                "--source=h=127.0.0.1,P={},u=root,D=bench,t=participant,i=participant_added_at",
                server.port()
            ))
            .arg(format!(
                "--where=tenant_id = {tenant} AND {}",
                work.condition(server.dialect())
            ))
            .args(["--purge", "--bulk-delete", "--limit=1000", "--commit-each"])
            // Checks that the table has a primary key in one column, and what it takes for text.
            .args([
                "--no-check-charset",
                "--no-version-check",
                "--primary-key-only",
            ]);
        peak = peak.max(watch(command).await?);
    }
    Ok(Some(peak))
}

/// Runs a command to its end; its peak memory in MiB.
async fn watch(mut command: Command) -> Result<f64> {
    let output = tempfile::NamedTempFile::new()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.reopen()?)
        .stderr(output.reopen()?)
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut peak: f64 = 0.0;
    let status = loop {
        peak = peak.max(peak_mebibytes(&child).unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ensure!(
        status.success(),
        "{command:?}: {status}\n{}",
        fs::read_to_string(output.path())?
    );
    Ok(peak)
}

fn peak_mebibytes(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn float(number: u64) -> f64 {
    number as f64
}
