//! Unary calls that reach a node which does not lead: forwarded one hop to the leader, or refused with its address.
//!
//! One service around each service for clients ([`AtLeader`]), so that behind it every call may take this node for the
//! leader. A call goes on as it came, unread: bytes there, bytes and trailers back. A forwarded call is marked and says on whose
//! behalf it comes, and a marked call is never forwarded again. A status without a refusal, such as that of a broken connection, means that the command
//! may have happened, also here.
//!
//! Left out on purpose: the streams of session managers and of proxies, which belong to the leader alone and say so themselves.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use http::{HeaderName, HeaderValue};
use remora_process::tls::{Caller, Dial, Tls};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tower::{Service, ServiceExt};

use super::bounds::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use super::desk::Desk;
use super::gate::{self, FORWARDED};
use super::status::{not_leader, status};

/// How long the leader's node may take to accept a connection: longer only when it is gone.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Metadata that bounds a call, as gRPC writes it.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How long a forwarded call may take, 8 s: the leader's own bound on a proposal is shorter.
const FORWARD_WITHIN: HeaderValue = HeaderValue::from_static("8S");

/// How long a kill may take that is forwarded, 60 s, as long as whoever asks waits for it: it goes page by page, and then waits for
/// owners. A bound that ends before would leave unsaid how many were ended.
const KILL_WITHIN: HeaderValue = HeaderValue::from_static("60S");

/// Calls that may take so long.
const KILLS: [&str; 2] = [
    "/remora.v1.StoreAdmin/KillSessions",
    "/remora.v1.StoreAdmin/KillMatching",
];

/// Calls that every node answers itself.
const ANSWERED_HERE: [&str; 7] = [
    "/remora.v1.SessionStore/Exchange",
    "/remora.v1.Registry/Follow",
    "/remora.v1.StoreAdmin/Status",
    "/remora.v1.StoreAdmin/WatchSessions",
    "/remora.v1.StoreAdmin/Backup",
    "/remora.v1.StoreAdmin/Restore",
    "/remora.v1.StoreAdmin/Recover",
];

type Forwarded = Result<http::Response<Body>, Infallible>;

/// A service whose calls are answered by the leader, wherever they arrive.
#[derive(Clone)]
pub(super) struct AtLeader<S> {
    pub(super) desk: Arc<Desk>,
    pub(super) forwards: Arc<Forwards>,
    pub(super) service: S,
}

impl<S: NamedService> NamedService for AtLeader<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for AtLeader<S>
where
    S: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future = BoxFuture<'static, Forwarded>,
        >,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Forwarded>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.way(&request) {
            Ok(Way::Here) => self.service.call(request),
            Ok(Way::There(leader)) => onward(leader, request, self.desk.raft.cluster()).boxed(),
            Err(status) => std::future::ready(Ok(status.into_http())).boxed(),
        }
    }
}

/// Where a call is answered.
enum Way {
    /// By this node.
    Here,
    /// By the leader, over this connection.
    There(Channel),
}

impl<S> AtLeader<S> {
    /// Where this call is answered, or the status that refuses it.
    fn way(&self, request: &http::Request<Body>) -> Result<Way, Status> {
        if ANSWERED_HERE.contains(&request.uri().path()) {
            return Ok(Way::Here);
        }
        let desk = &self.desk;
        desk.open().map_err(status)?;
        if desk.raft.leadership().borrow().elected_here() {
            return Ok(Way::Here);
        }
        let leader = desk.leader_hint();
        if leader.is_empty() || request.headers().contains_key(FORWARDED) {
            return Err(status(not_leader(leader)));
        }
        self.forwards
            .channel(&leader)
            .map(Way::There)
            .ok_or_else(|| status(not_leader(leader)))
    }
}

/// Connections to other nodes' client addresses, made when first needed and kept.
pub(super) struct Forwards {
    dial: Dial,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Forwards {
    pub(super) fn new(tls: Option<Tls>) -> Forwards {
        Forwards {
            dial: Dial::new(tls),
            channels: Mutex::default(),
        }
    }

    fn channel(&self, address: &str) -> Option<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Some(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .inspect_err(
                |error| tracing::warn!(address, %error, "the leader's client address is not an address"),
            )
            .ok()?;
        let channel = endpoint
            .connect_timeout(CONNECT_WITHIN)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .connect_with_connector_lazy(self.dial.clone());
        channels.insert(address.to_owned(), channel.clone());
        Some(channel)
    }
}

/// Takes a call to the leader, marked.
async fn onward(leader: Channel, request: http::Request<Body>, cluster: String) -> Forwarded {
    let (head, body) = request.into_parts();
    let caller = head.extensions.get::<Caller>().cloned();
    let mut request = http::Request::new(body);
    *request.uri_mut() = head.uri;
    *request.method_mut() = head.method;
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers;
    gate::speak_for(request.headers_mut(), caller.as_ref(), &cluster);
    let within = within(request.uri().path());
    request.headers_mut().insert(TIMEOUT, within);
    let answered = leader.oneshot(request).await;
    Ok(answered.unwrap_or_else(|error| Status::from_error(error.into()).into_http()))
}

/// How long a call may take at the leader.
fn within(path: &str) -> HeaderValue {
    if KILLS.contains(&path) {
        KILL_WITHIN
    } else {
        FORWARD_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_may_take_longer_than_another_call() {
        for kill in KILLS {
            assert_eq!(within(kill), "60S");
        }
        assert_eq!(within("/remora.v1.StoreAdmin/ListSessions"), "8S");
    }
}
