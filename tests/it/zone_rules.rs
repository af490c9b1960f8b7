//! D12 and D13: by whose rules a tenant's days begin. They are the machine's, they are read anew while
//! the service runs, and where they cannot be had nothing is erased.

use std::path::Path;

use entity::participant;
use retentiond::clock::{Clock, SystemClock};
use retentiond::engine::claim::{Claim, claim};
use retentiond::engine::due::{Scope, find_due};
use retentiond::engine::report::Outcome;
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use crate::d11_time_zones::newest_tzdata;
use crate::support::database::scratch_on;
use crate::support::faked_time::{FakedClock, FakedMachines};
use crate::support::zone_files::ZoneFiles;
use crate::support::{Backend, Binary, Person, Scratch, World, at, scratch};

fn added(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

/// A tenant in Brussels with A = 1 month, and the time-zone rules of `files`.
async fn brussels(scratch: Scratch, now: &str, files: &ZoneFiles) -> (World, TenantId) {
    let mut world = World::new(scratch, now).await;
    world.engine.tzdata = files.tzdata();
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), None, "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

async fn is_anonymous(world: &World, tenant: TenantId, id: uuid::Uuid) -> bool {
    let row = world.find(tenant, id).await.expect("still there");
    assert_eq!(row.anonymized_at.is_some(), row.email.is_none());
    row.anonymized_at.is_some()
}

/// Whoever claimed the run is gone.
async fn claim_and_vanish(world: &World) {
    let mut found = find_due(&world.engine, &Scope::default())
        .await
        .expect("a look")
        .expect("all tenants");
    let claimed = claim(&world.engine, &found.remove(0))
        .await
        .expect("a claim");
    assert!(matches!(claimed, Claim::Claimed(_)), "{claimed:?}");
    world
        .sql("UPDATE run_lease SET token = NULL, holder = NULL, expires_at = NULL")
        .await;
}

fn json(output: &str) -> Value {
    serde_json::from_str(output).expect("one JSON document")
}

on_every_database! {
    /// Clocks in the zone are 12 hours behind by the new rules, so the day of the cutoff begins later.
    async fn d12_pinned_cutoffs_stay_when_rules_move_them_forward(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        let (world, tenant) = brussels(scratch, "2024-04-01T12:00:00Z", &files).await;
        let before = world.person(tenant, added("2024-02-29T22:59:59.999999Z")).await;
        let between = world.person(tenant, added("2024-02-29T23:00:00Z")).await;
        claim_and_vanish(&world).await;

        files.zone("Europe/Brussels", "Pacific/Pago_Pago");
        files.set_release("2026a");
        let entries = world.run_and_prove().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert_eq!(entries[0].report.anonymize_cutoff, Some(at("2024-02-29T23:00:00Z")));
        assert!(is_anonymous(&world, tenant, before).await);
        assert!(!is_anonymous(&world, tenant, between).await, "by the pinned cutoff it stays");
        let run = world.run_record(tenant, "2024-04").await.expect("a run");
        assert_eq!(run.anonymize_cutoff, Some(at("2024-02-29T23:00:00Z")));
        assert_eq!(run.tzdata_release.as_deref(), Some("2025b"), "of the rules that it was pinned by");
        assert_eq!(run.attempts, 2);
        let shown = world.binary().run(&["runs", "show", &run.id.to_string(), "--output", "json"]);
        assert_eq!(json(&shown.expect_code(0).stdout)["tzdata_release"], "2025b");
        let shown = world.binary().run(&["runs", "show", &run.id.to_string()]).expect_code(0);
        assert!(shown.stdout.contains("by tzdata          2025b"), "{}", shown.stdout);
    }

    /// They are 8 hours ahead, so it begins earlier: the run spares whoever the new rules spare (P10).
    async fn d12_rules_that_move_a_cutoff_back_spare_people_in_an_open_run(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        let (mut world, tenant) = brussels(scratch, "2024-04-01T12:00:00Z", &files).await;
        let before = world.person(tenant, added("2024-02-29T14:59:59.999999Z")).await;
        let between = world.person(tenant, added("2024-02-29T15:00:00Z")).await;
        claim_and_vanish(&world).await;

        files.zone("Europe/Brussels", "Asia/Tokyo");
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.anonymize_cutoff, Some(at("2024-02-29T23:00:00Z")), "pinned");
        assert!(is_anonymous(&world, tenant, before).await);
        assert!(!is_anonymous(&world, tenant, between).await);

        // A month later it goes, and so does nobody who is too young.
        world.set_clock("2024-05-01T12:00:00Z");
        let young = world.person(tenant, added("2024-03-31T15:00:00Z")).await;
        world.run_and_prove().await;
        assert!(is_anonymous(&world, tenant, between).await);
        assert!(!is_anonymous(&world, tenant, young).await);
    }

    /// The next month goes by the rules of its day.
    async fn d12_rules_that_change_between_two_months(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        let (mut world, tenant) = brussels(scratch, "2024-04-02T12:00:00Z", &files).await;
        world.run_and_prove().await;
        // By London's rules 1 April began at 23:00Z of the day before, an hour later than by Brussels'.
        files.zone("Europe/Brussels", "Europe/London");
        files.set_release("2026a");
        world.set_clock("2024-05-02T12:00:00Z");
        let before = world.person(tenant, added("2024-03-31T22:59:59.999999Z")).await;
        let exactly = world.person(tenant, added("2024-03-31T23:00:00Z")).await;
        world.run_and_prove().await;
        assert!(is_anonymous(&world, tenant, before).await);
        assert!(!is_anonymous(&world, tenant, exactly).await);
        let releases = ["2024-04", "2024-05"].map(|period| world.run_record(tenant, period));
        let [april, may] = releases;
        assert_eq!(april.await.expect("a run").tzdata_release.as_deref(), Some("2025b"));
        assert_eq!(may.await.expect("a run").tzdata_release.as_deref(), Some("2026a"));
    }

    async fn d12_nothing_is_erased_by_a_zone_whose_file_is_half_written(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        files.half_a_zone("Europe/Brussels");
        let (mut world, tenant) = brussels(scratch, "2024-04-02T12:00:00Z", &files).await;
        let spared = world.person(tenant, added("2023-01-01T00:00:00Z")).await;
        let other = world.tenant("other", "UTC").await;
        world.policy(other, Some(1), None, "2023-01-01T00:00:00Z").await;
        let gone = world.person(other, added("2024-02-29T23:59:59Z")).await;
        let entries = world.run().await;
        let Outcome::Failed { failure_class, message, .. } = &entries[0].outcome else {
            panic!("{entries:?}");
        };
        assert_eq!(*failure_class, "time_zone");
        assert!(message.contains("it is cut off"), "{message}");
        assert!(message.contains(files.path_text()), "{message}");
        assert!(!is_anonymous(&world, tenant, spared).await);
        assert!(matches!(entries[1].outcome, Outcome::Done), "S4: {entries:?}");
        assert!(is_anonymous(&world, other, gone).await);
        let run = world.run_record(tenant, "2024-04").await.expect("a run");
        assert_eq!((run.state.as_str(), run.failure_class.as_deref()), ("failed", Some("time_zone")));
        assert_eq!(run.tzdata_release, None);

        // Whole again, it is read again by the next pass of the same process.
        files.zone("Europe/Brussels", "Europe/Brussels");
        world.run_and_prove().await;
        assert!(is_anonymous(&world, tenant, spared).await);

        // A database that is gone is not replaced by the copy in the program, nor by what was known.
        world.set_clock("2024-05-02T12:00:00Z");
        let spared = world.person(tenant, added("2024-03-02T00:00:00Z")).await;
        for file in ["Europe/Brussels", "UTC", "tzdata.zi"] {
            files.remove(file);
        }
        std::fs::remove_dir(files.path().join("Europe")).expect("removed");
        let entries = world.run().await;
        for entry in &entries {
            let Outcome::Failed { failure_class, message, .. } = &entry.outcome else {
                panic!("{entries:?}");
            };
            assert_eq!(*failure_class, "time_zone");
            assert!(message.contains("there is no time-zone database in"), "{message}");
        }
        assert!(!is_anonymous(&world, tenant, spared).await);
    }

    /// The tenant's row may say anything: the platform writes it.
    async fn d12_a_name_that_leads_elsewhere_is_no_zone(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        files.zone("right/Europe/Brussels", "Europe/Brussels");
        let (world, tenant) = brussels(scratch, "2024-04-02T12:00:00Z", &files).await;
        let spared = world.person(tenant, added("2023-01-01T00:00:00Z")).await;
        let absolute = files.path().join("Europe/Brussels");
        let absolute = absolute.to_str().expect("a path in UTF-8");
        for name in ["../Brussels", absolute, "right/Europe/Brussels", "europe/brussels", "tzdata.zi", ""] {
            world.sql(&format!("UPDATE tenant SET time_zone = '{name}'")).await;
            let entries = world.run().await;
            let Outcome::Failed { failure_class, message, .. } = &entries[0].outcome else {
                panic!("{name}: {entries:?}");
            };
            assert_eq!(*failure_class, "time_zone", "{name}");
            assert!(name.is_empty() || !message.contains(name), "a value of a row: {message}");
            assert!(!is_anonymous(&world, tenant, spared).await, "{name}");
        }
    }

    /// Whoever unsubscribes does not wait for tzdata, and neither does who asks; an upload with local
    /// times does.
    async fn d12_without_a_zone_people_can_unsubscribe_and_not_be_uploaded(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        let world = World::new(scratch, &SystemClock.now().to_rfc3339()).await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        let person = world.person(tenant, added("2023-01-01T00:00:00Z")).await;
        let binary = world.binary().env("TZDIR", files.path_text());
        let file = binary.directory().join("people.csv");
        std::fs::write(&file, "email,when\nbob@example.org,2024-03-01 00:00:00\n").expect("a file");
        let import = ["import", "people.csv", "--tenant", "example", "--added-at-column", "when"];

        files.half_a_zone("Europe/Brussels");
        let refused = binary.run(&import).expect_code(1).stderr;
        assert!(refused.contains("it is cut off"), "{refused}");
        let unsubscribe = ["unsubscribe", "--tenant", "example"];
        binary.run_with_stdin(&unsubscribe, b"ann@example.org\n").expect_code(0);
        let row = world.find(tenant, person).await.expect("still there");
        assert!(row.unsubscribed_at.is_some());
        let check = ["suppression", "check", "--tenant", "example"];
        let said = binary.run_with_stdin(&check, b"ann@example.org\n").expect_code(0).stdout;
        assert_eq!(said, "1\tsuppressed\n");

        // And an upload goes by the rules of the machine, too.
        files.zone("Europe/Brussels", "Asia/Tokyo");
        binary.run(&import).expect_code(0);
        let bob = participant::Entity::find()
            .filter(participant::Column::TenantId.eq(tenant.0))
            .filter(participant::Column::Email.eq("bob@example.org"))
            .one(&world.db)
            .await
            .expect("the database answers");
        assert_eq!(bob.expect("imported").added_at, at("2024-02-29T15:00:00Z"));
    }

    /// D13 by `plan`, which shows the cutoffs of a month that is not due yet.
    async fn d13_who_was_added_in_the_first_hour_of_december_is_not_taken_in_january(scratch: Scratch) {
        let (release, directory) = newest_tzdata();
        let world = World::new(scratch, &SystemClock.now().to_rfc3339()).await;
        vancouver(&world).await;
        let binary = world.binary().env("TZDIR", directory.to_str().expect("UTF-8"));
        let plan = binary.run(&["plan", "--period", "2027-01", "--output", "json"]).expect_code(4);
        let plan = json(&plan.stdout);
        assert_eq!(plan["tenants"][0]["anonymize_cutoff"], "2026-12-01T07:00:00Z", "{plan} {release}");
        assert_eq!(plan["tenants"][0]["blocked_by"], "not_due", "{plan}");
    }
}

