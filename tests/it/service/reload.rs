//! A configuration that somebody is just writing, or that names another database: the service stays where it is.

use std::fs;

use crate::support::{Backend, Binary, holds_within, scratch};

use super::{LONG, is_completed, tenant, unconfigured, wait_completed, wait_event, world};

#[tokio::test]
async fn a_reload_takes_no_empty_file_no_missing_database_and_no_other_one() {
    let here = world(scratch(Backend::Postgres).await).await;
    let there = world(scratch(Backend::Postgres).await).await;
    let elsewhere = tenant(&there, "elsewhere", 1, 0, 0).await;
    let binary = unconfigured(&here.binary());
    let file = binary.directory().join("retentiond.toml");
    let good = format!("[database]\nurl = \"{}\"\n", here.scratch.url());
    fs::write(&file, &good).expect("a file");
    let serving = binary.serve();
    serving.wait_ready(LONG).await;

    let another = format!("[database]\nurl = \"{}\"\n", there.scratch.url());
    let bad = [
        (Some(""), "is empty"),
        (Some("\n \n"), "is empty"),
        (Some("[engine]\nworkers = 2\n"), "names no database"),
        (Some(another.as_str()), "a reload cannot change this"),
        (None, "a reload cannot change this"),
    ];
    for (number, (text, sentence)) in bad.iter().enumerate() {
        match text {
            Some(text) => fs::write(&file, text).expect("a file"),
            None => fs::remove_file(&file).expect("a file"),
        }
        serving.signal("HUP");
        wait_event(&serving, "configuration_refused", number + 1).await;
        let log = serving.log();
        let last = log
            .lines()
            .rfind(|line| line.contains("configuration_refused"));
        assert!(
            last.expect("a line").contains(sentence),
            "{text:?}: {last:?}"
        );
        assert!(serving.is_ready(), "{text:?}");
        assert!(
            !binary.directory().join("retentiond.db").exists(),
            "{text:?}"
        );
    }
    let password = here
        .scratch
        .url()
        .split(':')
        .nth(2)
        .expect("one")
        .split('@')
        .next();
    assert!(!serving.log().contains(password.expect("a password")));

    // The same database by another setting is a reload like any other.
    fs::write(&file, good.replace("\"\n", "?application_name=other\"\n")).expect("a file");
    serving.signal("HUP");
    wait_event(&serving, "configuration_reloaded", 1).await;
    let acme = tenant(&here, "acme", 1, 0, 0).await;
    serving.signal("HUP");
    wait_completed(&here, acme, &serving).await;
    assert!(!is_completed(&there, elsewhere).await);
    // A restart may change it.
    serving.terminate(LONG).await;
    fs::write(&file, another).expect("a file");
    let serving = binary.serve();
    wait_completed(&there, elsewhere, &serving).await;
}

#[tokio::test]
async fn it_does_not_start_on_a_new_database_because_the_file_names_none() {
    let binary = Binary::new();
    binary.run(&["keys", "generate"]).expect_code(0);
    let file = binary.directory().join("retentiond.toml");
    for (text, sentence) in [
        ("", "is empty"),
        ("[log]\nlevel = \"info\"\n", "names no database"),
    ] {
        fs::write(&file, text).expect("a file");
        let (status, log) = binary.serve().wait(LONG).await;
        assert_eq!(status.code(), Some(2), "{log}");
        assert!(
            log.contains("service_refused") && log.contains(sentence),
            "{log}"
        );
        for command in [
            &["run"][..],
            &["verify"],
            &["plan"],
            &["migrate", "up"],
            &["tenant", "list"],
        ] {
            let ran = binary.run(command).expect_code(2);
            assert!(ran.stderr.contains(sentence), "{command:?}: {}", ran.stderr);
        }
    }
    assert!(!binary.directory().join("retentiond.db").exists());
    // Whoever only reads it is told, for the URL may be a credential of the service's.
    let checked = binary.run(&["config", "check"]).expect_code(0);
    assert!(checked.stderr.contains("warning: ") && checked.stderr.contains("names no database"));
    // Without a file, the service may be tried.
    fs::remove_file(&file).expect("a file");
    binary.run(&["migrate", "up"]).expect_code(0);
    let serving = binary.serve();
    let ready = holds_within(LONG, async || serving.is_ready()).await;
    assert!(ready, "{}", serving.log());
}
