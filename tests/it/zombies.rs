//! Zombies: processes that are stopped (SIGSTOP) past their lease, and woken again (SIGCONT) when
//! somebody else has done their work. A woken zombie commits nothing, and says so.
//!
//! - [`requests`]: a real `run`, stopped before or in the middle of a chosen request to the server, on
//!   PostgreSQL, on PostgreSQL through PgBouncer, and on MariaDB;
//! - [`files`]: a real `run` on SQLite, stopped at a chosen system call;
//! - [`replicas`]: real `serve`s, stopped again and again while they divide the work.
//!
//! The first two go through a sample of points; `RETENTIOND_TEST_CAMPAIGN=long` takes every one,
//! `RETENTIOND_TEST_SEED` another sample, and a failure prints the `RETENTIOND_TEST_POINT` that
//! repeats it alone.

mod files;
mod replicas;
mod requests;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::Value;

use crate::faults::state::State;
use crate::faults::tiny::{PERIOD, Tiny};
use crate::support::{Snapshot, holds_within};

/// What is promised: a replica takes over so long after its expiry at the latest.
const TAKEOVER_MARGIN: Duration = Duration::from_secs(5);

/// The lease of a [`Tiny`]'s processes.
const LEASE: Duration = Duration::from_secs(1);

/// For anything that only a hanging process or a very busy machine makes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The runs that a process claimed, by their ids: which attempt, and when.
type Claims = BTreeMap<String, (u64, DateTime<Utc>)>;

/// All that a run may change: every row with all of its columns, and the records.
struct Seen {
    snapshot: Snapshot,
    state: State,
}

async fn see(tiny: &Tiny) -> Seen {
    Seen {
        snapshot: tiny.look(async |db| Snapshot::take(db).await).await,
        state: tiny.state().await,
    }
}

impl Seen {
    fn require_equal(&self, when: &str, later: &Self) {
        let differences = self.snapshot.differences(&later.snapshot);
        assert!(
            differences.is_empty(),
            "{when}: the zombie wrote {differences:?}"
        );
        // The leases, too.
        assert_eq!(self.state.records, later.state.records, "{when}: records");
    }
}

/// Waits until no lease holds any more, by the database's clock.
async fn leases_to_expire(tiny: &Tiny, when: &str) {
    let expired = tiny.look(async |db| holds_within(PATIENCE, async || held(db).await == 0).await);
    assert!(expired.await, "{when}: a lease does not expire");
}

async fn held(db: &DatabaseConnection) -> i64 {
    let backend = db.get_database_backend();
    let now = retentiond::store::Dialect::of(backend).now();
    let sql = format!(
        "SELECT COUNT(*) AS n FROM run_lease WHERE token IS NOT NULL AND expires_at >= {now}"
    );
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await;
    let row = row.expect("a count").expect("a row");
    row.try_get("", "n").expect("a number")
}

/// Another process of the same kind, again and again while somebody holds a lease; its exit code and
/// its log.
async fn take_over(tiny: &Tiny, url: &str, when: &str) -> (i32, String) {
    let mut ended = (5, String::new());
    let in_time = holds_within(PATIENCE, async || {
        let output = run_command(tiny)
            .env("RETENTIOND__DATABASE__URL", url)
            .output()
            .expect("the binary starts");
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        ended = (output.status.code().expect("an exit code"), log);
        ended.0 != 5
    });
    assert!(in_time.await, "{when}: a lease was never given up");
    ended
}

fn run_command(tiny: &Tiny) -> Command {
    tiny.binary.command(&["run", "--period", PERIOD])
}

/// The runs that a log says were claimed.
fn claims(log: &str) -> Claims {
    events(log, "tenant_run_started")
        .map(|line| {
            let fields = &line["fields"];
            let run = fields["run_id"].as_str().expect("an id").to_owned();
            let attempt = fields["attempt"].as_u64().expect("a number");
            let time = line["timestamp"].as_str().expect("a time");
            (run, (attempt, time.parse().expect("a time")))
        })
        .collect()
}

/// The runs of a log that somebody else has taken.
fn lost(log: &str) -> Vec<String> {
    events(log, "lease_lost")
        .map(|line| line["fields"]["run_id"].as_str().expect("an id").to_owned())
        .collect()
}

fn events<'a>(log: &'a str, event: &'a str) -> impl Iterator<Item = Value> + 'a {
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(move |line| line["fields"]["event"] == event)
}

/// Measured from the stop, or from when a lock was free.
fn require_in_time(when: &str, claims: &Claims, since: DateTime<Utc>, lease: Duration) {
    for (run, (attempt, at)) in claims {
        let taken_after = (*at - since).to_std().unwrap_or_default();
        assert!(
            *attempt == 1 || taken_after <= lease + TAKEOVER_MARGIN,
            "{when}: {run} was taken over {taken_after:?} after the stop"
        );
    }
}

/// Everything as after an undisturbed run, and `verify` agrees.
async fn require_finished(tiny: &Tiny, when: &str) {
    let state = tiny.state().await;
    tiny.check_finished(when, &state);
    let verified = tiny.binary.run(&["verify", "--period", PERIOD]);
    assert_eq!(verified.code, 0, "{when}: verify: {}", verified.stdout);
}
