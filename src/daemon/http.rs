//! `/metrics`, `/livez` and `/readyz`. None of them asks the database: a scrape costs the same with ten
//! tenants and with ten thousand, and a probe cannot pile up behind a database that hangs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::telemetry::metrics::Scrape;

use super::health::Health;

/// Connections at a time. Prometheus and two probes need three.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take to say what it wants.
const HEADER_MAX: Duration = Duration::from_secs(5);

/// How long a connection lives at most.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Before the next connection is taken, where one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Sources {
    scrape: Scrape,
    health: Arc<Health>,
}

/// Answers until `end` is cancelled.
///
/// # Errors
///
/// The listener cannot be used.
pub(super) async fn listen(
    listener: io::Result<std::net::TcpListener>,
    scrape: Scrape,
    health: Arc<Health>,
    end: CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener?)?;
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(Sources { scrape, health });
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.add(answer(stream, router.clone())),
                // The client has gone, or there are too many open files. The next one may fare better, and
                // nobody is helped by asking at once.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// Connections that are open.
#[derive(Default)]
struct Connections(VecDeque<AbortOnDropHandle<()>>);

impl Connections {
    /// Adds one. Where there are too many, the oldest goes: a probe that comes now matters more than somebody
    /// who has been silent for longest.
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|open| !open.is_finished());
        if self.0.len() >= CONNECTIONS_MAX {
            self.0.pop_front();
        }
        self.0
            .push_back(AbortOnDropHandle::new(tokio::spawn(connection)));
    }
}

/// Answers one request. Errors are the client's.
async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_MAX)
        // A connection each minute costs nothing, and none is held for nothing.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let _ = tokio::time::timeout(ANSWER_MAX, served).await;
}

async fn metrics(State(sources): State<Sources>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        sources.scrape.render(),
    )
}

async fn livez(State(sources): State<Sources>) -> impl IntoResponse {
    if sources.health.is_live(Instant::now()) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the loop hangs\n")
    }
}

async fn readyz(State(sources): State<Sources>) -> impl IntoResponse {
    let status = if sources.health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, sources.health.describe())
}
