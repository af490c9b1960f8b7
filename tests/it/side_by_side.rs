//! Several tenants in hand at a time: in which order their batches come, and that it changes nothing of
//! what is done.

use serde_json::Value;

use crate::support::{Person, Scratch, World};

const TENANTS: usize = 3;

/// Due for anonymization, and for deletion; in the order of the calendar.
const DUE: [&str; 6] = [
    "2023-06-01",
    "2023-07-01",
    "2023-08-01",
    "2023-09-01",
    "2023-10-01",
    "2023-11-01",
];
const TO_GO: [&str; 4] = ["2022-07-01", "2022-08-01", "2022-09-01", "2022-10-01"];

/// Tenants of people whose personal fields are to go, others to be deleted, and one to stay.
async fn crowd(scratch: Scratch) -> World {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    for number in 0..TENANTS {
        let tenant = world.tenant(&format!("tenant-{number}"), "UTC").await;
        world
            .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
            .await;
        for (day, hour) in DUE.into_iter().chain(TO_GO).chain(["2024-03-20"]).zip(10..) {
            let person = Person {
                added_at: &format!("{day}T{hour}:00:00Z"),
                email: Some("ann@example.org"),
                unsubscribed_at: Some("2024-01-01T00:00:00Z"),
            };
            world.person(tenant, person).await;
        }
    }
    world
}

/// Its tenant and its stage.
type Batch = (String, String);

/// Each batch of participants, in the order in which they were committed, by the
/// log of a run of one worker whose batches are of one person.
fn batches(world: &World, tenants_at_a_time: &str) -> Vec<Batch> {
    let binary = world
        .binary()
        .env("RETENTIOND__LOG__LEVEL", "debug")
        .env("RETENTIOND__ENGINE__WORKERS", "1")
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
        .env("RETENTIOND__ENGINE__TENANTS_AT_A_TIME", tenants_at_a_time);
    let done = binary.run(&["run", "--period", "2024-04"]).expect_code(0);
    let text = |field: &Value| field.as_str().expect("a text").to_owned();
    done.stderr
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"))
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["event"] == "batch_committed" && fields["stage"] != "uploads")
        .map(|fields| (text(&fields["tenant"]), text(&fields["stage"])))
        .collect()
}

on_every_database! {
    async fn tenants_take_turns_batch_by_batch_and_stage_by_stage(scratch: Scratch) {
        let world = crowd(scratch).await;
        let batches = batches(&world, "3");
        assert_eq!(batches.len(), TENANTS * (DUE.len() + TO_GO.len()));
        // One after the other, there would be one change fewer than there are tenants. In which batch
        // each of them joins is up to the machine.
        let changes = |of: fn(&Batch) -> &str| batches.windows(2).filter(|two| of(&two[0]) != of(&two[1])).count();
        assert!(changes(|batch| &batch.0) > 2 * TENANTS, "{batches:?}");
        assert!(changes(|batch| &batch.1) < 2 * TENANTS - 1, "{batches:?}");
        let before = world.fingerprint().await;
        for entry in world.run_and_prove().await {
            assert_eq!(entry.report.anonymized + entry.report.purged, 0, "{entry:?}");
        }
        assert_eq!(before, world.fingerprint().await);
    }

    async fn one_tenant_at_a_time_ends_before_the_next_one_begins(scratch: Scratch) {
        let world = crowd(scratch).await;
        let batches = batches(&world, "1");
        assert_eq!(batches.len(), TENANTS * (DUE.len() + TO_GO.len()));
        for alone in batches.chunks(DUE.len() + TO_GO.len()) {
            assert!(alone.iter().all(|(tenant, _)| *tenant == alone[0].0), "{batches:?}");
        }
    }
}
