//! The peak memory of a run does not grow with the table. (The full size, 1 M participants and 12 M
//! child rows, is measured by hand; `docs/operating.md` has the figures.)

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Backend, World, scratch};

/// Fills a tenant on PostgreSQL: a quarter of the people to be deleted, half to be anonymized, each
/// with twelve children.
const FILL: &str = "
    INSERT INTO upload (tenant_id, id, file_name, content_hmac, row_count, accepted_at)
        VALUES ({tenant}, gen_random_uuid(), 'f', decode(repeat('00', 32), 'hex'), 1, '2022-01-01');
    INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone,
        customer_id, unsubscribed_at)
        SELECT {tenant}, gen_random_uuid(), (SELECT id FROM upload WHERE tenant_id = {tenant}),
            CASE n % 4 WHEN 0 THEN timestamptz '2023-01-01' WHEN 3 THEN '2024-03-20'
            ELSE '2023-10-01' END + n % 1000 * interval '1 minute',
            'First' || n, 'Last' || n, 'person' || n || '@example.org', '+32 ' || n, 'C' || n,
            CASE WHEN n % 33 = 0 THEN timestamptz '2024-01-01' END
        FROM generate_series(1, {people}) AS n;
    INSERT INTO participant_metadata SELECT tenant_id, id, 'key' || n, 'value ' || n
        FROM participant, generate_series(1, 4) AS n;
    INSERT INTO answer SELECT tenant_id, id, gen_random_uuid(), 'How was it?', n, 'text', added_at
        FROM participant, generate_series(1, 4) AS n;
    INSERT INTO conversation_message SELECT tenant_id, id, gen_random_uuid(), 'in', 'hello', added_at
        FROM participant, generate_series(1, 2) AS n;
    INSERT INTO invitation SELECT tenant_id, id, gen_random_uuid(), 'queued', added_at
        FROM participant, generate_series(1, 2) AS n;
    ANALYZE";

/// Peak resident memory, in KiB, of the real binary's run on so many people.
async fn peak_kib(people: u64) -> u64 {
    let world = World::new(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    let fill = FILL
        .replace("{tenant}", &tenant.0.to_string())
        .replace("{people}", &people.to_string());
    world.sql(&fill).await;
    let binary = world.binary();
    let mut run = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["run", "--period", "2024-04"])
        .current_dir(binary.directory())
        .env_clear()
        .env("RETENTIOND__DATABASE__URL", world.scratch.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let status_file = format!("/proc/{}/status", run.id());
    let mut peak = 0;
    let status = loop {
        // The kernel's own high-water mark, so that a peak between two looks counts too.
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let mark = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").trim().parse().ok());
        peak = peak.max(mark.unwrap_or(0));
        if let Some(status) = run.try_wait().expect("the child can be waited for") {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(status.success(), "{status}");
    let record = world.run_record(tenant, "2024-04").await.expect("a record");
    assert_eq!(record.anonymized, i64::try_from(people / 2).expect("few"));
    assert_eq!(record.purged, i64::try_from(people / 4).expect("few"));
    peak
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_run_does_not_grow_with_the_table() {
    let small = peak_kib(4_000).await;
    let large = peak_kib(40_000).await;
    assert!(small > 1_000, "the peak was not seen: {small} KiB");
    assert!(large < 32 * 1_024, "{large} KiB");
    assert!(large <= small + small / 5, "{small} KiB, then {large} KiB");
}
