//! `/metrics`, `/livez` and `/readyz`. None of them asks the database: a scrape costs the same with ten
//! tenants and with ten thousand, and a probe cannot pile up behind a database that hangs.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::Scrape;

use super::health::Health;

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
    // Errors of single connections are handled inside.
    axum::serve(listener, router)
        .with_graceful_shutdown(end.cancelled_owned())
        .await
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
