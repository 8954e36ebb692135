//! The gate before all services: who asks, whether they may, and what operators did.
//!
//! Whoever is at the other end of a connection asks for themselves, unless it is a peer of this cluster that forwards: then it
//! says on whose behalf, and that is believed. The first node decides and keeps the books: it writes a line for every call
//! that takes an operator, of what was refused too. What a call did is said by its service in
//! the answer's metadata ([`did`]), which comes back through a node that forwards. A call that goes on without whoever asked is
//! written down by its service, at the leader, and says so ([`written`]). Whoever asks for somebody else may say so ([`FOR`]): that
//! is written beside the name of who asks.
//!
//! Invariants: what a browser may have sent comes no further ([`browsers`]); no call goes on without its [`Caller`] in its extensions; what a client says of itself in metadata is never
//! believed, and but for what is only written down never forwarded.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use remora_process::audit::{self, Asker};
use remora_process::browsers;
use remora_process::tls::{Caller, Role, decoded, encoded};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::server::NamedService;
use tonic::{Response, Status};
use tower::Service;

use crate::raft::RaftHandle;

use super::accepted::Origin;
use super::rights;
use super::status::{refusal, status};

/// Metadata of a call that was forwarded already.
pub(super) const FORWARDED: HeaderName = HeaderName::from_static("remora-forwarded");

/// Metadata of a forwarded call: the name of whoever asks, percent-encoded.
const CALLER: HeaderName = HeaderName::from_static("remora-caller");

/// Metadata of a forwarded call: the roles of whoever asks, with spaces between.
const ROLES: HeaderName = HeaderName::from_static("remora-roles");

/// Metadata of a forwarded call: the cluster of the node that forwards.
const CLUSTER: HeaderName = HeaderName::from_static("remora-cluster");

/// Metadata of a call: for whom it is made, for the books, as [`Asker`] reads it.
const FOR: &str = "remora-for";

/// Metadata of an answer: what an operator's call did, percent-encoded.
const DID: &str = "remora-did";

/// Metadata of an answer whose service has written down what it did.
const WRITTEN: &str = "remora-written";

/// The status of a call that failed, where gRPC writes it when no message goes out.
const STATUS: &str = "grpc-status";

/// The sentence beside it, percent-encoded.
const MESSAGE: &str = "grpc-message";

/// A service behind the gate.
#[derive(Clone)]
pub(super) struct Gate<S> {
    service: S,
    /// Whose peers forward; none where nothing is forwarded.
    raft: Option<RaftHandle>,
}

impl<S> Gate<S> {
    pub(super) fn new(service: S, raft: Option<RaftHandle>) -> Gate<S> {
        Gate { service, raft }
    }

    /// Who asks. Only a peer's mark stays on a call.
    fn caller(&self, request: &mut http::Request<Body>) -> Result<Caller, v1::Refusal> {
        let origin = request.extensions().get::<Origin>();
        let direct = origin.map_or_else(Caller::nobody, Origin::caller);
        let raft = self.raft.as_ref();
        let forwards = raft.filter(|_| direct.is(|role| matches!(role, Role::Peer(_))));
        let Some(raft) = forwards else {
            request.headers_mut().remove(FORWARDED);
            return Ok(direct);
        };
        if direct.roles().is_none() || !request.headers().contains_key(FORWARDED) {
            return Ok(direct);
        }
        on_behalf(request.headers(), &direct, &raft.cluster(), |node| {
            let members = raft.status().members;
            members.iter().any(|member| member.node == node)
        })
    }
}

/// Whom a peer forwards for, if it is one of this cluster.
fn on_behalf(
    headers: &HeaderMap,
    peer: &Caller,
    cluster: &str,
    is_member: impl Fn(u64) -> bool,
) -> Result<Caller, v1::Refusal> {
    let said = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = said(&CLUSTER) == Some(cluster)
        && peer.is(|role| matches!(role, Role::Peer(node) if is_member(*node)));
    if !ours {
        let sentence = format!("{peer} forwards a call, and is no node of this cluster: it is not believed");
        return Err(refusal(Reason::Forbidden, sentence));
    }
    let name = said(&CALLER).and_then(decoded).unwrap_or_default();
    let roles = said(&ROLES).unwrap_or_default().split(' ');
    Ok(Caller::with_roles(&name, roles.filter_map(Role::parse).collect()))
}

