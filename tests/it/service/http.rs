//! Whoever holds connections open keeps no probe away, and no participant.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Backend, free_port, holds_within, scratch};

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

/// `[::]` in the manifests must not keep a node without IPv6 from serving.
#[tokio::test]
async fn on_a_host_without_ipv6_the_unspecified_address_is_that_of_ipv4() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let address = free_port();
    // The first socket of the thread that listens; with -D the child is the service itself.
    let mut arguments = vec!["-D", "-f", "-qq", "-o", "calls", "-e", "trace=socket"];
    arguments.extend(["-e", "inject=socket:error=EAFNOSUPPORT:when=1"]);
    arguments.extend([env!("CARGO_BIN_EXE_retentiond"), "serve"]);
    let binary = world.binary();
    let mut serving = binary
        .command_of(Path::new("strace"), &arguments)
        .env("PATH", std::env::var("PATH").expect("a search path"))
        .env(
            "RETENTIOND__HTTP__LISTEN",
            format!("[::]:{}", address.port()),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace");
    let answers = holds_within(LONG, async || TcpStream::connect(address).is_ok()).await;
    serving.kill().expect("a child of ours");
    serving.wait().expect("a child of ours");
    let calls = std::fs::read_to_string(binary.directory().join("calls")).expect("strace's output");
    assert!(
        calls.contains("AF_INET6") && calls.contains("(INJECTED)"),
        "{calls}"
    );
    assert!(answers, "{calls}");
}

/// Whatever is opened first when there is no room for one more: it is told as what it is.
#[test]
fn too_few_open_files_are_no_question_of_rights() {
    let binary = crate::support::Binary::new();
    binary.run(&["keys", "generate"]).expect_code(0);
    binary.run(&["migrate", "up"]).expect_code(0);
    let program = env!("CARGO_BIN_EXE_retentiond");
    // All below number 74 are open when it starts, so a limit of 75 leaves one.
    let open = "for file in $(seq 3 9); do eval \"exec $file</dev/null\"; done; \
                for number in $(seq 64); do exec {file}</dev/null; done";
    let mut refused = 0;
    for limit in (6..24).chain(75..92) {
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
