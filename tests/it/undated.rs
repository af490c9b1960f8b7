//! E12 and E13: people without a real date are never touched and always counted, and every participant is
//! in exactly one part.

use retentiond::engine::partition::Partition;
use retentiond::engine::report::Outcome;
use retentiond::ids::TenantId;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Backend, Person, Scratch, World, at, scratch};

const OLD: &str = "2022-06-15T12:00:00Z";
const MIDDLE: &str = "2023-10-15T12:00:00Z";
const YOUNG: &str = "2024-03-20T12:00:00Z";

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

async fn example(scratch: Scratch) -> (World, TenantId) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

/// What each database lets somebody store in `added_at`, as a literal, and is no real date. (It is 2024 by
/// the test's clock and later by the server's; the earlier counts.)
fn no_dates(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &[
            "'0001-01-01 00:00:00+00'",
            "'0044-03-15 00:00:00+00 BC'",
            "'-infinity'",
            "'infinity'",
            "'1970-01-01 00:00:00+00'",
            "'1989-12-31 23:59:59.999999+00'",
            "'2024-04-03 00:00:00.000001+00'",
            "'2999-01-01 00:00:00+00'",
            "'290000-01-01 00:00:00+00'",
        ],
        Backend::MariaDb => &[
            "'0000-00-00'",
            "'0001-01-01'",
            "'2023-00-00'",
            "'2023-10-00'",
            "'2023-00-15'",
            "'2023-02-31'",
            "'1970-01-01'",
            "'1989-12-31 23:59:59.999999'",
            "'2024-04-03 00:00:00.000001'",
            "'2999-01-01'",
        ],
        Backend::Sqlite => &[
            "'0001-01-01T00:00:00+00:00'",
            "'-0044-03-15T00:00:00+00:00'",
            "'1970-01-01T00:00:00+00:00'",
            "'2024-04-03T00:00:00.000001+00:00'",
            "'2999-01-01T00:00:00+00:00'",
            "'2022-09-30T23:30:00+02:00'",
            "'2022-09-30T23:30:00Z'",
            "'2022-09-30 23:30:00'",
            "'2022-09-30 23:30:00+00:00'",
            "'2022-09-30'",
            "'2022-02-31T00:00:00+00:00'",
            "'2022-09-30T24:00:00+00:00'",
            "'2022-09-30T23:30:00.+00:00'",
            "'2022-09-30T23:30:00.1x3+00:00'",
            "' 2022-09-30T23:30:00+00:00'",
            "''",
            "'soon'",
            "1664580600",
            "2459853.5",
            "X'323032322d30392d3330543233'",
        ],
    }
}

/// Lets MariaDB store what is no date, as an older or a careless configuration does. In one statement:
/// the mode is of a connection, and the pool has several.
fn allowing(backend: Backend) -> &'static str {
    match backend {
        Backend::MariaDb => "SET STATEMENT sql_mode = 'ALLOW_INVALID_DATES' FOR ",
        Backend::Postgres | Backend::Sqlite => "",
    }
}

async fn set_added_at(world: &World, id: Uuid, literal: &str) {
    world
        .sql(&format!(
            "{}UPDATE participant SET added_at = {literal} WHERE id = {}",
            allowing(world.scratch.backend()),
            world.literal(id)
        ))
        .await;
}

/// What a second run must not change: counts, because no driver reads all of the times.
async fn stored(world: &World) -> [i64; 4] {
    [
        world.number("SELECT COUNT(*) FROM participant").await,
        world.number("SELECT COUNT(email) FROM participant").await,
        world
            .number("SELECT COUNT(anonymized_at) FROM participant")
            .await,
        world.number("SELECT COUNT(*) FROM answer").await,
    ]
}

