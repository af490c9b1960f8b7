//! `tenant`, `policy` and `participant` from outside: what they accept, refuse, keep and print.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::binary::Finished;
use crate::support::{Binary, Person, Scratch, World};

const EXAMPLE: [&str; 6] = [
    "tenant",
    "add",
    "example",
    "--time-zone",
    "Europe/Brussels",
    "--name=Example",
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}

/// A command that succeeds, as JSON.
fn call(binary: &Binary, arguments: &[&str]) -> Value {
    let arguments = [&["--output", "json"], arguments].concat();
    json(&binary.run(&arguments).expect_code(0).stdout)
}

/// `policy set`, with a reason, as JSON.
fn set(binary: &Binary, arguments: &[&str]) -> Value {
    let set = [&["policy", "set"], arguments, &["--reason", "a test"]].concat();
    call(binary, &set)
}

/// A command that is refused in one sentence on one line, which holds all of `parts`.
#[track_caller]
fn refused(finished: Finished, parts: &[&str]) {
    let finished = finished.expect_code(2);
    assert_eq!(finished.stdout, "");
    let error = &finished.stderr;
    assert!(
        error.starts_with("error: ") && error.trim_end().lines().count() == 1,
        "{error}"
    );
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("RFC 3339")
}

async fn empty(scratch: Scratch) -> (World, Binary) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let binary = world.binary();
    (world, binary)
}

