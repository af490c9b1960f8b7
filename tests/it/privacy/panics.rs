//! A panic's message may quote anything. It is replaced by the place where it happened.

use super::canary::{Heard, marked_people, talkative};
use crate::support::{Backend, World, scratch};

/// PostgreSQL knows an instant before all others, and the driver panics when it meets one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e10_a_panic_says_where_it_happened_and_nothing_else() {
    let world = World::new(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    let ids = marked_people(&world, "example").await;
    world
        .sql("UPDATE participant SET added_at = '-infinity'")
        .await;
    // Our own tables refuse such an instant, until somebody takes the constraint away.
    world
        .sql("ALTER TABLE policy DROP CONSTRAINT policy_has_dates")
        .await;
    world
        .sql("UPDATE policy SET effective_from = '-infinity'")
        .await;
    let binary = talkative(&world);
    let mut heard = Heard::new(&world);
    let done = heard.run(&binary, &["run", "--period", "2024-04"], b"");
    let panicked = done
        .stderr
        .lines()
        .find(|line| line.contains("\"event\":\"panic\""))
        .unwrap_or_else(|| panic!("nothing panicked: {}", done.stderr));
    let event: serde_json::Value = serde_json::from_str(panicked).expect("JSON");
    assert_eq!(
        event["fields"].as_object().expect("fields").len(),
        3,
        "event, message and location: {panicked}"
    );
    // Without a log.
    let id = ids[0].to_string();
    let done = heard.run(&binary, &["participant", "show", &id], b"");
    assert!(
        done.stderr.contains("a defect in retentiond, at "),
        "{}",
        done.stderr
    );
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    heard.hear_records(&world).await;
    heard.assert_clean();
}
