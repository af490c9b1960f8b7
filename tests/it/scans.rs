//! What `plan` reads on PostgreSQL, by the server's own counters: it finds a tenant's rows by index, and
//! of whatever it only counts it does not touch the table.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::support::{Backend, World, holds_within, scratch};

/// Tenants of equal size, so that reading a whole table is never the cheapest way to one of them.
const TENANTS: usize = 20;

/// A session hands its counters over when it ends.
const COUNTED_MAX: Duration = Duration::from_secs(30);

/// People of every tenant: a quarter to be deleted, half to be anonymized, a quarter young, in uploads
/// of 50; with three rows in each table of children.
const PEOPLE: [&str; 6] = [
    "INSERT INTO upload (tenant_id, id, file_name, content_hmac, row_count, accepted_at, stored_at) \
     SELECT tenant.id, gen_random_uuid(), 'people-' || number || '.csv', \
     decode(repeat('ab', 32), 'hex'), 50, '2020-01-01', '2020-01-01' \
     FROM tenant, generate_series(0, 7) AS number",
    "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, email, phone, \
     customer_id, unsubscribed_at, stored_at) \
     SELECT tenant_id, gen_random_uuid(), id, added_at, 'Annemarie', 'Vandenbroucke', \
     'annemarie.' || number || '@example.org', '+32 2 555 01 23', 'C-' || number, \
     CASE WHEN number % 10 = 0 THEN added_at END, added_at \
     FROM (SELECT *, CURRENT_TIMESTAMP - CASE WHEN file_name < 'people-2' THEN 1000 \
     WHEN file_name < 'people-6' THEN 200 ELSE 1 END * INTERVAL '1 day' AS added_at FROM upload) \
     AS dated, generate_series(1, 50) AS number",
    "INSERT INTO participant_metadata (tenant_id, participant_id, key, value) \
     SELECT tenant_id, id, 'key ' || number, 'Blue' FROM participant, generate_series(1, 3) AS number",
    "INSERT INTO answer (tenant_id, participant_id, id, question, body, answered_at) \
     SELECT tenant_id, id, gen_random_uuid(), 'How was it?', repeat('Good. ', 12), added_at \
     FROM participant, generate_series(1, 3)",
    "INSERT INTO conversation_message (tenant_id, participant_id, id, direction, body, sent_at) \
     SELECT tenant_id, id, gen_random_uuid(), 'in', repeat('Thanks. ', 9), added_at \
     FROM participant, generate_series(1, 3)",
    "INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) \
     SELECT tenant_id, id, gen_random_uuid(), CASE number WHEN 1 THEN 'queued' ELSE 'sent' END, \
     added_at FROM participant, generate_series(1, 3) AS number",
];

/// How a table was read.
#[derive(Debug, FromQueryResult)]
struct Reads {
    relname: String,
    /// Scans of the whole table.
    seq_scan: i64,
    /// Scans of its indexes.
    idx_scan: i64,
    /// Rows of the table that an index led to.
    idx_tup_fetch: i64,
}

async fn reads(world: &World) -> Vec<Reads> {
    let statement = Statement::from_string(
        DbBackend::Postgres,
        "SELECT relname::text AS relname, seq_scan, idx_scan, idx_tup_fetch FROM pg_stat_user_tables \
         WHERE relname IN ('participant', 'participant_metadata', 'answer', 'conversation_message', \
         'invitation') ORDER BY relname",
    );
    Reads::find_by_statement(statement)
        .all(&world.db)
        .await
        .expect("the server's counters")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_reads_children_in_their_index_alone() {
    let world = World::new(scratch(Backend::Postgres).await, "2020-01-01T00:00:00Z").await;
    for number in 0..TENANTS {
        let tenant = world
            .tenant(&format!("tenant-{number}"), "Europe/Brussels")
            .await;
        world
            .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
            .await;
    }
    let loading = world.scratch.connect().await;
    for rows in PEOPLE {
        loading.execute_unprepared(rows).await.expect("people");
    }
    loading.close().await.expect("the sessions end");
    // An index says which rows are there, once VACUUM has said that all of a page are.
    world.sql("VACUUM ANALYZE").await;
    // Everybody was read once for each table of children, and is not to be read like that again.
    let loaded = holds_within(COUNTED_MAX, async || {
        let reads = reads(&world).await;
        let everybody = reads.iter().find(|reads| reads.relname == "participant");
        everybody.is_some_and(|reads| reads.seq_scan == 4)
    });
    assert!(loaded.await, "{:?}", reads(&world).await);
    let before = reads(&world).await;

    let binary = world.binary();
    let planned = binary.run(&["plan", "--output", "json"]).expect_code(0);
    let planned: serde_json::Value = serde_json::from_str(&planned.stdout).expect("a document");
    for tenant in planned["tenants"].as_array().expect("tenants") {
        assert_eq!(tenant["purged"], 100, "{tenant}");
        assert_eq!(tenant["anonymized"], 200, "{tenant}");
        assert_eq!(tenant["suppressions"], 5, "{tenant}");
        assert_eq!(tenant["invitations_expired"], 200, "{tenant}");
        assert_eq!(tenant["uploads_removed"], 2, "{tenant}");
        assert_eq!(tenant["rows_purged"]["answer"], 300, "{tenant}");
    }
    let scans = i64::try_from(TENANTS).expect("few");
    let counted = holds_within(COUNTED_MAX, async || {
        let after = reads(&world).await;
        after
            .iter()
            .zip(&before)
            .all(|(after, before)| after.idx_scan - before.idx_scan >= scans)
    });
    assert!(counted.await, "{:?}", reads(&world).await);
    for (after, before) in reads(&world).await.iter().zip(&before) {
        assert_eq!(after.relname, before.relname);
        assert_eq!(after.seq_scan, before.seq_scan, "{after:?}");
        let fetched = after.idx_tup_fetch - before.idx_tup_fetch;
        match after.relname.as_str() {
            // What is still stored of somebody stands in the table only.
            "participant" => assert!(fetched > 0, "{after:?}"),
            _ => assert_eq!(fetched, 0, "{after:?}"),
        }
    }
}
