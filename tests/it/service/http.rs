//! Whoever holds connections open keeps no probe away, and no participant.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Backend, scratch};

use super::{LONG, tenant, wait_completed, world};

/// More than the process may have open files.
const SILENT: usize = 400;

const OPEN_FILES_MAX: usize = 128;

#[tokio::test]
async fn silent_connections_keep_neither_a_probe_nor_a_run_away() {
    let world = world(scratch(Backend::Postgres).await).await;
    let serving = world.binary().serve();
    serving.wait_ready(LONG).await;
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", serving.pid()))
        .arg(format!("--nofile={OPEN_FILES_MAX}"))
        .status();
    assert!(limited.expect("prlimit (package util-linux)").success());
    let silent: Vec<TcpStream> = (0..SILENT)
        .map(|number| {
            let mut stream = TcpStream::connect(serving.address()).expect("a connection");
            // Some say nothing, some begin to.
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nHost:");
            }
            stream
        })
        .collect();
    let asked = Instant::now();
    for path in ["/livez", "/readyz", "/metrics"] {
        let (status, body) = serving.get(path).expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
    }
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    let acme = tenant(&world, "acme", 3, 0, 0).await;
    serving.signal("HUP");
    wait_completed(&world, acme, &serving).await;
    drop(silent);
}

/// Whatever is opened first when there is no room for one more: it is told as what it is.
#[test]
fn too_few_open_files_are_no_question_of_rights() {
    let binary = crate::support::Binary::new();
    binary.run(&["keys", "generate"]).expect_code(0);
    binary.run(&["migrate", "up"]).expect_code(0);
    let program = env!("CARGO_BIN_EXE_retentiond");
    // So many are open when it starts, and may not be closed by it.
    let open = "for number in $(seq 64); do exec {file}</dev/null; done";
    let mut refused = 0;
    for limit in (6..24).chain(68..84) {
        let before = if limit > 64 { open } else { "true" };
        let script = format!("ulimit -n {limit}; {before}; exec {program} verify");
        let ended = binary
            .command_of(Path::new("/bin/bash"), &["-c", &script])
            .env("PATH", std::env::var("PATH").expect("a search path"))
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() {
            continue;
        }
        refused += 1;
        let misleading = [
            "let the service's user",
            "chmod",
            "install tzdata",
            "please report",
        ];
        for misleading in misleading {
            assert!(!said.contains(misleading), "{limit}: {said}");
        }
        assert!(said.contains("open files"), "{limit}: {said}");
    }
    assert!(
        refused > 18,
        "nothing was refused: it opens less than it did"
    );
}
