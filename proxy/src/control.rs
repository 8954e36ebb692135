//! The operator's side of the proxy: `remora.v1.ProxyAdmin` over gRPC beside `/healthz`, `/readyz` and `/metrics`, on
//! one address. The only file that names tonic.
//!
//! With TLS a certificate says who may look and who may drain, and every drain is written down under the log target `audit`,
//! one that was refused too; health and metrics are open to all. Without it nobody is asked who he is: then the address belongs
//! on the loopback or a management network, which the configuration enforces.
//!
//! Where `state` names a directory, a drain is on its disk before it is done. Left out on purpose: changing members (that is a
//! reload) and any view of users or sessions.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::stream::{self, Stream};
use remora_policy::{Pool, Upstream};
use remora_process::accept::{Accepting, Connection};
use remora_process::audit;
use remora_process::exit::Failure;
use remora_process::ops::{self, Readiness};
use remora_process::tls::{Caller, Role, Secured, Tls, Who};
use remora_proto::v1::proxy_admin_server::{ProxyAdmin, ProxyAdminServer};
use remora_proto::v1::{DrainReply, DrainRequest, ProxyStatus, ProxyStatusRequest, UpstreamStatus};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use crate::directory::{Current, Directory, UnknownRoute};
use crate::tally::Counters;
use crate::wishes::Wishes;

/// Bytes of a request: a drain names one route.
const REQUEST_BYTES: usize = 4 * 1024;

/// Connections of operators, scrapers and load balancers at a time.
const CONNECTIONS: usize = 256;

/// Answers operators until `stop` completes; requests in flight are answered first.
///
/// # Errors
/// The address stopped accepting.
pub async fn serve(
    (listener, tls): (TcpListener, Option<Tls>),
    directory: Directory,
    (readiness, wishes): (Readiness, Option<Wishes>),
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let admin = ProxyAdminServer::new(Control {
        directory,
        wishes: Mutex::new(wishes),
        began: Instant::now(),
    })
    .max_decoding_message_size(REQUEST_BYTES);
    let router = Routes::new(admin)
        .into_axum_router()
        .merge(ops::router(readiness));
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
    tokio::select! {
        () = looking => Ok(()),
        served = serving => served.map_err(|error| Failure::while_doing("the control address stopped", &error)),
        () = ops::upkeep() => Ok(()),
    }
}

/// What the control address accepts, with TLS or without.
fn accepted(listener: TcpListener, tls: Option<Tls>) -> impl Stream<Item = io::Result<Operator>> {
    let open = metrics::gauge!("remora_proxy_control_connections");
    let listener = Accepting::new(listener, "control", CONNECTIONS, open);
    stream::unfold(listener, move |mut listener| {
        let tls = tls.clone();
        async move {
            let (connection, remote) = listener.next().await;
            let connection = Operator(Secured::accept(connection, remote, tls.as_ref()));
            Some((Ok(connection), listener))
        }
    })
}

/// An operator's connection, as tonic has to know it.
struct Operator(Secured<Connection>);

impl Connected for Operator {
    type ConnectInfo = Who;

    fn connect_info(&self) -> Who {
        self.0.who()
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

/// Who asks, if one of their roles gives the right to it; `names` are those that would.
fn admitted<T>(
    request: &Request<T>,
    action: &str,
    gives: impl Fn(&Role) -> bool,
    names: &str,
) -> Result<Caller, Status> {
    let who = request.extensions().get::<Who>();
    let caller = who.map_or_else(Caller::nobody, Who::caller);
    if caller.is(gives) {
        return Ok(caller);
    }
    let sentence = caller.lacks(action, names);
    audit::refused(action, &sentence);
    Err(Status::permission_denied(sentence))
}

/// Who asks to change something.
fn operator<T>(request: &Request<T>, action: &str) -> Result<Caller, Status> {
    admitted(request, action, |role| *role == Role::Admin, "remora://admin")
}

/// The line of the books for a wish that was followed or not.
fn write_down(caller: &Caller, action: &str, route: &str, followed: Result<(), &Status>) {
    match followed {
        Ok(()) => audit::done(caller, action, &format!("route {route}")),
        Err(status) => audit::failed(caller, action, status.message()),
    }
}

struct Control {
    directory: Directory,
    /// Where wishes are kept; none where they end with the process.
    wishes: Mutex<Option<Wishes>>,
    began: Instant,
}

#[tonic::async_trait]
impl ProxyAdmin for Control {
    async fn status(&self, request: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        let looks = |role: &Role| matches!(role, Role::Reader | Role::Admin);
        admitted(
            &request,
            "ProxyAdmin/Status",
            looks,
            "remora://reader or remora://admin",
        )?;
        let current = self.directory.current();
        Ok(Response::new(ProxyStatus {
            uptime_seconds: self.began.elapsed().as_secs(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: current.snapshot.generation,
            upstreams: statuses(&current, |_| true),
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let action = "ProxyAdmin/Drain";
        let caller = operator(&request, action)?;
        let route = request.into_inner().route;
        let drained = self.set_drain(&route, true).await;
        write_down(&caller, action, &route, drained.as_ref().map(|_| ()));
        drained.map(|_| self.reply(&route))
    }

    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let action = "ProxyAdmin/Undrain";
        let caller = operator(&request, action)?;
        let route = request.into_inner().route;
        let undrained = self.set_drain(&route, false).await;
        write_down(&caller, action, &route, undrained.as_ref().map(|_| ()));
        undrained.map(|_| self.reply(&route))
    }
}

impl Control {
    /// Keeps the wish, then does it. One after the other: what is kept is what was wished last.
    async fn set_drain(&self, route: &str, draining: bool) -> Result<(), Status> {
        let wishes = self.wishes.lock().await;
        let drained = self.directory.with_drain(route, draining).map_err(not_found)?;
        if let Some(wishes) = &*wishes {
            wishes.keep(&drained).await.map_err(|error| {
                Status::unavailable(format!(
                    "the wish could not be kept, and nothing was changed: {error}"
                ))
            })?;
        }
        self.directory.set_drain(route, draining).map_err(not_found)
    }

    fn reply(&self, route: &str) -> Response<DrainReply> {
        let upstreams = statuses(&self.directory.current(), |upstream| &*upstream.route == route);
        Response::new(DrainReply { upstreams })
    }
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn not_found(unknown: UnknownRoute) -> Status {
    Status::not_found(unknown.to_string())
}

/// The upstreams that are wanted, in the order of the configuration.
fn statuses(current: &Current, wanted: impl Fn(&Upstream) -> bool) -> Vec<UpstreamStatus> {
    let pools = current.snapshot.upstreams.pools.iter();
    let members = pools.flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
    members
        .filter(|(_, member)| wanted(member))
        .map(|(pool, member)| status_of(pool, member, current.tally.upstream(member.id)))
        .collect()
}

fn status_of(pool: &Pool, upstream: &Upstream, counters: &Counters) -> UpstreamStatus {
    UpstreamStatus {
        pool: pool.name.to_string(),
        route: upstream.route.to_string(),
        url: format!("http://{}", upstream.authority),
        health: upstream.health.belief().as_str().to_owned(),
        reason: upstream.health.reason().to_owned(),
        draining: upstream.draining,
        in_flight: counters.in_flight_now(),
        answered: counters.answered_so_far(),
        failed: counters.failed_so_far(),
    }
}

#[cfg(test)]
mod tests;
