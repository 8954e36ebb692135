//! The ops address: `/healthz`, `/readyz`, `/metrics`.
//!
//! `/healthz` answers 200 while the process can answer at all. `/readyz` asks the server and answers 200, or 503 with
//! the reason in a sentence. `/metrics` is the Prometheus text format: what the process's one recorder and the server's
//! own counts say, in the order and words of the server's [`catalogue`]; durations end in `_seconds`,
//! everything else that is counted into buckets is a number of things.
//!
//! Each page has a field that says which port this is, so that who asks the wrong one can be told.
//!
//! Either standalone ([`bind`] and [`serve`]: the store's ops address) or merged into another router ([`router`]: the
//! proxy's control address, beside its gRPC services). Left out on purpose: TLS and authentication; the address is
//! meant for the loopback or a management network.

use std::fmt::Debug;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::catalogue::{self, Section};
use crate::exit::Failure;
use crate::figures;

/// The field of every page that says which port of which program this is, for whoever asks the wrong one.
const PORT: HeaderName = HeaderName::from_static("remora-port");

/// How often recorded samples are folded into their buckets: between two scrapes they would otherwise pile up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// How the names of durations end, in seconds.
const DURATION: &str = "_seconds";

/// Bucket limits of every duration histogram of the recorder, in seconds: from what needs no disk to one long election, and to a table image
/// of some gigabytes.
const DURATION_BUCKETS_SECONDS: [f64; 17] = [
    0.000_01, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0,
    80.0,
];

/// Bucket limits of every other histogram, which counts things: up to the most commands in an entry of the log.
const COUNT_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Says whether the server is ready, or in a sentence why not. Called once per `/readyz`; must not block.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Writes figures that a server counts itself, in the same text format, without comments. Called once per `/metrics`; must not
/// block.
pub type OwnFigures = Arc<dyn Fn(&mut String) + Send + Sync>;

/// The recorder of this process, installed at the first call. Everything that the `metrics` macros record before that
/// call is lost, so a server calls this first.
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets(&COUNT_BUCKETS)
                .and_then(|builder| {
                    let durations = Matcher::Suffix(DURATION.to_owned());
                    builder.set_buckets_for_metric(durations, &DURATION_BUCKETS_SECONDS)
                })
                .expect("no list of buckets is empty")
                .build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed: /metrics stays empty");
            }
            figures::begin();
            handle
        })
        .clone()
}

/// The three pages as a router that can be merged into another; `figures` are what the server publishes. `port` says what port this
/// is, in words behind "this is".
pub fn router(port: &str, readiness: Readiness, figures: &'static [Section]) -> Router {
    router_with(port, readiness, figures, Arc::new(|_| {}))
}

/// The same, with figures beside those of the recorder that the server counts itself.
pub fn router_with(port: &str, readiness: Readiness, figures: &'static [Section], own: OwnFigures) -> Router {
    let recorder = recorder();
    let port = HeaderValue::try_from(port).expect("a port is named in plain words");
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || std::future::ready(answer_readiness(&readiness))),
        )
        .route(
            "/metrics",
            get(move || {
                figures::sample();
                let mut text = recorder.render();
                own(&mut text);
                let text = catalogue::arranged(&text, figures);
                std::future::ready(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
            }),
        )
        .layer(map_response(move |mut response: Response| {
            response.headers_mut().insert(PORT, port.clone());
            std::future::ready(response)
        }))
}

fn answer_readiness(readiness: &Readiness) -> impl IntoResponse + use<> {
    match readiness() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

/// Binds a listening address. `what` names it for people as they configured it, for example `ops-addr`.
///
/// Port 0 takes a free port. Must run inside a tokio runtime with IO.
pub async fn bind(address: SocketAddr, what: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| bind_failure(address, what, &error))
}

/// The sentence for an address that cannot be bound.
pub fn bind_failure(address: SocketAddr, what: &str, error: &std::io::Error) -> Failure {
    Failure::Runtime(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is in use: stop the program that listens there or choose another {what} (`ss -ltnp` shows who it is)"
        ),
        ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine: choose another {what}")
        }
        ErrorKind::PermissionDenied => {
            format!("{address} may not be bound by this user: choose a port above 1023 for {what}")
        }
        _ => format!("{address} cannot be bound as {what}: {error}"),
    })
}

/// Serves a router, usually that of [`router`], until `stop` completes. Connections that are then open are dropped.
pub async fn serve(
    listener: impl Listener<Addr: Debug>,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    tokio::select! {
        served = IntoFuture::into_future(axum::serve(listener, router)) => {
            served.map_err(|error| Failure::while_doing("the ops address stopped", &error))
        }
        () = upkeep() => Ok(()),
        () = stop => Ok(()),
    }
}

/// Folds recorded samples into their buckets, for ever. [`serve`] includes it; whoever merges [`router`] into another
/// router runs it beside.
pub async fn upkeep() {
    let recorder = recorder();
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}

#[cfg(test)]
mod tests;