on_every_database! {
    async fn e13_who_has_no_real_date_is_never_touched_and_always_counted(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let old = world.person(tenant, person(OLD)).await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        let young = world.person(tenant, person(YOUNG)).await;
        let literals = no_dates(backend);
        let mut undated = Vec::new();
        for literal in literals {
            let id = world.person(tenant, person(OLD)).await;
            set_added_at(&world, id, literal).await;
            undated.push(id);
        }
        let count = literals.len() as u64;
        assert_eq!(world.plan().await[0].undated, count);

        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        let report = &entries[0].report;
        assert_eq!((report.anonymized, report.purged, report.undated), (1, 1, count));
        assert!(world.find(tenant, old).await.is_none());
        assert!(world.find(tenant, middle).await.expect("kept").email.is_none());
        assert!(world.find(tenant, young).await.expect("kept").email.is_some());
        for (id, literal) in undated.iter().zip(literals) {
            assert!(world.is_so(*id, "email IS NOT NULL").await, "{literal} was touched");
        }
        let record = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(record.undated, i64::try_from(count).ok());

        let verified = &world.verify(None).await[0];
        assert!(!verified.ok && verified.undated == count, "{verified:?}");
        assert!(verified.findings.iter().any(|finding| finding.contains("no real date")));
        assert!(verified.participants.is_whole(), "{verified:?}");

        // Again, nothing changes.
        let before = stored(&world).await;
        world.run().await;
        assert_eq!(before, stored(&world).await);

        // With a real date they go as everybody else does.
        for id in &undated {
            world.move_to(tenant, *id, "2022-06-15 12:00:00").await;
        }
        world.sql("UPDATE participant SET stored_at = added_at").await;
        assert_eq!(world.verify(None).await[0].overdue_purge, count);
    }

    async fn e13_somebody_without_a_real_date_is_shown_as_that(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let binary = world.binary();
        // The binary has the real clock, of years later.
        let literals = no_dates(backend).iter().filter(|literal| !literal.contains("2024-04-03"));
        for literal in literals {
            let id = world.person(tenant, person(OLD)).await;
            set_added_at(&world, id, literal).await;
            let id = id.to_string();
            let shown = binary.run(&["participant", "show", &id, "--output", "json"]).expect_code(0);
            let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
            assert_eq!(shown["undated"], true, "{literal}: {shown}");
            assert!(shown["purge"].is_null() && shown["anonymize"].is_null(), "{literal}");
            let shown = binary.run(&["participant", "show", &id]).expect_code(0);
            assert!(shown.stdout.contains("no real date"), "{literal}: {}", shown.stdout);
        }
    }

    async fn e13_a_mark_without_a_real_date_counts_as_a_mark(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let literal = match backend {
            Backend::Postgres => "'infinity'",
            Backend::MariaDb => "'2023-00-00'",
            Backend::Sqlite => "1",
        };
        let id = world.person(tenant, person(MIDDLE)).await;
        let allowing = allowing(backend);
        world.sql(&format!("{allowing}UPDATE participant SET unsubscribed_at = {literal}")).await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert_eq!(entries[0].report.suppressions, 1);
        let hashes = world.suppressions(tenant).await;
        assert_eq!(hashes[0].email_hmac, world.hash(tenant, "ann@example.org"));
        // Of now is the month that we know.
        assert_eq!(hashes[0].suppressed_month, "2024-04");
        assert!(world.is_so(id, "email IS NULL").await);
    }

    async fn e12_everybody_is_in_exactly_one_part(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let other = world.tenant("other", "UTC").await;
        world.person(other, person(OLD)).await;
        for added_at in [OLD, MIDDLE, MIDDLE, YOUNG, YOUNG, YOUNG] {
            world.person(tenant, person(added_at)).await;
        }
        let id = world.person(tenant, person(OLD)).await;
        set_added_at(&world, id, no_dates(backend)[0]).await;
        world.run().await;
        let late = world.person(tenant, person(OLD)).await;
        world.person(tenant, person(MIDDLE)).await;
        let verified = &world.verify(None).await[0];
        let expected = Partition {
            total: 8,
            kept: 3,
            to_anonymize: 1,
            anonymized: 2,
            to_delete: 1,
            undated: 1,
            unclaimed: 0,
        };
        assert_eq!(verified.participants, expected);
        assert!(expected.is_whole());
        assert!(world.find(tenant, late).await.is_some());
    }
}

/// The CHECK forbids it; somebody may have dropped the CHECK.
#[tokio::test]
async fn e12_a_state_that_no_rule_covers_fails_verify() {
    let (world, tenant) = example(scratch(Backend::Postgres).await).await;
    let id = world.person(tenant, person(MIDDLE)).await;
    world.run().await;
    assert!(world.verify(None).await[0].ok);
    world
        .sql(
            "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint \
             WHERE conrelid = 'participant'::regclass AND contype = 'c' LOOP \
             EXECUTE format('ALTER TABLE participant DROP CONSTRAINT %I', name); END LOOP; END $$",
        )
        .await;
    world
        .sql(&format!(
            "UPDATE participant SET email = 'ann@example.org' WHERE id = '{id}'"
        ))
        .await;
    let verified = &world.verify(None).await[0];
    assert_eq!(verified.participants.unclaimed, 1);
    assert!(!verified.ok, "{verified:?}");
    assert_eq!(
        at(MIDDLE),
        world.find(tenant, id).await.expect("kept").added_at
    );
}
