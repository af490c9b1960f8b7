//! `engine.wal_bytes_per_second_max`, on servers on which nobody else writes.

use std::time::Instant;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::support::campaign::report;
use crate::support::database::scratch_on;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, World};

use super::super::{tenant, world};
use super::events;

/// So many to be deleted that a run without a limit takes a few seconds, with one in each batch.
const PEOPLE: u32 = 800;

/// How much slower the log is to grow.
const FACTOR: f64 = 3.0;

/// How far the log of the server has come, in bytes.
async fn written(world: &World) -> u64 {
    let (backend, sql) = match world.scratch.backend() {
        Backend::Postgres => (
            DbBackend::Postgres,
            "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text",
        ),
        _ => (
            DbBackend::MySql,
            "SELECT variable_value FROM information_schema.global_status \
             WHERE variable_name = 'INNODB_OS_LOG_WRITTEN'",
        ),
    };
    let row = world
        .db
        .query_one_raw(Statement::from_string(backend, sql))
        .await
        .expect("an answer")
        .expect("a row");
    let text: String = row.try_get_by_index(0).expect("a text");
    text.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    // Without checkpoints in between no page is written whole for a second time.
    let server = OwnPostgres::start(&["autovacuum=off"], Vec::new()).await;
    let world = world(scratch_on(Backend::Postgres, server.url()).await).await;
    the_log_grows_no_faster_than_it_may(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() {
    let server = OwnMariadb::start().await;
    let world = world(scratch_on(Backend::MariaDb, server.url()).await).await;
    the_log_grows_no_faster_than_it_may(&world).await;
}

async fn the_log_grows_no_faster_than_it_may(world: &World) {
    let (free, log) = rate_of(world, "free", None).await;
    assert!(!log.contains("throttle_"), "{log}");
    let limit = free / FACTOR;
    let (limited, log) = rate_of(world, "limited", Some(limit)).await;
    // Once for each stage at most, and not once for each pause.
    let told = ["throttle_began", "throttle_ended"].map(|event| events(&log, event, "wal_rate"));
    assert!(told[0] == told[1] && (1..=3).contains(&told[0]), "{log}");
    // What is written after the last look is made up for by nobody: a second of full speed at most.
    assert!(limited < 1.5 * limit, "{limited} of {limit}: {log}");
    world.binary().run(&["verify"]).expect_code(0);
}

/// Lets a run delete a tenant's people. Returns how many bytes a second the log grew by, and what the
/// run said.
async fn rate_of(world: &World, slug: &str, limit: Option<f64>) -> (f64, String) {
    let tenant = tenant(world, slug, 0, 0, 0).await;
    let upload = world.upload(tenant).await;
    let (upload, id, numbers) = match world.scratch.backend() {
        Backend::Postgres => (
            format!("'{upload}'"),
            format!("md5(n || '{slug}')::uuid"),
            format!("generate_series(1, {PEOPLE}) AS numbers (n)"),
        ),
        _ => (
            format!("X'{}'", upload.simple()),
            format!("UNHEX(MD5(CONCAT(seq, '{slug}')))"),
            format!("seq_1_to_{PEOPLE}"),
        ),
    };
    let people = format!(
        "INSERT INTO participant (tenant_id, id, upload_id, added_at, email, stored_at) \
         SELECT {}, {id}, {upload}, '2022-01-01 12:00:00', 'ann@example.org', \
         '2022-01-01 12:00:00' FROM {numbers}",
        tenant.0
    );
    world.sql(&people).await;
    let mut binary = world.binary().env("RETENTIOND__ENGINE__BATCH_ROWS", "1");
    if let Some(limit) = limit {
        let name = "RETENTIOND__ENGINE__WAL_BYTES_PER_SECOND_MAX";
        binary = binary.env(name, &format!("{limit:.0}"));
    }
    let (before, started) = (written(world).await, Instant::now());
    let finished = binary.run(&["run"]).expect_code(0);
    let (bytes, took) = (written(world).await - before, started.elapsed());
    report(&format!("{slug}: {bytes} bytes in {took:?}"));
    (bytes as f64 / took.as_secs_f64(), finished.stderr)
}
