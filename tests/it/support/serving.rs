//! The real `retentiond serve`: started, asked over HTTP, paused, killed, and gone when dropped.

use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Binary;

/// A process that has neither begun to listen nor ended by then hangs. Generous: the machine may be
/// busy, and nothing waits for as long as this unless something is wrong.
const START_MAX: Duration = Duration::from_secs(60);

/// How often the port may have been taken by somebody else between our look and the process's.
const STARTS_MAX: usize = 5;

/// How long an answer over HTTP may take. A paused process accepts and never answers.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A running `retentiond serve`.
pub struct Serving {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Holds the keyring and the configuration, which a reload reads again.
    _directory: Arc<TempDir>,
}

impl Binary {
    /// Starts `serve` on a free port of the loopback interface, and returns once it listens or has
    /// ended. Its log must be at the level `info` at least, which is the default.
    pub fn serve(&self) -> Serving {
        for _ in 0..STARTS_MAX {
            let serving = self.serve_at(free_port());
            if !serving.log().contains("cannot listen on") {
                return serving;
            }
        }
        panic!("no port stayed free for as long as a process needs to start");
    }

    /// Starts `serve` with a stderr that nobody reads, and returns once it answers.
    pub fn serve_unread(&self, stderr: &PipeWriter) -> Serving {
        for _ in 0..STARTS_MAX {
            let address = free_port();
            let stderr = stderr.try_clone().expect("another end of the pipe");
            let mut serving = Serving {
                child: self.spawn_serve(address, stderr.into()),
                address,
                log: Arc::default(),
                reader: None,
                _directory: Arc::clone(&self.directory),
            };
            let end = Instant::now() + START_MAX;
            while !serving.has_ended() {
                if serving.get("/livez").is_some() {
                    return serving;
                }
                assert!(Instant::now() < end, "serve does not answer");
                thread::sleep(LOOK_INTERVAL);
            }
        }
        panic!("serve does not start");
    }

    fn spawn_serve(&self, address: SocketAddr, stderr: Stdio) -> Child {
        self.command(&["serve"])
            .env("RETENTIOND__HTTP__LISTEN", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts")
    }

    fn serve_at(&self, address: SocketAddr) -> Serving {
        let mut child = self.spawn_serve(address, Stdio::piped());
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let mut serving = Serving {
            child,
            address,
            log: Arc::default(),
            reader: None,
            _directory: Arc::clone(&self.directory),
        };
        serving.read(stderr);
        let end = Instant::now() + START_MAX;
        while !serving.log().contains("service_started") {
            if serving.has_ended() {
                // What it said last may still be in the pipe.
                serving.join_reader();
                break;
            }
            assert!(
                Instant::now() < end,
                "serve said nothing: {}",
                serving.log()
            );
            thread::sleep(LOOK_INTERVAL);
        }
        serving
    }
}

impl Serving {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to read its stderr.
    pub fn read(&mut self, stderr: impl Read + Send + 'static) {
        let log = Arc::clone(&self.log);
        self.reader = Some(thread::spawn(move || collect(stderr, &log)));
    }

    /// What it wrote to stderr so far, as far as somebody read it.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log's lock").clone()
    }

    /// How many lines of the log so far are this event's.
    pub fn events(&self, event: &str) -> usize {
        let needle = format!("\"event\":\"{event}\"");
        let log = self.log.lock().expect("the log's lock");
        log.lines().filter(|line| line.contains(&needle)).count()
    }

    /// Status and body of `path`; `None` if nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX).ok()?;
        stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Whether `/readyz` says that everything is as it must be.
    pub fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// Waits for `/readyz`; panics with the log if that takes longer than `limit`.
    pub async fn wait_ready(&self, limit: Duration) {
        let in_time = holds_within(limit, async || self.is_ready()).await;
        assert!(in_time, "not ready within {limit:?}: {}", self.log());
    }

    /// The value of one series, written as `/metrics` writes it: a name, or a name with all of its
    /// labels, `retention_tenant_runs{state="completed"}`. `None` if there is none.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics")?;
        let value = body
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.parse().ok()
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Sends a signal by its name, `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// SIGSTOP: it does nothing more, and does not know.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn wake(&self) {
        self.signal("CONT");
    }

    /// SIGKILL, at whatever instant this is; returns the log.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        self.join_reader();
        self.log()
    }

    /// SIGTERM, and waits for the end; returns how it ended and the log.
    pub async fn terminate(self, limit: Duration) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait(limit).await
    }

    /// Waits for the process to end by itself; panics with the log if it does not.
    pub async fn wait(mut self, limit: Duration) -> (ExitStatus, String) {
        let ended = holds_within(limit, async || self.has_ended()).await;
        assert!(ended, "it did not end within {limit:?}: {}", self.log());
        let status = self.child.wait().expect("a child of ours");
        self.join_reader();
        (status, self.log())
    }

    fn join_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of stderr ends");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // SIGKILL ends a paused process, too. One that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of ours.
pub fn signal(pid: u32, name: &str) {
    // The crate forbids unsafe code, so the shell makes the system call.
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
        .arg(pid.to_string())
        .status()
        .expect("a shell");
    assert!(sent.success(), "SIG{name} could not be sent");
}

/// Looks at a condition until it holds; whether it did within `limit`.
pub async fn holds_within(limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// A port that nobody listens on just now.
pub fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

fn collect(stderr: impl Read, log: &Mutex<String>) {
    for line in BufReader::new(stderr).lines() {
        // A process that is killed in mid-line may leave half a character behind.
        let Ok(line) = line else { return };
        let mut log = log.lock().expect("the log's lock");
        log.push_str(&line);
        log.push('\n');
    }
}
