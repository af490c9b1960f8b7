//! The platform's users, while the work goes on: at a fixed rate, somebody is looked at and changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use retentiond::store::Dialect;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement, TransactionTrait, Value};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::data::Person;
use crate::server::Server;

/// Between the beginnings of two transactions.
const INTERVAL: Duration = Duration::from_millis(10);

/// More than ever wait at a time, unless everything stands still.
const CONNECTIONS: u32 = 16;

/// Latencies in milliseconds, from the moment at which a transaction was due.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    pub transactions: usize,
    pub p50: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
    pub failed: usize,
}

/// The client.
pub struct Foreground {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    milliseconds: Vec<f64>,
    failed: usize,
}

impl Foreground {
    pub async fn begin(server: &Server, people: &[Person]) -> Result<Self> {
        let pool = server.pool(CONNECTIONS).await?;
        // A connection that has to be opened first would be the slowest of all.
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            open.push(pool.begin().await?);
        }
        drop(open);
        let stop = CancellationToken::new();
        let seen = Arc::default();
        let task = tokio::spawn(work(
            pool,
            server.dialect(),
            people.to_vec(),
            stop.clone(),
            Arc::clone(&seen),
        ));
        Ok(Self { stop, task, seen })
    }

    /// What was seen since it was last asked.
    pub fn take(&self) -> Latency {
        take(&self.seen)
    }

    /// Ends it, once all that were due have been answered; the last of what was seen.
    pub async fn end(self) -> Result<Latency> {
        self.stop.cancel();
        self.task.await?;
        Ok(take(&self.seen))
    }
}

fn take(seen: &Mutex<Seen>) -> Latency {
    let Seen {
        mut milliseconds,
        failed,
    } = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    milliseconds.sort_by(f64::total_cmp);
    Latency {
        transactions: milliseconds.len(),
        p50: percentile(&milliseconds, 500),
        p99: percentile(&milliseconds, 990),
        p99_9: percentile(&milliseconds, 999),
        max: percentile(&milliseconds, 1000),
        failed,
    }
}

fn percentile(sorted: &[f64], permille: usize) -> f64 {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

async fn work(
    pool: DatabaseConnection,
    dialect: Dialect,
    people: Vec<Person>,
    stop: CancellationToken,
    seen: Arc<Mutex<Seen>>,
) {
    let mut ticks = tokio::time::interval(INTERVAL);
    // Those that are late are not left out: whoever had to wait is who counts.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    for person in people.into_iter().cycle() {
        let due = tokio::select! {
            due = ticks.tick() => due,
            () = stop.cancelled() => break,
        };
        let (pool, seen) = (pool.clone(), Arc::clone(&seen));
        under_way.spawn(async move {
            let result = visit(&pool, dialect, &person).await;
            let elapsed = due.elapsed().as_secs_f64() * 1000.0;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.failed += usize::from(result.is_err());
            seen.milliseconds.push(elapsed);
        });
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
    // The measurement is over; a connection that cannot say good-bye is no matter.
    let _ = pool.close().await;
}

/// Reads a participant and its answers, gives it another telephone number and an answer another score.
async fn visit(pool: &DatabaseConnection, dialect: Dialect, person: &Person) -> Result<(), DbErr> {
    let statement = |text: &str| {
        let values: [Value; 2] = [person.tenant_id.into(), person.id.into()];
        let text = match dialect {
            Dialect::Postgres => text.to_owned(),
            _ => text.replace("$1", "?").replace("$2", "?"),
        };
        Statement::from_sql_and_values(pool.get_database_backend(), text, values)
    };
    let of_them = "tenant_id = $1 AND participant_id = $2";
    let transaction = pool.begin().await?;
    transaction
        .execute_raw(statement(
            "UPDATE participant SET phone = '+32 470 000000' \
             WHERE tenant_id = $1 AND id = $2 AND anonymized_at IS NULL",
        ))
        .await?;
    transaction
        .query_all_raw(statement(&format!(
            "SELECT question, score, body FROM answer WHERE {of_them}"
        )))
        .await?;
    transaction
        .execute_raw(statement(&format!(
            "UPDATE answer SET score = 7 WHERE {of_them} AND score < 7"
        )))
        .await?;
    transaction.commit().await
}

/// How long it looks at an idle database.
pub async fn idle(foreground: &Foreground, duration: Duration) -> Latency {
    // The first ones warm the caches.
    let warm_up = duration / 4;
    tokio::time::sleep_until(Instant::now() + warm_up).await;
    foreground.take();
    tokio::time::sleep(duration).await;
    foreground.take()
}
