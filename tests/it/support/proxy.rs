//! A TCP proxy between the service and its database that breaks the connection, or kills or stops
//! the service, at a request of the test's choosing.

mod requests;

use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use retentiond::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Backend;
use super::serving::signal;
use requests::{Cutter, Kind};

/// A process that has not stopped by then is not going to.
const STOP_MAX: Duration = Duration::from_secs(60);

/// What happens at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both sides are closed, and the server never sees the request.
    CutRequest,
    /// The server answers, and both sides are closed before the client hears it.
    CutReply,
    /// As [`Fault::CutRequest`], but the client gets a reset.
    Reset,
    /// Half-open: from this request on nothing gets through, and nobody is told.
    Silence,
    /// Half-open: the server gets the request; from its reply on nothing gets through.
    SilenceReply,
    /// The request waits.
    Delay(Duration),
    /// The service is killed, and the server never sees the request.
    KillBefore,
    /// The server has the request, and the service is killed before an answer.
    KillInFlight,
    /// The service is killed when the answer has been passed on.
    KillAfter,
    /// The service is stopped on the way into the request, which the server gets when it is woken.
    StopBefore,
    /// The service is stopped while the server is at the request.
    StopInFlight,
}

/// At which request.
#[derive(Clone, Copy, Debug)]
pub enum Trigger {
    /// The n-th of all, from 1.
    Number(usize),
    /// The n-th that has exactly this text, from 1.
    Text(&'static str, usize),
    /// The n-th since the first that begins like this, which is the first, from 1.
    Since(&'static str, usize),
}

/// A request as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub text: String,
    /// It came after the connection had gone silent: nobody will ever answer it.
    pub unheard: bool,
}

/// The process that is to be killed; locked while it is being started.
pub type Victim = Arc<Mutex<Option<Child>>>;

/// Listens until it is dropped; then both sides of every connection are closed.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    backend: Backend,
    /// New connections go to each in turn.
    servers: Vec<SocketAddr>,
    ended: CancellationToken,
    woken: CancellationToken,
    victim: Victim,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<(Trigger, Fault)>,
    seen: Vec<Seen>,
    struck: Vec<(Fault, Instant)>,
    stopped_at: Option<DateTime<Utc>>,
}

impl Proxy {
    /// In front of what `url` names, the server or something on the way to it, with the faults to
    /// come.
    pub async fn start(
        backend: Backend,
        url: &str,
        faults: &[(Trigger, Fault)],
        victim: Victim,
    ) -> Self {
        let server = place(url).parse().expect("an IP address and a port");
        Self::balancing(backend, vec![server], faults, victim).await
    }

    /// In front of several servers that hold the same database, as a balancer that knows nothing
    /// of their health: each connection goes to the next of them.
    pub async fn balancing(
        backend: Backend,
        servers: Vec<SocketAddr>,
        faults: &[(Trigger, Fault)],
        victim: Victim,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let shared = Arc::new(Shared {
            backend,
            servers,
            ended: CancellationToken::new(),
            woken: CancellationToken::new(),
            victim,
            state: Mutex::new(State {
                faults: faults.to_vec(),
                ..State::default()
            }),
        });
        tokio::spawn(listen(Arc::clone(&shared), listener));
        Self { shared, port }
    }

    /// The URL that it was started for, with this proxy in place of what it names.
    pub fn url(&self, url: &str) -> String {
        let url = url.replacen(place(url), &format!("127.0.0.1:{}", self.port), 1);
        let separator = if url.contains('?') { '&' } else { '?' };
        // Encrypted requests could not be counted.
        let parameter = match self.shared.backend {
            Backend::Postgres => "sslmode=disable",
            _ => "ssl-mode=DISABLED",
        };
        format!("{url}{separator}{parameter}")
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// The faults that came about, and when.
    pub fn struck(&self) -> Vec<(Fault, Instant)> {
        self.shared.state().struck.clone()
    }

    /// When the service was seen to have been stopped.
    pub fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.shared.state().stopped_at
    }

