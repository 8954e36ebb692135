//! The operator's side of the proxy: `remora.v1.ProxyAdmin` over gRPC beside `/healthz`, `/readyz` and `/metrics`, on
//! one address. The only file that names tonic.
//!
//! With TLS a certificate says who may look and who may wish, and every wish is written down under the log target `audit`,
//! one that was refused too; health and metrics are open to all. Without it nobody is asked who he is: then the address belongs
//! on the loopback or a management network, which the configuration enforces.
//!
//! Where `state` names a directory, a wish is on its disk before it is done: of routes (`wishing`) and of pools (`maintaining`). Why a
//! request goes where is told by what decides for clients (`explaining`).
//!
//! Left out on purpose: changing members (that is a
//! reload) and any view of users or sessions.

mod explaining;
mod maintaining;
mod wishing;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::stream::{self, Stream};
use remora_policy::{AdminState, PAGE_BYTES, Pool, Upstream, Wish, Wishes};
use remora_process::accept::{Accepting, Connection};
use remora_process::audit;
use remora_process::exit::Failure;
use remora_process::ops::{self, OwnFigures, Readiness};
use remora_process::tls::{Caller, Role, Secured, Tls, Who};
use remora_proto::v1::proxy_admin_server::{ProxyAdmin, ProxyAdminServer};
use remora_proto::v1::{
    DrainReply, DrainRequest, ExplainReply, ExplainRequest, ForeseeReply, ForeseeRequest, MaintainReply,
    MaintainRequest, PoolStatus, ProxyStatus, ProxyStatusRequest, SetRequest, UpstreamStatus,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use crate::config::ListenConfig;
use crate::directory::{Directory, Meant, Unknown, unix_now};
use crate::metrics;
use crate::tally::Counters;
use crate::tls::Gates;
use crate::wishes::{Keeping, WishPlace};
use explaining::Scene;
use wishing::Change;

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
    (readiness, keeping): (Readiness, Keeping),
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let own = figures(directory.clone(), gates);
    let admin = ProxyAdminServer::new(Control {
        directory,
        keeping,
        listen: listen.into(),
        began: Instant::now(),
    })
    .max_decoding_message_size(REQUEST_BYTES);
    let router =
        Routes::new(admin)
            .into_axum_router()
            .merge(ops::router_with(PORT, readiness, metrics::FIGURES, own));
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

/// What the proxy threads count, what the directory knows, and when certificates end.
fn figures(directory: Directory, gates: Gates) -> OwnFigures {
    Arc::new(move |text| metrics::render(&directory.current(), &gates, text))
}

/// What the control address accepts, with TLS or without.
fn accepted(listener: TcpListener, tls: Option<Tls>) -> impl Stream<Item = io::Result<Operator>> {
    let open = ::metrics::gauge!(metrics::CONTROL_CONNECTIONS);
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

/// Who asks to look at something.
fn reader<T>(request: &Request<T>, action: &str) -> Result<Caller, Status> {
    let looks = |role: &Role| matches!(role, Role::Reader | Role::Admin);
    admitted(request, action, looks, "remora://reader or remora://admin")
}

/// Who asks to change something.
fn operator<T>(request: &Request<T>, action: &str) -> Result<Caller, Status> {
    admitted(request, action, |role| *role == Role::Admin, "remora://admin")
}

#[derive(Clone)]
struct Control {
    directory: Directory,
    keeping: Keeping,
    listen: Arc<[ListenConfig]>,
    began: Instant,
}

#[tonic::async_trait]
impl ProxyAdmin for Control {
    async fn status(&self, request: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        reader(&request, "ProxyAdmin/Status")?;
        let current = self.directory.current();
        Ok(Response::new(ProxyStatus {
            uptime_seconds: self.began.elapsed().as_secs(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: current.snapshot.generation,
            upstreams: self.statuses(|_| true),
            absent: self.directory.absent(),
            pools: self.pools(),
            discovery: None,
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Drain")?;
        let request = request.into_inner();
        let change = Change::drain(&request).map(|change| (change, request.careful));
        self.wish(caller, "ProxyAdmin/Drain", (request.route, request.group), change)
            .await
    }

    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Undrain")?;
        let DrainRequest { route, group, .. } = request.into_inner();
        self.wish(
            caller,
            "ProxyAdmin/Undrain",
            (route, group),
            Ok((Change::Undrain, false)),
        )
        .await
    }

    async fn set(&self, request: Request<SetRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Set")?;
        let request = request.into_inner();
        let change = Change::set(&request).map(|change| (change, request.careful));
        self.wish(caller, "ProxyAdmin/Set", (request.route, request.group), change)
            .await
    }

    async fn maintain(&self, request: Request<MaintainRequest>) -> Result<Response<MaintainReply>, Status> {
        const ACTION: &str = "ProxyAdmin/Maintain";
        let caller = operator(&request, ACTION)?;
        let (control, request) = (self.clone(), request.into_inner());
        whole(async move {
            let object = format!("pool {}: {}", request.pool, request.wish().as_str_name());
            let followed = control.follow_of_pool(&caller, request).await;
            booked(&caller, ACTION, &object, followed)
        })
        .await
    }

    async fn foresee(&self, request: Request<ForeseeRequest>) -> Result<Response<ForeseeReply>, Status> {
        reader(&request, "ProxyAdmin/Foresee")?;
        let (meant, change) = wishing::foreseen(request.into_inner()).map_err(Status::invalid_argument)?;
        let (_, wishes) = self.wished(&meant, change)?;
        Ok(Response::new(ForeseeReply {
            emptied: self.directory.emptied(&wishes),
        }))
    }

    async fn lately(
        &self,
        _request: Request<remora_proto::v1::LatelyRequest>,
    ) -> Result<Response<remora_proto::v1::LatelyReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn console_token(
        &self,
        _request: Request<remora_proto::v1::ConsoleTokenRequest>,
    ) -> Result<Response<remora_proto::v1::ConsoleTokenReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        reader(&request, "ProxyAdmin/Explain")?;
        let (current, wishes) = (self.directory.current(), self.directory.wishes());
        let status_of = |pool: &Pool, member: &Upstream| {
            status_of(
                pool,
                member,
                &wishes.of(&member.route),
                current.tally.upstream(member.id),
            )
        };
        let scene = Scene {
            snapshot: &current.snapshot,
            listen: &self.listen,
            status_of: &status_of,
        };
        let explained = scene.explain(request.get_ref());
        explained.map(Response::new).map_err(Status::invalid_argument)
    }
}

/// Does what is wished, whole, although its caller may go away meanwhile: a wish that is kept and not done would be done by the
/// next process, when nobody expects it.
async fn whole<T: Send + 'static>(
    wish: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::spawn(wish).await;
    done.unwrap_or_else(|_| Err(Status::internal("the wish broke off: look at the proxy's log")))
}

/// Writes down what became of a wish.
fn booked<T>(caller: &Caller, action: &str, object: &str, followed: Result<T, Status>) -> Result<T, Status> {
    match &followed {
        Ok(_) => audit::done(caller, action, object),
        Err(status) => audit::failed(caller, action, status.message()),
    }
    followed
}

/// Nothing is kept here any more where a successor has the word.
fn ours(place: &WishPlace) -> Result<(), Status> {
    if place.handed_over {
        return Err(Status::unavailable(
            "this proxy is being replaced, and nothing was changed: ask again",
        ));
    }
    Ok(())
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn not_kept(error: io::Error) -> Status {
    Status::unavailable(format!(
        "the wish could not be kept, and nothing was changed: {error}"
    ))
}

impl Control {
    /// Does what is wished of upstreams, and writes it down.
    async fn wish(
        &self,
        caller: Caller,
        action: &'static str,
        names: (String, String),
        change: Result<(Change, bool), String>,
    ) -> Result<Response<DrainReply>, Status> {
        let (control, (route, group)) = (self.clone(), names);
        whole(async move {
            let object = match group.as_str() {
                "" => format!("route {route}"),
                group => format!("group {group}"),
            };
            let followed = match change {
                Ok((change, careful)) => {
                    control
                        .follow(wishing::meant(route, group), change, careful)
                        .await
                }
                Err(refused) => Err(Status::invalid_argument(refused)),
            };
            booked(&caller, action, &object, followed)
        })
        .await
    }

    /// The routes that are meant, and what is wished of all routes after this change.
    fn wished(&self, meant: &Meant, change: Change) -> Result<(Vec<Arc<str>>, Wishes), Status> {
        let routes = self.directory.meant(meant).map_err(not_found)?;
        if change == Change::Undrain && !routes.iter().any(|route| self.directory.is_taken_away(route)) {
            let routes = routes.join(", ");
            return Err(Status::failed_precondition(format!(
                "{routes}: not drained, and nothing was changed"
            )));
        }
        let mut wishes = self.directory.wishes();
        for route in &routes {
            let wish = change.of(wishes.of(route), self.directory.is_drained_by_file(route));
            wishes.set(route, wish);
        }
        Ok((routes, wishes))
    }

    /// Keeps the wish, then does it. One after the other: what is kept is what was wished last. Whoever is careful is refused where
    /// it costs a pool its last upstream that is up.
    async fn follow(
        &self,
        meant: Result<Meant, String>,
        change: Change,
        careful: bool,
    ) -> Result<Response<DrainReply>, Status> {
        let meant = meant.map_err(Status::invalid_argument)?;
        let place = self.keeping.hold().await;
        ours(&place)?;
        let (routes, wishes) = self.wished(&meant, change)?;
        let emptied = if careful {
            self.directory.emptied(&wishes)
        } else {
            Vec::new()
        };
        if !emptied.is_empty() {
            let sentences = emptied.join("; ");
            return Err(Status::failed_precondition(format!(
                "{sentences}. Nothing was changed"
            )));
        }
        if let Some(store) = &place.store {
            store.keep_routes(&wishes).await.map_err(not_kept)?;
        }
        self.directory.follow(wishes);
        Ok(Response::new(DrainReply {
            upstreams: self.statuses(|upstream| routes.contains(&upstream.route)),
            ends_with_process: place.store.is_none(),
            shared: false,
        }))
    }

    /// The same of a pool.
    async fn follow_of_pool(
        &self,
        caller: &Caller,
        request: MaintainRequest,
    ) -> Result<Response<MaintainReply>, Status> {
        let place = self.keeping.hold().await;
        ours(&place)?;
        let (name, mut wishes) = (request.pool.clone(), self.directory.wishes());
        let by_file = self.directory.is_maintained_by_file(&name);
        if by_file.is_none() && wishes.pools.of(&name).is_none() {
            return Err(Status::not_found(self.no_pool(&name)));
        }
        let wish = maintaining::wished(request, caller.name(), by_file.unwrap_or(false))
            .map_err(Status::invalid_argument)?;
        let unchanged = wishes.pools.of(&name).map(maintaining::said) == wish.as_ref().map(maintaining::said);
        wishes.pools.set(&name, wish);
        if let Some(store) = &place.store {
            store.keep_pools(&wishes).await.map_err(not_kept)?;
        }
        self.directory.follow(wishes);
        let pool = self.pools().into_iter().find(|pool| pool.pool == name);
        Ok(Response::new(MaintainReply {
            pool,
            ends_with_process: place.store.is_none(),
            unchanged,
            shared: false,
        }))
    }

    fn pools(&self) -> Vec<PoolStatus> {
        let pools = self.directory.maintained().into_iter();
        pools.map(maintaining::status_of).collect()
    }

    fn no_pool(&self, name: &str) -> String {
        let known: Vec<String> = self.pools().into_iter().map(|pool| pool.pool).collect();
        format!("there is no pool `{name}`; known here: {}", known.join(", "))
    }

    /// The upstreams that are wanted, in the order of the configuration.
    fn statuses(&self, wanted: impl Fn(&Upstream) -> bool) -> Vec<UpstreamStatus> {
        let (current, wishes) = (self.directory.current(), self.directory.wishes());
        let pools = current.snapshot.upstreams.pools.iter();
        let members = pools.flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
        members
            .filter(|(_, member)| wanted(member))
            .map(|(pool, member)| {
                let counters = current.tally.upstream(member.id);
                status_of(pool, member, &wishes.of(&member.route), counters)
            })
            .collect()
    }
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn not_found(unknown: Unknown) -> Status {
    Status::not_found(unknown.to_string())
}

fn status_of(pool: &Pool, upstream: &Upstream, wish: &Wish, counters: &Counters) -> UpstreamStatus {
    let finishing = upstream.state == AdminState::Finishing;
    let until = wish.until.filter(|_| finishing);
    UpstreamStatus {
        pool: pool.name.to_string(),
        route: upstream.route.to_string(),
        url: upstream.url(),
        health: upstream.health.belief().as_str().to_owned(),
        reason: upstream.health.reason().to_owned(),
        draining: upstream.state.is_drain(),
        in_flight: counters.in_flight_now(),
        answered: counters.answered_so_far(),
        failed: counters.failed_so_far(),
        state: upstream.state.as_str().to_owned(),
        weight: upstream.weight,
        group: upstream.group.as_deref().unwrap_or_default().to_owned(),
        tunnels: counters.tunnels_now(),
        finishes_in_seconds: until.map(|until| until.saturating_sub(unix_now())),
        wished: *wish != Wish::default(),
        wished_by: String::new(),
        wished_since: 0,
        discovered: false,
    }
}

#[cfg(test)]
mod tests;