on_every_database! {
    async fn tenants_are_added_listed_and_shown(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        let added = call(&binary, &EXAMPLE);
        assert_eq!(added["slug"], "example");
        assert_eq!(added["time_zone"], "Europe/Brussels");
        assert!(added["policy_version"].is_null());
        refused(binary.run(&EXAMPLE), &["\"example\"", "taken"]);
        let long = "a".repeat(64);
        for slug in ["", "Acme", "a_b", "caf\u{e9}", "a b", long.as_str()] {
            refused(
                binary.run(&["tenant", "add", slug, "--time-zone", "UTC"]),
                &["cannot be a slug", "1 to 63"],
            );
        }
        binary.run(&["tenant", "add", &long[1..], "--time-zone", "UTC"]).expect_code(0);
        refused(
            binary.run(&["tenant", "add", "b", "--time-zone", "europe/brussels"]),
            &["did you mean Europe/Brussels?"],
        );
        let listed = call(&binary, &["tenant", "list"]);
        let slugs: Vec<_> = listed["tenants"].as_array().expect("tenants").iter().map(|t| t["slug"].clone()).collect();
        assert_eq!(slugs, [Value::from(&long[1..]), "example".into()]);
        let shown = call(&binary, &["tenant", "show", "example"]);
        assert_eq!(shown["name"], "Example");
        assert_eq!(shown["participants"], 0);
        refused(binary.run(&["tenant", "show", "nobody"]), &["no tenant", "\"nobody\""]);
    }

    async fn p05_impossible_periods_are_refused(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        for (option, value, parts) in [
            ("--anonymize", "0m", &["0m", "at least 1", "1m"][..]),
            ("--anonymize", "-1m", &["-1m", "nearest allowed value is 1m"]),
            ("--anonymize", "0.5m", &["0.5m", "whole number of months"]),
            ("--anonymize", "30d", &["30d", "whole number of months", "1m"]),
            ("--anonymize", "6w", &["6w", "nearest allowed value is 1m"]),
            ("--anonymize", "1201m", &["1201m", "nearest allowed value is 1200m"]),
            ("--retain", "11m", &["11m", "at least 12", "12m"]),
            ("--retain", "101y", &["101y", "nearest allowed value is 1200m"]),
            ("--retain", "soon", &["soon", "cannot be read"]),
        ] {
            refused(binary.run(&["policy", "set", "example", option, value]), parts);
            refused(binary.run(&["policy", "explain", "--time-zone", "UTC", option, value]), parts);
        }
        refused(
            binary.run(&["policy", "set", "example", "--anonymize", "12m", "--retain", "1y", "--reason", "a test"]),
            &["12m", "shorter than the retention", "11m"],
        );
        refused(binary.run(&["policy", "set", "example"]), &["nothing to set", "--anonymize"]);
        refused(binary.run(&["policy", "set", "example", "--by", "me"]), &["nothing to set"]);
        refused(
            binary.run(&["policy", "set", "example", "--anonymize", "1m", "--effective-from", "1/5/2024", "--reason", "a test"]),
            &["1/5/2024", "2024-05-01"],
        );
        refused(binary.run(&["policy", "set", "nobody", "--anonymize", "1m", "--reason", "a test"]), &["\"nobody\""]);
        let history = call(&binary, &["policy", "history", "example"]);
        assert_eq!(history["versions"].as_array().map(Vec::len), Some(0));
    }

    async fn p06_months_and_years_are_stored_in_months(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        for (anonymize, retain) in [("1m", "12m"), ("1m", "1y"), ("11m", "1y")] {
            let set = set(&binary, &["example", "--anonymize", anonymize, "--retain", retain]);
            assert_eq!(set["retain_months"], 12);
            assert_eq!(format!("{}m", set["anonymize_after_months"]), anonymize);
        }
    }

    async fn p07_a_quarantine_longer_than_guaranteed_must_be_accepted(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        for (anonymize, days) in [("1m", 28), ("2m", 59), ("3m", 89)] {
            let guaranteed = format!("{days}d");
            let longer = format!("{}d", days + 1);
            let set = ["policy", "set", "example", "--reason", "a test", "--anonymize", anonymize, "--quarantine"];
            refused(
                binary.run(&[&set[..], &[&longer]].concat()),
                &[&longer, &guaranteed, "--accept-long-quarantine"],
            );
            let accepted = call(&binary, &[&set[..], &[&guaranteed]].concat());
            assert_eq!(accepted["long_quarantine_accepted"], false);
            assert_eq!(accepted["quarantine_days"], days);
        }
        refused(binary.run(&["policy", "set", "example", "--quarantine", "1.5d"]), &["1.5d", "whole number of days"]);
        refused(binary.run(&["policy", "set", "example", "--quarantine", "1m"]), &["1m", "days"]);
        let accepted = set(&binary, &["example", "--quarantine", "100d", "--accept-long-quarantine"]);
        assert_eq!(accepted["long_quarantine_accepted"], true);
        // P12: both are kept.
        let kept = set(&binary, &["example", "--retain", "2y"]);
        assert_eq!(kept["long_quarantine_accepted"], true);
        assert_eq!(kept["quarantine_days"], 100);
        // What was accepted was accepted for these two periods, and for no others.
        for changed in [["--quarantine", "300d"], ["--anonymize", "2m"]] {
            let set = [&["policy", "set", "example", "--reason", "a test"][..], &changed].concat();
            refused(binary.run(&set), &["--accept-long-quarantine"]);
        }
        let table = binary.run(&["policy", "history", "example"]).expect_code(0).stdout;
        assert!(table.contains("100d (accepted as long)"), "{table}");
    }

    async fn p08_history_shows_who_when_and_why(scratch: Scratch) {
        let (world, _) = empty(scratch).await;
        let binary = world.binary().env("LOGNAME", "carol").env("USER", "bob");
        call(&binary, &EXAMPLE);
        call(&binary, &["policy", "set", "example", "--anonymize", "1m", "--reason", "contract"]);
        call(&binary, &["policy", "set", "example", "--retain", "1y", "--by", "dpo", "--effective-from", "2024-01-01", "--reason", "dated back"]);
        call(&binary, &["policy", "set", "example", "--anonymize", "none", "--effective-from", "2090-01-01T00:00:00+02:00", "--reason", "planned"]);
        let history = call(&binary, &["policy", "history", "example"]);
        let versions = history["versions"].as_array().expect("versions");
        assert_eq!(versions.len(), 3);
        let facts: Vec<_> = versions.iter().map(|v| (v["version"].clone(), v["created_by"].clone(), v["reason"].clone(), v["backdated"].clone())).collect();
        assert_eq!(facts[0], (1.into(), "bob".into(), "contract".into(), false.into()));
        assert_eq!(facts[1], (2.into(), "dpo".into(), "dated back".into(), true.into()));
        assert_eq!(versions[0]["effective_from"], versions[0]["created_at"]);
        assert_eq!(versions[0]["retain_months"], Value::Null);
        // The start of the day in Brussels.
        assert_eq!(versions[1]["effective_from"], "2023-12-31T23:00:00Z");
        assert_eq!(versions[2]["effective_from"], "2089-12-31T22:00:00Z");
        let shown = call(&binary, &["policy", "show", "example"]);
        assert_eq!(shown["current"], versions[1]);
        assert_eq!(shown["later"][0], versions[2]);
        let table = binary.run(&["policy", "history", "example"]).expect_code(0).stdout;
        assert!(table.contains("backdated") && table.contains("contract"), "{table}");
        let unknown = world.binary();
        let set = set(&unknown, &["example", "--anonymize", "2m", "--replaces-planned"]);
        assert!(set["created_by"].as_str().is_some_and(|by| by.starts_with("uid ")));
    }

    async fn p12_what_is_left_out_is_kept_and_the_first_period_is_told(scratch: Scratch) {
        let (world, binary) = empty(scratch).await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        world.person(tenant, person("2010-01-15T12:00:00Z")).await;
        let recent = "2024-02-15T12:00:00Z";
        world.person(tenant, person(recent)).await;
        let first = set(&binary, &["example", "--anonymize", "1m", "--retain", "10y", "--quarantine", "28d"]);
        assert_eq!(first["version"], 1);
        assert_eq!(first["backdated"], false);
        // P9: set now, it first acts on the 1st of the next month.
        assert!(time(&first["due"]) > time(&first["created_at"]));
        assert_eq!(first["would_anonymize"], 1);
        assert_eq!(first["would_purge"], 1);
        let later = set(&binary, &["example", "--effective-from", "2060-03-10"]);
        assert_eq!(later["version"], 2);
        assert_eq!(later["period"], "2060-04");
        assert_eq!(later["anonymize_after_months"], 1);
        assert_eq!(later["retain_months"], 120);
        assert_eq!(later["quarantine_days"], 28);
        assert_eq!(later["effective_from"], "2060-03-09T23:00:00Z");
        assert_eq!(later["anonymize_until"], "2060-02-29");
        assert_eq!(later["anonymize_cutoff"], "2060-02-29T23:00:00Z");
        assert_eq!(later["purge_until"], "2050-03-31");
        assert_eq!(later["would_purge"], 2);
        assert_eq!(later["would_anonymize"], 0);
        // Dated back, it acts on the newest due period, which nobody has run yet.
        let back = set(&binary, &["example", "--retain", "none", "--effective-from", "2020-01-01", "--replaces-planned"]);
        assert_eq!(back["backdated"], true);
        assert!(time(&back["due"]) <= time(&back["created_at"]));
        assert!(back["retain_months"].is_null() && back["purge_until"].is_null());
        assert_eq!(back["would_anonymize"], 2);
        assert_eq!(back["would_purge"], 0);
        let due = back["period"].as_str().expect("a period").to_owned();
        binary.run(&["run"]).expect_code(0);
        let after = set(&binary, &["example", "--anonymize", "2m", "--effective-from", "2020-01-01"]);
        assert!(after["period"].as_str().expect("a period") > due.as_str(), "{after}");
        let table = binary
            .run(&["policy", "set", "example", "--effective-from", "2060-03-10", "--anonymize", "1m", "--reason", "a test"])
            .expect_code(0)
            .stdout;
        assert!(table.contains("on or before 2060-02-29") && table.contains("month 2060-04"), "{table}");
    }

    async fn p12_a_planned_version_lends_nothing_before_its_day(scratch: Scratch) {
        let (world, binary) = empty(scratch).await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        // Two years old: v1 keeps them, the planned v2 would not.
        let kept = world.person(tenant, person("2024-11-15T12:00:00Z")).await;
        let gone = world.person(tenant, person("2010-01-15T12:00:00Z")).await;
        set(&binary, &["example", "--retain", "5y", "--effective-from", "2023-01-01"]);
        let planned = set(&binary, &["example", "--retain", "1y", "--effective-from", "2028-01-01"]);
        assert_eq!(planned["based_on_version"], 1);
        assert_eq!(planned["changes"], serde_json::json!([{"term": "retain_months", "from": 60, "to": 12}]));
        assert_eq!(planned["force"], "planned");
        // It would never rule; that is not to happen in silence.
        let finished = binary
            .run(&["policy", "set", "example", "--anonymize", "2m", "--reason", "a test"])
            .expect_code(4);
        for part in ["version 2", "2027-12-31T23:00:00Z", "delete 12m", "--replaces-planned"] {
            assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
        }
        assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
        let history = call(&binary, &["policy", "history", "example"]);
        assert_eq!(history["versions"].as_array().map(Vec::len), Some(2), "nothing was added");
        // Told to, it replaces it, and takes over what is in force, not what was planned.
        let now = set(&binary, &["example", "--anonymize", "2m", "--replaces-planned"]);
        assert_eq!((&now["version"], &now["based_on_version"]), (&3.into(), &1.into()));
        assert_eq!(now["retain_months"], 60);
        assert_eq!(now["replaces_planned"], serde_json::json!([2]));
        let changes = serde_json::json!([{"term": "anonymize_after_months", "from": null, "to": 2}]);
        assert_eq!(now["changes"], changes);
        let forces = |document: Value| -> Vec<String> {
            let versions = document["versions"].as_array().expect("versions").clone();
            versions.iter().map(|version| version["force"].as_str().expect("a word").to_owned()).collect()
        };
        let history = call(&binary, &["policy", "history", "example"]);
        assert_eq!(forces(history), ["replaced", "never", "in_force"]);
        let shown = call(&binary, &["policy", "show", "example"]);
        assert_eq!(shown["current"]["version"], 3);
        assert_eq!(shown["later"], serde_json::json!([]), "what can never rule is not announced");
        let table = binary.run(&["policy", "history", "example"]).expect_code(0).stdout;
        assert!(table.contains("can never rule") && table.contains("in force"), "{table}");
        // Dated back to the same day, so that the run of now goes by it: only who is old enough goes.
        let back = set(&binary, &["example", "--anonymize", "2m", "--effective-from", "2023-01-01"]);
        assert_eq!((&back["based_on_version"], &back["takes_over_from_version"]), (&1.into(), &3.into()));
        binary.run(&["run"]).expect_code(0);
        assert!(world.find(tenant, gone).await.is_none());
        let kept = world.find(tenant, kept).await.expect("five years are not over");
        assert!(kept.anonymized_at.is_some() && kept.email.is_none());
        // What can never rule anyhow is in nobody's way; a later day is neither.
        set(&binary, &["example", "--quarantine", "20d"]);
        let after = set(&binary, &["example", "--retain", "2y", "--effective-from", "2029-01-01"]);
        assert_eq!((&after["anonymize_after_months"], &after["quarantine_days"]), (&2.into(), &20.into()));
        let table = binary
            .run(&["policy", "set", "example", "--retain", "3y", "--effective-from", "2030-01-01", "--reason", "a test"])
            .expect_code(0)
            .stdout;
        assert!(table.contains("24m -> 36m") && table.contains("2m (kept)"), "{table}");
    }

    async fn p12_a_quarantine_that_is_accepted_for_a_planned_version_is_not_accepted_now(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        set(&binary, &["example", "--anonymize", "1m", "--quarantine", "28d"]);
        set(
            &binary,
            &["example", "--quarantine", "100d", "--accept-long-quarantine", "--effective-from", "2060-01-01"],
        );
        let now = ["policy", "set", "example", "--quarantine", "100d", "--replaces-planned", "--reason", "a test"];
        refused(binary.run(&now), &["--accept-long-quarantine"]);
        let kept = set(&binary, &["example", "--retain", "1y", "--replaces-planned"]);
        assert_eq!((&kept["quarantine_days"], &kept["long_quarantine_accepted"]), (&28.into(), &false.into()));
    }

    async fn p12_two_who_set_a_policy_at_once_lose_neither_change(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        set(&binary, &["example", "--anonymize", "3m", "--retain", "3y"]);
        let changes = [
            ["--anonymize", "2m"],
            ["--retain", "2y"],
            ["--quarantine", "20d"],
        ];
        std::thread::scope(|scope| {
            for change in &changes {
                let binary = binary.beside();
                scope.spawn(move || {
                    let arguments = [&["policy", "set", "example", "--reason", "a test"][..], change].concat();
                    binary.run(&arguments).expect_code(0);
                });
            }
        });
        let current = call(&binary, &["policy", "show", "example"])["current"].clone();
        assert_eq!(current["version"], 4);
        assert_eq!(current["anonymize_after_months"], 2);
        assert_eq!(current["retain_months"], 24);
        assert_eq!(current["quarantine_days"], 20);
    }

    async fn p08_a_policy_without_a_reason_is_refused(scratch: Scratch) {
        let (_world, binary) = empty(scratch).await;
        call(&binary, &EXAMPLE);
        let terms = ["policy", "set", "example", "--anonymize", "1m"];
        refused(binary.run(&terms), &["--reason", "say why"]);
        for blank in ["", " ", "\u{a0}\t"] {
            refused(binary.run(&[&terms[..], &["--reason", blank]].concat()), &["--reason"]);
        }
        let nothing = ["policy", "set", "example", "--reason", "a test"];
        refused(binary.run(&nothing), &["nothing to set"]);
        let history = call(&binary, &["policy", "history", "example"]);
        assert_eq!(history["versions"], serde_json::json!([]));
    }

    async fn participant_show_tells_what_is_stored_and_when_it_goes(scratch: Scratch) {
        let (world, binary) = empty(scratch).await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        world.tenant("other", "UTC").await;
        world.policy(tenant, Some(1), Some(120), "2023-01-01T00:00:00Z").await;
        let old = world.person(tenant, person("2024-02-15T12:00:00Z")).await.to_string();
        let gone = world.person(tenant, person("2010-02-15T12:00:00Z")).await.to_string();
        // E13: from the future nobody is; so one whose periods are long.
        let patient = world.tenant("patient", "Europe/Brussels").await;
        world.policy(patient, Some(119), Some(240), "2023-01-01T00:00:00Z").await;
        let ahead = world.person(patient, Person { unsubscribed_at: None, ..person("2024-02-10T12:00:00Z") }).await.to_string();
        let outputs = |id: &str| {
            let table = binary.run(&["participant", "show", id]).expect_code(0);
            let text = binary.run(&["participant", "show", id, "--output", "json"]).expect_code(0);
            for output in [&table.stdout, &text.stdout, &table.stderr, &text.stderr] {
                for value in ["Ann", "Peeters", "example.org"] {
                    assert!(!output.contains(value), "{output}");
                }
            }
            (table.stdout, json(&text.stdout))
        };
        let (table, shown) = outputs(&old);
        assert!(table.contains("due already") && table.contains("first_name, last_name"), "{table}");
        assert_eq!(shown["stored"], true);
        assert_eq!(shown["tenant"], "example");
        assert_eq!(shown["unsubscribed"], true);
        assert_eq!(shown["policy_version"], 1);
        assert_eq!(shown["added_at"], "2024-02-15T12:00:00Z");
        let counts = ["metadata", "answers", "messages", "invitations"].map(|name| shown[name].as_u64());
        assert_eq!(counts, crate::support::CHILDREN.map(Some));
        assert_eq!(shown["anonymize"]["already_due"], true);
        assert_eq!(shown["purge"]["period"], "2034-03");
        let (_, shown) = outputs(&gone);
        assert!(shown["anonymize"].is_null());
        assert_eq!(shown["purge"]["already_due"], true);
        let (_, shown) = outputs(&ahead);
        assert_eq!(shown["unsubscribed"], false);
        assert_eq!(shown["anonymize"]["due"], "2034-01-31T23:00:00Z");
        assert_eq!(shown["anonymize"]["already_due"], false);
        assert_eq!(shown["purge"]["due"], "2044-02-29T23:00:00Z");

        binary.run(&["run"]).expect_code(0);
        let (table, shown) = outputs(&old);
        assert_eq!(shown["fields_stored"], Value::Array(Vec::new()));
        let run = shown["anonymized_by_run"].as_str().expect("a run").to_owned();
        assert!(table.contains(&run) && table.contains("none of the five"), "{table}");
        binary.run(&["runs", "show", &run]).expect_code(0);
        let (table, shown) = outputs(&gone);
        assert_eq!(table, "not stored: never known, or deleted\n");
        assert_eq!(shown["stored"], false);
        let address = binary.run(&["participant", "show", "ann@example.org"]);
        assert!(!address.stderr.contains("example.org"), "{}", address.stderr);
        refused(address, &["write a UUID"]);
        let elsewhere = call(&binary, &["participant", "show", &ahead, "--tenant", "other"]);
        assert_eq!(elsewhere["stored"], false);

        // Two whom the completed run covers: one came after it began, one it should have taken.
        let (_, shown) = outputs(&ahead);
        assert!(shown["missed"].is_null() && shown["open_run"].is_null(), "{shown}");
        let missed = world.person(tenant, person("2024-02-16T12:00:00Z")).await;
        world.restamp(tenant, missed, "2090-01-01 00:00:00").await;
        let (table, shown) = outputs(&missed.to_string());
        assert_eq!(shown["missed"]["reason"], "late");
        assert_eq!(shown["missed"]["stage"], "anonymize");
        assert_eq!(shown["missed"]["run_id"], *run);
        assert!(table.contains("late: stored after run"), "{table}");
        world.restamp(tenant, missed, "2020-01-01 00:00:00").await;
        let (table, shown) = outputs(&missed.to_string());
        assert_eq!(shown["missed"]["reason"], "overdue");
        assert!(table.contains("verify --tenant example"), "{table}");
        assert_eq!(shown["anonymize"]["already_due"], false, "the next month's run erases it");
        assert_eq!(call(&binary, &["participant", "show", &ahead, "--tenant", "patient"])["stored"], true);
        refused(binary.run(&["participant", "show", &ahead, "--tenant", "nobody"]), &["\"nobody\""]);
    }

    /// Which rule applies while a run is open: what it has pinned, not what was set since (P9).
    async fn p09_participant_show_tells_the_version_of_an_open_run(scratch: Scratch) {
        let (world, binary) = empty(scratch).await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        world.policy(tenant, Some(1), Some(120), "2023-01-01T00:00:00Z").await;
        let id = world.person(tenant, person("2024-02-15T12:00:00Z")).await.to_string();
        binary.run(&["run"]).expect_code(0);
        world.rewrite("UPDATE tenant_run SET state = 'failed'").await;
        world.policy(tenant, Some(2), Some(120), "2023-01-01T00:00:00Z").await;
        let shown = call(&binary, &["participant", "show", &id]);
        assert_eq!(shown["policy_version"], 2);
        assert_eq!(shown["open_run"]["policy_version"], 1);
        assert!(shown["missed"].is_null(), "{shown}");
        let table = binary.run(&["participant", "show", &id]).expect_code(0).stdout;
        assert!(table.contains("version 2: anonymize after 2m") && table.contains("uses version 1: anonymize after 1m"), "{table}");
    }
}

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: Some("2024-01-01T00:00:00Z"),
    }
}