    /// Wakes the stopped service, and lets its request go.
    pub fn wake(&self) {
        self.shared.signal("CONT");
        self.shared.woken.cancel();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.cancel();
    }
}

/// Host and port of a URL.
fn place(url: &str) -> &str {
    let (_, rest) = url.rsplit_once('@').expect("a URL with a user");
    rest.split_once('/').expect("a URL with a database").0
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; what is to happen at it.
    fn meet(&self, text: String) -> Option<Fault> {
        let mut state = self.state();
        state.seen.push(Seen {
            at: Instant::now(),
            text,
            unheard: false,
        });
        let last = state.seen.len() - 1;
        let text = &state.seen[last].text;
        let same_text = state.seen.iter().filter(|seen| seen.text == *text).count();
        let hit = |trigger: Trigger| match trigger {
            Trigger::Number(number) => number == last + 1,
            Trigger::Text(wanted, nth) => wanted == text && nth == same_text,
            Trigger::Since(beginning, nth) => {
                let mut texts = state.seen.iter().map(|seen| &seen.text);
                let first = texts.position(|text| text.starts_with(beginning));
                first.is_some_and(|first| first + nth == last + 1)
            }
        };
        let (_, fault) = *state.faults.iter().find(|(trigger, _)| hit(*trigger))?;
        state.struck.push((fault, Instant::now()));
        Some(fault)
    }

    /// Stops the service, and returns when it stands still.
    fn stop(&self) {
        let pid = self.signal("STOP");
        let end = Instant::now() + STOP_MAX;
        while !is_stopped(pid) {
            assert!(Instant::now() < end, "the service did not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.state().stopped_at = Some(SystemClock.now());
    }

    fn signal(&self, name: &str) -> u32 {
        let victim = self.victim.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = victim.as_ref().expect("a process to signal").id();
        signal(pid, name);
        pid
    }

    fn kill(&self) {
        let mut victim = self.victim.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = victim.as_mut() {
            child.kill().expect("the process can be killed");
        }
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a child of ours");
    let (_, state) = stat.rsplit_once(") ").expect("a name in brackets");
    state.starts_with('T')
}

async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    for number in 0.. {
        let client = tokio::select! {
            () = shared.ended.cancelled() => return,
            accepted = listener.accept() => accepted.expect("a client").0,
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let server = shared.servers[number % shared.servers.len()];
            let Ok(server) = TcpStream::connect(server).await else {
                // The client finds itself cut off, and what it makes of that is tested.
                assert!(shared.servers.len() > 1, "the server is gone");
                return;
            };
            for side in [&client, &server] {
                side.set_nodelay(true).expect("no delay");
            }
            let (client_reader, client) = client.into_split();
            let (server_reader, server) = server.into_split();
            let link = Arc::new(Link {
                shared,
                cut: CancellationToken::new(),
                replies: Mutex::new(Replies::Passed),
                client: tokio::sync::Mutex::new(client),
            });
            tokio::join!(
                requests_of(Arc::clone(&link), client_reader, server),
                replies_to(link, server_reader)
            );
        });
    }
}

/// What happens to the replies of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replies {
    Passed,
    Swallowed,
    /// The next one closes the connection instead of being passed on.
    Cut,
    /// The next one is passed on, and then the service is killed.
    Kill,
}

struct Link {
    shared: Arc<Shared>,
    /// Ends both directions, which closes both sides.
    cut: CancellationToken,
    replies: Mutex<Replies>,
    client: tokio::sync::Mutex<OwnedWriteHalf>,
}

impl Link {
    fn set_replies(&self, replies: Replies) {
        *self.replies.lock().unwrap_or_else(PoisonError::into_inner) = replies;
    }

