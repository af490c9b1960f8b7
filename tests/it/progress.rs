//! What somebody sees who runs a command on a terminal: the log, whole, and one line of progress below it.

use crate::support::pty::OnTerminal;
use crate::support::{Backend, Binary, Person, World, scratch};

const PEOPLE: usize = 30;

/// A run of a good second, which the line of progress shows several times.
async fn slow() -> (World, Binary) {
    let world = World::new(scratch(Backend::Sqlite).await, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("acme", "UTC").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    for _ in 0..PEOPLE {
        let person = Person {
            added_at: "2022-10-15T12:00:00Z",
            ..Person::default()
        };
        world.person(tenant, person).await;
    }
    let binary = world
        .binary()
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "20");
    (world, binary)
}

const RUN: &[&str] = &["run", "--period", "2024-04", "--output", "json"];

fn shows_progress(shown: &OnTerminal) -> bool {
    shown.written.contains("running") && shown.written.contains(" of 1 tenants")
}

#[tokio::test]
async fn the_line_of_progress_leaves_the_log_whole_and_goes_in_the_end() {
    let (_world, binary) = slow().await;
    let binary = binary.env("RETENTIOND__LOG__LEVEL", "debug");
    let shown = binary.run_on_terminal(RUN, 400);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shows_progress(&shown), "{}", shown.written);
    assert!(shown.stdout.contains("\"purged\": 30"), "{}", shown.stdout);
    let batches = shown
        .screen
        .iter()
        .filter(|row| row.contains("batch committed"));
    // One for each person, one for each upload of one.
    assert_eq!(batches.count(), 2 * PEOPLE, "{:#?}", shown.screen);
    for row in shown.screen.iter().filter(|row| !row.is_empty()) {
        // A time, a level and an event; no line of progress before, behind or between.
        let is_event = row.starts_with("20") && row.contains("event=\"");
        assert!(is_event && !row.contains(" of 1 tenants"), "{row:?}");
    }
}

#[tokio::test]
async fn a_line_of_progress_is_cut_to_the_width_of_the_terminal() {
    let (_world, binary) = slow().await;
    let shown = binary
        .env("RETENTIOND__LOG__LEVEL", "error")
        .run_on_terminal(RUN, 40);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shows_progress(&shown), "{}", shown.written);
    assert_eq!(shown.wrapped, 0, "{:?}", shown.written);
    assert!(
        shown.screen.iter().all(String::is_empty),
        "{:#?}",
        shown.screen
    );
}

#[tokio::test]
async fn a_terminal_that_cannot_redraw_gets_neither_progress_nor_colors() {
    let (_world, binary) = slow().await;
    let shown = binary.env("TERM", "dumb").run_on_terminal(RUN, 80);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(!shown.written.contains('\u{1b}'), "{:?}", shown.written);
    assert!(
        shown.written.contains("tenant_run_completed"),
        "{:?}",
        shown.written
    );
}

/// <https://no-color.org>: set to anything but nothing.
#[test]
fn the_log_on_a_terminal_has_no_colors_where_no_color_is_set() {
    for (command, event) in [("run", "run_refused"), ("serve", "service_refused")] {
        let shown = |variables: &[(&str, &str)]| {
            let binary = Binary::new().env("RETENTIOND__SCHEDULE__HOUR", "24");
            let binary = variables
                .iter()
                .fold(binary, |binary, (name, value)| binary.env(name, value));
            let shown = binary.run_on_terminal(&[command], 80);
            assert_eq!(shown.code, 2, "{shown:?}");
            assert!(shown.written.contains(event), "{:?}", shown.written);
            shown.written.contains("\u{1b}[")
        };
        assert!(shown(&[]), "{command}");
        assert!(shown(&[("NO_COLOR", "")]), "{command}");
        assert!(!shown(&[("NO_COLOR", "1")]), "{command}");
        assert!(!shown(&[("TERM", "dumb")]), "{command}");
    }
}

/// With a configuration that can be read, the log is started by it.
#[tokio::test]
async fn a_run_and_a_daemon_on_a_terminal_keep_to_no_color() {
    let world = World::new(scratch(Backend::Sqlite).await, "2024-04-02T00:00:00Z").await;
    for command in ["run", "serve"] {
        let shown = |no_color: &str| {
            let binary = world.binary().env("NO_COLOR", no_color);
            // What cannot be listened on ends the daemon at its start; `run` does not listen.
            let binary = binary.env("RETENTIOND__HTTP__LISTEN", "192.0.2.1:1");
            // A name that is not verified is warned of, in the log.
            let shown = binary.env("RETENTIOND__LOG__LEVEL", "debug");
            shown
                .run_on_terminal(&[command, "--output", "json"], 400)
                .written
        };
        let (colored, plain) = (shown(""), shown("1"));
        assert!(colored.contains("\u{1b}["), "{command}: {colored:?}");
        assert!(plain.contains("event="), "{command}: {plain:?}");
        let drawn = plain.replace("\r\u{1b}[2K", "");
        assert!(!drawn.contains('\u{1b}'), "{command}: {plain:?}");
    }
}
