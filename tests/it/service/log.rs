//! A log that nobody reads stops nothing, and what it loses is said.

use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::time::{Duration, Instant};

use crate::support::{Backend, holds_within, scratch};

use super::{LONG, is_completed, tenant, wait_event, world};

/// What a pipe of Linux takes before whoever writes has to wait.
const PIPE_BYTES: usize = 64 * 1024;

/// Grace periods are not spent on the log: it ends in a few seconds, a busy machine included.
const END_MAX: Duration = Duration::from_secs(15);

/// More lines than the buffer holds.
const PEOPLE: usize = 2_400;

/// A pipe that is full, with a reader that does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    let mut line = vec![b'x'; PIPE_BYTES];
    line[PIPE_BYTES - 1] = b'\n';
    writer.write_all(&line).expect("it takes that much");
    (reader, writer)
}

#[tokio::test]
async fn a_stderr_that_nobody_reads_stops_neither_the_work_nor_the_end() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let acme = tenant(&world, "acme", 3, 3, 3).await;
    let (_reader, writer) = full_pipe();
    let serving = world.binary().serve_unread(&writer);
    assert!(
        holds_within(LONG, async || is_completed(&world, acme).await).await,
        "people go although not a single line of the log can be written"
    );
    serving.wait_ready(LONG).await;
    assert_eq!(
        serving.metric("retention_log_lines_dropped_total"),
        Some(0.0),
        "what fits into the buffer is not dropped"
    );
    let asked = Instant::now();
    let (status, _) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < END_MAX, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn what_the_log_loses_is_counted_and_told_to_a_reader_that_comes_back() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let acme = tenant(&world, "acme", PEOPLE, 0, 1).await;
    let (reader, writer) = full_pipe();
    let mut serving = world
        .binary()
        .env("RETENTIOND__LOG__LEVEL", "debug")
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
        .serve_unread(&writer);
    // Or the reader would wait for us, too.
    drop(writer);
    let done = holds_within(LONG * 3, async || is_completed(&world, acme).await).await;
    assert!(done, "the run goes on while lines are dropped");
    serving.wait_ready(LONG).await;
    let dropped = serving.metric("retention_log_lines_dropped_total");
    assert!(dropped.is_some_and(|lines| lines > 0.0), "{dropped:?}");

    serving.read(reader);
    wait_event(&serving, "log_lines_dropped", 1).await;
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).expect("whole lines"))
        .collect();
    let told: Vec<f64> = lines
        .iter()
        .filter(|line| line["fields"]["event"] == "log_lines_dropped")
        .map(|line| line["fields"]["lines"].as_f64().expect("a number"))
        .collect();
    // A line or two may have come between the scrape and the reader.
    let [told] = told[..] else {
        panic!("told once: {told:?}");
    };
    assert!(
        told >= dropped.expect("seen above"),
        "{told} of {dropped:?}"
    );
    assert_eq!(
        lines.last().expect("a line")["fields"]["event"],
        "service_stopped",
        "the end is written whole"
    );
}