    fn replies(&self) -> Replies {
        *self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of the connection, or of the test.
    async fn over(&self) {
        tokio::select! {
            () = self.cut.cancelled() => {}
            () = self.shared.ended.cancelled() => {}
        }
    }
}

async fn requests_of(link: Arc<Link>, mut client: OwnedReadHalf, mut server: OwnedWriteHalf) {
    let mut cutter = Cutter::new(link.shared.backend);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            () = link.over() => return,
            read = client.read(&mut chunk) => read,
        };
        let Ok(length @ 1..) = read else { break };
        cutter.push(&chunk[..length]);
        while let Some(request) = cutter.next() {
            let fault = match request.kind {
                Kind::Counted(text) => link.shared.meet(text),
                Kind::Ping | Kind::Goodbye => None,
            };
            match fault {
                None => {}
                Some(Fault::CutRequest) => return link.cut.cancel(),
                Some(Fault::Reset) => {
                    let writer = link.client.lock().await;
                    writer.as_ref().set_zero_linger().expect("linger");
                    return link.cut.cancel();
                }
                Some(Fault::Silence) => return silence(&link, client, cutter).await,
                Some(Fault::CutReply) => link.set_replies(Replies::Cut),
                Some(Fault::SilenceReply) => link.set_replies(Replies::Swallowed),
                Some(Fault::KillAfter) => link.set_replies(Replies::Kill),
                Some(Fault::Delay(pause)) => tokio::time::sleep(pause).await,
                Some(Fault::StopInFlight) => link.shared.stop(),
                Some(Fault::StopBefore) => {
                    link.shared.stop();
                    tokio::select! {
                        // The server gave the idle transaction up: the request meets nobody.
                        () = link.over() => return,
                        () = link.shared.woken.cancelled() => {}
                    }
                }
                Some(Fault::KillBefore) => {
                    link.shared.kill();
                    return link.cut.cancel();
                }
                Some(Fault::KillInFlight) => {
                    // The server may be gone already; then there is nothing to be told.
                    let _ = server.write_all(&request.bytes).await;
                    link.shared.kill();
                    return link.cut.cancel();
                }
            }
            if server.write_all(&request.bytes).await.is_err() {
                return link.cut.cancel();
            }
            if fault == Some(Fault::SilenceReply) {
                return silence(&link, client, cutter).await;
            }
        }
    }
    link.cut.cancel();
}

/// Reads what the client still says, and keeps it from everybody. The server's side stays open: it
/// hears of nothing, not even that the client gave up.
async fn silence(link: &Link, mut client: OwnedReadHalf, mut cutter: Cutter) {
    link.set_replies(Replies::Swallowed);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            () = link.over() => return,
            read = client.read(&mut chunk) => read,
        };
        let Ok(length @ 1..) = read else { break };
        cutter.push(&chunk[..length]);
        while let Some(request) = cutter.next() {
            if let Kind::Counted(text) = request.kind {
                link.shared.state().seen.push(Seen {
                    at: Instant::now(),
                    text,
                    unheard: true,
                });
            }
        }
    }
    link.shared.ended.cancelled().await;
}

async fn replies_to(link: Arc<Link>, mut server: OwnedReadHalf) {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            () = link.over() => return,
            read = server.read(&mut chunk) => read,
        };
        let replies = link.replies();
        let Ok(length @ 1..) = read else {
            if replies == Replies::Swallowed {
                // The server gave the silent client up; the client is not to know.
                link.over().await;
            }
            break;
        };
        match replies {
            Replies::Swallowed => {}
            Replies::Cut => break,
            Replies::Passed | Replies::Kill => {
                let mut client = link.client.lock().await;
                // A client that is gone shows itself to the other direction as well.
                let passed = client.write_all(&chunk[..length]).await;
                if replies == Replies::Kill {
                    link.shared.kill();
                    break;
                }
                if passed.is_err() {
                    break;
                }
            }
        }
    }
    link.cut.cancel();
}
