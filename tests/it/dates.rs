//! D1–D7 against the databases: the example of the specification, to the microsecond. (D4, D5 and
//! D8–D11 are pure and stand beside the code and in `d11_time_zones`.)

use retentiond::domain::cutoff::cutoff;
use retentiond::domain::period::Months;

use crate::support::{CHILDREN, Person, Scratch, World};

/// The example: Brussels, A = 1 month, R = 1 year, on the morning of 1 April 2024.
pub async fn example(scratch: Scratch) -> (World, retentiond::ids::TenantId) {
    let world = World::new(scratch, "2024-04-01T06:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

fn added(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

on_every_database! {
    async fn d01_d02_the_anonymization_cutoff_is_exact(scratch: Scratch) {
        let (mut world, tenant) = example(scratch).await;
        let before = world.person(tenant, added("2024-02-29T22:59:59.999999Z")).await;
        let exactly = world.person(tenant, added("2024-02-29T23:00:00Z")).await;

        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.anonymized, 1);
        assert_eq!(
            entries[0].report.anonymize_cutoff,
            Some(crate::support::at("2024-02-29T23:00:00Z"))
        );
        let row = world.find(tenant, before).await.expect("D1: still there");
        assert!(row.anonymized_at.is_some() && row.email.is_none(), "D1");
        let row = world.find(tenant, exactly).await.expect("D2: still there");
        assert!(row.anonymized_at.is_none() && row.email.is_some(), "D2");

        world.set_clock("2024-05-01T06:00:00Z");
        world.run_and_prove().await;
        let row = world.find(tenant, exactly).await.expect("D2: still there");
        assert!(row.anonymized_at.is_some(), "D2: in the next period");
    }

    async fn d03_the_retention_cutoff_is_exact(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let before = world.person(tenant, added("2023-03-31T21:59:59.999999Z")).await;
        let exactly = world.person(tenant, added("2023-03-31T22:00:00Z")).await;

        let entries = world.run_and_prove().await;
        assert_eq!(
            entries[0].report.purge_cutoff,
            Some(crate::support::at("2023-03-31T22:00:00Z"))
        );
        assert_eq!(entries[0].report.purged, 1);
        assert!(world.find(tenant, before).await.is_none());
        assert_eq!(world.children_of(tenant, before).await, [0; 4]);
        assert!(world.find(tenant, exactly).await.is_some());
        assert_eq!(world.children_of(tenant, exactly).await, CHILDREN);
    }

    async fn d04_d05_leap_days_and_short_months(scratch: Scratch) {
        let world = World::new(scratch, "2025-03-01T12:00:00Z").await;
        let year = world.tenant("year", "UTC").await;
        world.policy(year, None, Some(12), "2020-01-01T00:00:00Z").await;
        let gone = world.person(year, added("2024-02-29T23:59:59.999999Z")).await;
        let stays = world.person(year, added("2024-03-01T00:00:00Z")).await;
        world.run_and_prove().await;
        assert!(world.find(year, gone).await.is_none());
        assert!(world.find(year, stays).await.is_some());

        let two = world.tenant("two-months", "UTC").await;
        world.policy(two, Some(2), None, "2020-01-01T00:00:00Z").await;
        let anonymous = world.person(two, added("2023-10-31T23:59:59.999999Z")).await;
        let known = world.person(two, added("2023-11-01T00:00:00Z")).await;
        world.run_period("2024-01").await;
        assert!(world.find(two, anonymous).await.expect("kept").anonymized_at.is_some());
        assert!(world.find(two, known).await.expect("kept").anonymized_at.is_none());
    }

    async fn d06_28_days_are_what_one_calendar_month_guarantees(scratch: Scratch) {
        let world = World::new(scratch, "2023-03-01T12:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), None, "2020-01-01T00:00:00Z").await;
        let person = world.person(tenant, added("2023-01-31T23:59:59Z")).await;
        world.run_and_prove().await;
        assert!(world.find(tenant, person).await.expect("kept").anonymized_at.is_some());
    }

    async fn d07_new_york_but_not_brussels(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-01T12:00:00Z").await;
        let mut people = Vec::new();
        for zone in ["America/New_York", "Europe/Brussels"] {
            let slug = zone.to_lowercase().replace(['/', '_'], "-");
            let tenant = world.tenant(&slug, zone).await;
            world.policy(tenant, Some(1), None, "2020-01-01T00:00:00Z").await;
            people.push((tenant, world.person(tenant, added("2024-03-01T01:00:00Z")).await));
        }
        world.run_and_prove().await;
        let anonymous = |row: Option<entity::participant::Model>| {
            row.expect("kept").anonymized_at.is_some()
        };
        assert!(anonymous(world.find(people[0].0, people[0].1).await), "New York");
        assert!(!anonymous(world.find(people[1].0, people[1].1).await), "Brussels");
    }

    async fn d09_d10_a_midnight_that_is_missing_and_one_that_comes_twice(scratch: Scratch) {
        // Asuncion, 1 October 2023: clocks went from 00:00 to 01:00, so the day began at 04:00Z.
        // Havana, 1 November 2026: they went from 01:00 back to 00:00; the first midnight, 04:00Z.
        for (zone, now, before, exactly) in [
            ("America/Asuncion", "2023-11-02T00:00:00Z", "2023-10-01T03:59:59.999999Z", "2023-10-01T04:00:00Z"),
            ("America/Havana", "2026-12-02T00:00:00Z", "2026-11-01T03:59:59.999999Z", "2026-11-01T04:00:00Z"),
        ] {
            let world = World::new(crate::support::scratch(scratch.backend()).await, now).await;
            let tenant = world.tenant("example", zone).await;
            world.policy(tenant, Some(1), None, "2020-01-01T00:00:00Z").await;
            let anonymous = world.person(tenant, added(before)).await;
            let known = world.person(tenant, added(exactly)).await;
            let period = &now[..7];
            let rules = world.engine.tzdata.newest().find(zone).expect("a zone");
            let month = period.parse().expect("a month");
            let cutoff = cutoff(month, &rules, Months::try_from(1).expect("a month"));
            assert_eq!(cutoff, crate::support::at(exactly), "{zone}");
            let planned = world.plan_period(period).await.remove(0);
            // December 2026 may not be due yet by the database's clock, which is the real one.
            assert_eq!(planned.anonymize_cutoff, Some(crate::support::at(exactly)), "{zone}");
            if zone == "America/Havana" && planned.blocked_by == Some("not_due") {
                assert_eq!(planned.anonymized, 0, "{zone}");
            } else {
                assert_eq!(planned.anonymized, 1, "{zone}");
                world.run_and_prove().await;
                assert!(world.find(tenant, anonymous).await.expect("kept").anonymized_at.is_some());
                assert!(world.find(tenant, known).await.expect("kept").anonymized_at.is_none());
            }
        }
    }
}