fn explain(arguments: &[&str]) -> Value {
    // No database, and a configuration that nobody could load.
    let binary = Binary::new().env("RETENTIOND_CONFIG", "missing.toml");
    call(&binary, &[&["policy", "explain"], arguments].concat())
}

#[test]
fn d01_explain_the_example() {
    let arguments = [
        "--time-zone",
        "Europe/Brussels",
        "--anonymize",
        "1m",
        "--retain",
        "1y",
        "--period",
        "2024-04",
    ];
    let explained = explain(&arguments);
    for (key, expected) in [
        ("period", "2024-04"),
        ("due", "2024-03-31T22:00:00Z"),
        ("anonymize_cutoff", "2024-02-29T23:00:00Z"),
        ("anonymize_until", "2024-02-29"),
        ("purge_cutoff", "2023-03-31T22:00:00Z"),
        ("purge_until", "2023-03-31"),
    ] {
        assert_eq!(explained[key], expected, "{key}");
    }
    assert_eq!(explained["anonymize_guaranteed_days"], 28);
    assert_eq!(explained["anonymize_longest_days"], 62);
    assert_eq!(explained["purge_guaranteed_days"], 365);
    let binary = Binary::new();
    let table = binary
        .run(&[&["policy", "explain"], &arguments[..]].concat())
        .expect_code(0)
        .stdout;
    assert!(table.contains("on or before 2024-02-29"), "{table}");
    assert!(table.contains("on or before 2023-03-31"), "{table}");
    assert_eq!(
        std::fs::read_dir(binary.directory())
            .expect("the directory")
            .count(),
        0
    );
}

#[test]
fn d08_due_instants_via_explain() {
    for (zone, due) in [
        ("Pacific/Kiritimati", "2024-03-31T10:00:00Z"),
        ("Pacific/Pago_Pago", "2024-04-01T11:00:00Z"),
    ] {
        let explained = explain(&[
            "--time-zone",
            zone,
            "--period",
            "2024-04",
            "--anonymize",
            "none",
        ]);
        assert_eq!(explained["due"], due);
        assert!(explained["anonymize_cutoff"].is_null() && explained["purge_until"].is_null());
    }
    let six = explain(&["--time-zone", "UTC", "--period", "2024-04", "--hour", "6"]);
    assert_eq!(six["due"], "2024-04-01T06:00:00Z");
    let binary = Binary::new();
    refused(
        binary.run(&["policy", "explain", "--time-zone", "UTC", "--hour", "24"]),
        &["24", "0 to 23"],
    );
    refused(
        binary.run(&["policy", "explain", "--time-zone", "Nowhere"]),
        &["Nowhere", "time zone"],
    );
    let newest = explain(&["--time-zone", "UTC"]);
    assert!(newest["period"].is_string());
}
