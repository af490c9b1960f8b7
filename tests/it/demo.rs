//! The demo, as somebody who has just cloned the repository meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::Binary;

const LINES_MAX: usize = 70;

#[test]
fn it_shows_the_example_in_a_screen_and_leaves_a_database_to_explore() {
    let binary = Binary::new();
    // What is configured elsewhere must not be touched: this database cannot even be opened.
    let elsewhere = Binary::new().env("RETENTIOND__DATABASE__URL", "sqlite:///nowhere/at.all");
    let directory = elsewhere.directory().join("a demo of ours");
    let named = directory.to_str().expect("a path in UTF-8");
    let shown = elsewhere
        .run(&["demo", "--dir", named, "--participants", "300"])
        .expect_code(0);

    let lines = shown.stdout.lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines:\n{}", shown.stdout);
    for part in [
        "everyone added on or before 2024-02-29 (before 2024-02-29T23:00:00Z)",
        "everyone added on or before 2023-03-31 (before 2023-03-31T22:00:00Z)",
        "2024-02-29T22:59:59.999999Z",
        "(anonymized), 0 of 5 personal fields stored",
        "recognised: stored as unsubscribed, not invited",
        "all tenants: 6 of 6 ok. A second run of 2024-04 changed 0 rows.",
        "runs list",
        "policy history example",
        "verify --period 2024-04",
    ] {
        assert!(shown.stdout.contains(part), "{part:?} in\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains('\x1b'), "colors in a pipe");
    assert!(shown.stderr.starts_with("note: RETENTIOND__ variables"));
    assert_eq!(shown.stderr.lines().count(), 1, "{}", shown.stderr);

    let mode = |name: &str| {
        let metadata = fs::metadata(directory.join(name)).expect("a file of the demo");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("retentiond.keyring"), 0o600);
    let config = directory.join("retentiond.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let verified = binary
        .run(&["--config", config, "verify", "--period", "2024-04"])
        .expect_code(0);
    assert!(verified.stdout.contains("example"), "{}", verified.stdout);
    let runs = binary
        .run(&["--config", config, "runs", "list"])
        .expect_code(0);
    assert!(runs.stdout.contains("completed"), "{}", runs.stdout);
}

#[test]
fn without_further_participants_and_as_json_it_tells_the_same() {
    let binary = Binary::new();
    // An empty directory that is there already will do.
    fs::create_dir(binary.directory().join("empty")).expect("a directory");
    let shown = binary
        .run(&[
            "--output",
            "json",
            "demo",
            "--dir",
            "empty",
            "--participants",
            "0",
        ])
        .expect_code(0);
    let story: serde_json::Value = serde_json::from_str(&shown.stdout).expect("one document");
    assert_eq!(story["policy"]["anonymize_until"], "2024-02-29");
    assert_eq!(story["policy"]["purge_until"], "2023-03-31");
    assert_eq!(story["tenants"][0]["anonymized"], 5);
    assert_eq!(story["tenants"][0]["deleted"], 4);
    assert_eq!(story["tenants"][0]["unhashable"], 1);
    assert_eq!(story["second_run_rows"], 0);
    assert_eq!(story["problems"], serde_json::json!([]));
    assert_eq!(shown.stderr, "");
}

#[test]
fn a_directory_that_holds_anything_is_refused_and_left_alone() {
    let binary = Binary::new();
    fs::write(binary.directory().join("letter.txt"), "Dear Ann").expect("a file");
    let refused = binary.run(&["demo", "--dir", "."]).expect_code(2);
    assert_eq!(refused.stdout, "");
    assert!(
        refused.stderr.contains("not empty"),
        "stderr: {}",
        refused.stderr
    );
    let left = fs::read_dir(binary.directory())
        .expect("a directory")
        .count();
    assert_eq!(left, 1);
    for file in ["letter.txt", "letter.txt/below"] {
        let refused = binary.run(&["demo", "--dir", file]).expect_code(2);
        assert!(
            refused.stderr.starts_with("error: --dir "),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_named_configuration_is_not_silently_ignored() {
    let binary = Binary::new();
    let refused = binary
        .run(&["--config", "production.toml", "demo"])
        .expect_code(2);
    assert!(refused.stderr.contains("--config"), "{}", refused.stderr);
}
