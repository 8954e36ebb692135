//! The operator's side of the proxy: `remora.v1.ProxyAdmin` over gRPC beside `/healthz`, `/readyz` and `/metrics`, on
//! one address. The only file that names tonic.
//!
//! Nobody is asked who he is: the address belongs on the loopback or a management network, which the configuration
//! enforces. Left out on purpose: changing members (that is a reload) and any view of users or sessions.

use std::future::Future;
use std::time::Instant;

use remora_policy::{Pool, Upstream};
use remora_process::exit::Failure;
use remora_process::ops::{self, Readiness};
use remora_proto::v1::proxy_admin_server::{ProxyAdmin, ProxyAdminServer};
use remora_proto::v1::{DrainReply, DrainRequest, ProxyStatus, ProxyStatusRequest, UpstreamStatus};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::directory::{Current, Directory, UnknownRoute};
use crate::tally::Counters;

/// Bytes of a request: a drain names one route.
const REQUEST_BYTES: usize = 4 * 1024;

/// Answers operators until `stop` completes; requests in flight are answered first.
///
/// # Errors
/// The address stopped accepting.
pub async fn serve(
    listener: TcpListener,
    directory: Directory,
    readiness: Readiness,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let admin = ProxyAdminServer::new(Control {
        directory,
        began: Instant::now(),
    })
    .max_decoding_message_size(REQUEST_BYTES);
    let router = Routes::new(admin)
        .into_axum_router()
        .merge(ops::router(readiness));
    let serving = Server::builder()
        .accept_http1(true)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop);
    tokio::select! {
        served = serving => served.map_err(|error| Failure::while_doing("the control address stopped", &error)),
        () = ops::upkeep() => Ok(()),
    }
}

struct Control {
    directory: Directory,
    began: Instant,
}

#[tonic::async_trait]
impl ProxyAdmin for Control {
    async fn status(&self, _: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        let current = self.directory.current();
        Ok(Response::new(ProxyStatus {
            uptime_seconds: self.began.elapsed().as_secs(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: current.snapshot.generation,
            upstreams: statuses(&current, |_| true),
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let route = request.into_inner().route;
        self.directory.drain(&route).map_err(not_found)?;
        Ok(self.reply(&route))
    }

    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let route = request.into_inner().route;
        self.directory.undrain(&route).map_err(not_found)?;
        Ok(self.reply(&route))
    }
}

impl Control {
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