/// Two people of December in British Columbia, and one of November.
async fn vancouver(world: &World) -> (TenantId, [uuid::Uuid; 3]) {
    let tenant = world.tenant("example", "America/Vancouver").await;
    world
        .policy(tenant, Some(1), None, "2023-01-01T00:00:00Z")
        .await;
    let people = [
        world
            .person(tenant, added("2026-12-01T06:59:59.999999Z"))
            .await,
        world.person(tenant, added("2026-12-01T07:00:00Z")).await,
        world.person(tenant, added("2026-12-01T07:30:00Z")).await,
    ];
    (tenant, people)
}

async fn assert_d13(world: &World, binary: Binary) {
    let (release, directory) = newest_tzdata();
    let (tenant, [november, exactly, later]) = vancouver(world).await;
    let binary = binary.env("TZDIR", directory.to_str().expect("a path in UTF-8"));
    binary.run(&["run"]).expect_code(0);
    assert!(is_anonymous(world, tenant, november).await);
    assert!(!is_anonymous(world, tenant, exactly).await);
    assert!(
        !is_anonymous(world, tenant, later).await,
        "00:30 on 1 December"
    );
    let run = world.run_record(tenant, "2027-01").await.expect("a run");
    assert_eq!(run.anonymize_cutoff, Some(at("2026-12-01T07:00:00Z")));
    assert_eq!(run.tzdata_release.as_deref(), Some(release.name()));
    binary.run(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_the_run_of_january_2027_on_a_server_whose_clock_shows_it() {
    let machines = FakedMachines::start(at("2027-01-02T00:00:00Z")).await;
    let world = World::new(
        scratch_on(Backend::Postgres, machines.url()).await,
        "2027-01-02T00:00:00Z",
    )
    .await;
    let binary = under(&machines.host, world.binary());
    assert_d13(&world, binary).await;
}

#[tokio::test]
async fn d13_the_run_of_january_2027_on_a_machine_whose_clock_shows_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = FakedClock::new(directory.path().join("clock"), at("2027-01-02T00:00:00Z"));
    let world = World::new(scratch(Backend::Sqlite).await, "2027-01-02T00:00:00Z").await;
    let binary = under(&clock, world.binary());
    assert_d13(&world, binary).await;
}

fn under(clock: &FakedClock, binary: Binary) -> Binary {
    clock
        .environment()
        .iter()
        .fold(binary, |binary, (name, value)| binary.env(name, value))
}

#[test]
fn d12_commands_go_by_the_machines_rules_and_say_which() {
    let (release, directory) = newest_tzdata();
    let binary = Binary::new().env("TZDIR", directory.to_str().expect("a path in UTF-8"));
    let explain = [
        "policy",
        "explain",
        "--time-zone",
        "America/Vancouver",
        "--anonymize",
        "1m",
        "--period",
        "2027-01",
    ];
    let table = binary.run(&explain).expect_code(0).stdout;
    assert!(
        table.contains(&format!("America/Vancouver (tzdata {release})")),
        "{table}"
    );
    let explained = [&explain[..], &["--output", "json"]].concat();
    let explained = json(&binary.run(&explained).expect_code(0).stdout);
    assert_eq!(explained["anonymize_cutoff"], "2026-12-01T07:00:00Z");
    assert_eq!(explained["tzdata_release"], release.name());

    let shown = json(
        &binary
            .run(&["config", "show", "--output", "json"])
            .expect_code(0)
            .stdout,
    );
    assert_eq!(shown["tzdata"]["release"], release.name());
    assert_eq!(shown["tzdata"]["source"], "system");
    assert_eq!(
        Path::new(shown["tzdata"]["directory"].as_str().expect("a folder")),
        directory
    );
    let shown = binary.run(&["config", "show"]).expect_code(0).stdout;
    let line = format!(
        "time-zone rules: tzdata {release}, from {}\n",
        directory.display()
    );
    assert!(shown.ends_with(&line), "{shown}");

    let empty = tempfile::tempdir().expect("a temporary directory");
    let binary = Binary::new().env("TZDIR", empty.path().to_str().expect("a path in UTF-8"));
    let refused = binary.run(&explain).expect_code(2).stderr;
    assert!(
        refused.contains("there is no time-zone database in"),
        "{refused}"
    );
    let shown = binary.run(&["config", "show"]).expect_code(0).stdout;
    assert!(
        shown.contains("time-zone rules: tzdata unknown, from "),
        "{shown}"
    );
}

#[test]
fn d12_a_window_in_a_zone_that_cannot_be_had_is_refused() {
    let files = ZoneFiles::of_release("2025b");
    let binary = |zone: &str| {
        Binary::new()
            .env("TZDIR", files.path_text())
            .env("RETENTIOND__ENGINE__WINDOW", "01:00-05:00")
            .env("RETENTIOND__ENGINE__WINDOW_TIME_ZONE", zone)
    };
    binary("Europe/Brussels")
        .run(&["config", "check"])
        .expect_code(0);
    for zone in [
        "Brussels",
        "America/Vancouver",
        "../Brussels",
        "right/Europe/Brussels",
    ] {
        let refused = binary(zone).run(&["config", "check"]).expect_code(2).stderr;
        assert!(
            refused.to_lowercase().contains("window_time_zone"),
            "{zone}: {refused}"
        );
    }
    files.half_a_zone("Europe/Brussels");
    let refused = binary("Europe/Brussels")
        .run(&["config", "check"])
        .expect_code(2)
        .stderr;
    assert!(refused.contains("it is cut off"), "{refused}");
}
