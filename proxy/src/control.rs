//! The operator's side of the proxy: `remora.v1.ProxyAdmin` over gRPC beside `/healthz`, `/readyz` and `/metrics`, on
//! one address. With `service`, where the words of the service are answered, and `following`, which asks the store, the only
//! place that names tonic.
//!
//! With TLS a certificate says who may look and who may wish, and every wish is written down under the log target `audit`,
//! one that was refused too; health and metrics are open to all. Without it nobody is asked who he is: then the address belongs
//! on the loopback or a management network, which the configuration enforces.
//!
//! What is done stands in `deeds`, whoever asks for it and by which way. Where `state` names a directory, a wish is on its disk
//! before it is done: of routes (`wishing`) and of pools (`maintaining`). Where the store is followed (`following`) it is told then, and
//! all proxies do the same; whether it was, the answer says. Why a request goes where is told by what decides for clients
//! (`explaining`).
//!
//! What a web page may have made somebody's browser send comes to no service of gRPC (`remora_process::browsers`).
//!
//! The `console` is the same for whoever has a browser.
//!
//! Left out on purpose: changing members (that is a
//! reload).

mod deeds;
mod explaining;
mod following;
mod maintaining;
mod service;
mod wishing;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use remora_policy::PAGE_BYTES;
use remora_process::accept::{Accepting, Connection};
use remora_process::browsers;
use remora_process::exit::Failure;
use remora_process::ops::{self, OwnFigures, Readiness};
use remora_process::tls::{Caller, Secured, Tls, Who};
use remora_proto::v1::proxy_admin_server::ProxyAdminServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
#[cfg(test)]
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::config::ListenConfig;
use crate::console::{self, Console};
use crate::directory::Directory;
use crate::metrics;
use crate::tls::Gates;
use crate::wishes::Keeping;
pub(crate) use deeds::{Control, Refused, whole};
pub use following::Following;
use service::Service;

/// What whoever asks the wrong port is told of this one.
const PORT: &str = "a proxy's control address: name it with --proxy";

/// Bytes of a request: a wish names one route, group or pool, and may bring a page.
const REQUEST_BYTES: usize = PAGE_BYTES + 4 * 1024;

/// Connections of operators, scrapers and load balancers at a time.
const CONNECTIONS: usize = 256;

/// Answers operators until `stop` completes; requests in flight are answered first.
///
/// # Errors
/// The address stopped accepting.
pub async fn serve(
    (listener, tls): (TcpListener, Option<Tls>),
    (directory, gates, listen): (Directory, Gates, Vec<ListenConfig>),
    (readiness, keeping, following): (Readiness, Keeping, Following),
    console: Option<Console>,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let own = figures(directory.clone(), gates, following.clone());
    let control = Control::new(directory, keeping, following, listen.into());
    let admin = ProxyAdminServer::new(Service {
        control: control.clone(),
        console: console.clone(),
    })
    .max_decoding_message_size(REQUEST_BYTES);
    let services = Routes::new(admin)
        .into_axum_router()
        .route_layer(middleware::from_fn(for_programs));
    let mut router = services.merge(ops::router_with(PORT, readiness, metrics::FIGURES, own));
    if let Some(console) = console.clone() {
        router = router.merge(console::router(console, control.clone(), tls.clone()));
    }
    let stop = async {
        stop.await;
        // Pages would be waited for as long as somebody looks.
        if let Some(console) = &console {
            console.end();
        }
    };
    let serving = Server::builder()
        .accept_http1(true)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(accepted(listener, tls.clone()), stop);
    let looking = async {
        match tls {
            Some(tls) => tls.keep_looking().await,
            None => std::future::pending().await,
        }
    };
    let gathering = async {
        match &console {
            Some(console) => console.run(&control).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = looking => Ok(()),
        () = gathering => Ok(()),
        served = serving => served.map_err(|error| Failure::while_doing("the control address stopped", &error)),
        () = ops::upkeep() => Ok(()),
    }
}

/// Lets through to gRPC what no web page can have made a browser send.
async fn for_programs(request: Request, next: Next) -> Response {
    match browsers::refusal(request.headers()) {
        None => next.run(request).await,
        Some(refusal) => refusal.into_response(),
    }
}

/// What the proxy threads count, what the directory knows, when certificates end, and how the store is followed.
fn figures(directory: Directory, gates: Gates, following: Following) -> OwnFigures {
    Arc::new(move |text| {
        metrics::render(&directory.current(), &gates, text);
        if let Some(status) = following.status() {
            let figures = metrics::FollowedFigures {
                present: status.present,
                version: status.version,
                silent_seconds: status.silent_seconds,
                untold: status.untold,
            };
            metrics::render_followed(&figures, text);
        }
    })
}

/// What the control address accepts, with TLS or without.
fn accepted(listener: TcpListener, tls: Option<Tls>) -> impl Stream<Item = io::Result<Operator>> {
    let open = ::metrics::gauge!(metrics::CONTROL_CONNECTIONS);
    let listener = Accepting::new(listener, "control", CONNECTIONS, open);
    stream::unfold(listener, move |mut listener| {
        let tls = tls.clone();
        async move {
            let (connection, remote) = listener.next().await;
            let connection = Operator(Secured::accept(connection, remote, tls.as_ref()), remote);
            Some((Ok(connection), listener))
        }
    })
}

/// An operator's connection, as tonic has to know it.
struct Operator(Secured<Connection>, SocketAddr);

impl Connected for Operator {
    type ConnectInfo = FarEnd;

    fn connect_info(&self) -> FarEnd {
        FarEnd {
            who: self.0.who(),
            remote: self.1,
        }
    }
}

/// Who asks, and from where. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FarEnd {
    who: Who,
    /// The other end of the connection.
    pub(crate) remote: SocketAddr,
}

impl FarEnd {
    /// Whom their certificate names.
    pub(crate) fn caller(&self) -> Caller {
        self.who.caller()
    }
}

impl AsyncRead for Operator {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Operator {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