/// Marks a call as forwarded, and says on whose behalf in place of whatever stood there.
pub(super) fn speak_for(headers: &mut HeaderMap, caller: Option<&Caller>, cluster: &str) {
    for name in [CALLER, ROLES, CLUSTER] {
        headers.remove(name);
    }
    headers.insert(FORWARDED, HeaderValue::from_static("1"));
    let Some((caller, roles)) = caller.and_then(|caller| Some((caller, caller.roles()?))) else {
        return;
    };
    let roles: Vec<String> = roles.iter().map(Role::to_string).collect();
    let said = [
        (CALLER, encoded(caller.name())),
        (ROLES, roles.join(" ")),
        (CLUSTER, cluster.to_owned()),
    ];
    for (name, text) in said {
        // Only the encoded, hexadecimal digits and spaces: it always is a value. Without one nobody is believed.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// Who asks a call that came through the gate.
pub(super) fn caller<T>(request: &tonic::Request<T>) -> Caller {
    let known = request.extensions().get::<Caller>().cloned();
    known.unwrap_or_else(Caller::nobody)
}

/// Who asks, as the books name them.
pub(super) fn asker<T>(request: &tonic::Request<T>) -> Asker {
    let behalf = request.metadata().get(FOR).and_then(|name| name.to_str().ok());
    Asker::new(&caller(request), behalf)
}

/// An operator's answer, with what was done for the books.
pub(super) fn did<T>(answer: T, what: &str) -> Response<T> {
    let mut response = Response::new(answer);
    if let Ok(value) = encoded(what).parse() {
        response.metadata_mut().insert(DID, value);
    }
    response
}

/// An answer, or the status in its place, of which the service has written down all that there is to write.
pub(super) fn written<T>(answered: Result<Response<T>, Status>) -> Result<Response<T>, Status> {
    let mark = MetadataValue::from_static("1");
    match answered {
        Ok(mut answer) => {
            answer.metadata_mut().insert(WRITTEN, mark);
            Ok(answer)
        }
        Err(mut status) => {
            status.metadata_mut().insert(WRITTEN, mark);
            Err(status)
        }
    }
}

impl<S: NamedService> NamedService for Gate<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        // Without a line in the books: a page can make a browser ask as often as it likes.
        if let Some((status, sentence)) = browsers::refusal(request.headers()) {
            let mut answer = http::Response::new(Body::new(sentence.to_owned()));
            *answer.status_mut() = status;
            return std::future::ready(Ok(answer)).boxed();
        }
        let path = request.uri().path().to_owned();
        let need = rights::needs(&path);
        let caller = self.caller(&mut request).and_then(|caller| {
            if need.is_met_by(&caller) {
                Ok(caller)
            } else {
                Err(need.refuses(&caller, &path))
            }
        });
        let caller = match caller {
            Ok(caller) => caller,
            Err(refused) => {
                audit::refused(action(&path), &refused.message);
                return std::future::ready(Ok(status(refused).into_http())).boxed();
            }
        };
        // Whoever forwards has written it down already.
        let first = !request.headers().contains_key(FORWARDED);
        let behalf = request.headers().get(FOR).and_then(|name| name.to_str().ok());
        let asker = Asker::new(&caller, behalf);
        request.extensions_mut().insert(caller);
        let called = self.service.call(request);
        if !need.is_booked() || !first {
            return called.boxed();
        }
        async move {
            let answered = called.await;
            if let Ok(answer) = &answered
                && !answer.headers().contains_key(WRITTEN)
            {
                write_down(&asker, action(&path), answer.headers());
            }
            answered
        }
        .boxed()
    }
}

/// The line of the books for a call that was let through.
fn write_down(asker: &Asker, action: &str, answer: &HeaderMap) {
    let said = |name: &str| {
        let value = answer.get(name)?.to_str().ok()?;
        decoded(value)
    };
    match said(STATUS).filter(|code| code != "0") {
        None => {
            let did = said(DID).unwrap_or_default();
            audit::done(asker, action, &did);
        }
        Some(_) => {
            let why = said(MESSAGE).unwrap_or_default();
            audit::failed(asker, action, &why);
        }
    }
}

/// What a call does, for people: `StoreAdmin/Recover`.
fn action(path: &str) -> &str {
    path.strip_prefix("/remora.v1.").unwrap_or(path)
}

#[cfg(test)]
mod tests;
