//! One check: a request and its whole answer.
//!
//! Invariants: a kept-alive connection that fails is no sign; only a fresh one counts · an answer counts once it is
//! complete, and of its body at most [`BODY_BYTES`] are read.
//!
//! Left out on purpose: how long it may take, which is the watch's, and what an outcome means. The prober says what was
//! seen, the policy what to believe.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use remora_policy::Upstream;

use crate::config::HealthConfig;
use crate::http::outbound::{Answer, Link, SendFailure, Shelf};
use crate::http::{Body, ConnectFault, Piece, RequestHead, Version};

/// Bytes of an answer's body that are read; a health page has less, and what is longer is no better.
const BODY_BYTES: usize = 64 * 1024;
/// How long a connect may take: longer than any check is waited for, so that a stopped machine is silent and not broken.
const CONNECT_MAX: Duration = Duration::from_secs(60);

/// What a check saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A complete answer with this status.
    Answered(u16),
    /// The connect was refused.
    Refused,
    /// The connection broke, or what came was not HTTP, or the name was not found.
    Broken,
    /// The proxy lacked what a connection needs.
    NotMade,
}

/// Asks one upstream, over a connection that it keeps.
#[derive(Default)]
pub(super) struct Checker {
    kept: Rc<Kept>,
}

#[derive(Default)]
struct Kept(RefCell<Option<Link>>);

impl Shelf for Kept {
    fn put(&self, link: Link) {
        self.0.replace(Some(link));
    }
}

impl Checker {
    /// Asks, and waits for the answer for as long as it is polled.
    pub(super) async fn ask(&self, upstream: &Upstream, config: &HealthConfig) -> Outcome {
        let kept = self
            .kept
            .0
            .take()
            .and_then(|mut link| link.is_alive().then_some(link));
        if let Some(link) = kept
            && let Ok(outcome) = self.exchange(link, upstream, config).await
        {
            return outcome;
        }
        // A kept connection may be closed under the check by the upstream's idle limit: only a fresh one counts.
        let authority = authority(upstream, config);
        match Link::connect(&authority, CONNECT_MAX).await {
            Ok(link) => self
                .exchange(link, upstream, config)
                .await
                .unwrap_or(Outcome::Broken),
            Err(ConnectFault::Refused) => Outcome::Refused,
            Err(ConnectFault::TimedOut | ConnectFault::Broken) => Outcome::Broken,
            Err(ConnectFault::Ours) => Outcome::NotMade,
        }
    }

    async fn exchange(
        &self,
        link: Link,
        upstream: &Upstream,
        config: &HealthConfig,
    ) -> Result<Outcome, SendFailure> {
        let head = request(upstream, config);
        let (status, mut body) = match link.send(head, Body::empty(), self.kept.clone(), || {}).await? {
            Answer::Response(head, body) => (head.status, body),
            Answer::Switched(..) => return Ok(Outcome::Broken),
        };
        let mut read = 0;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(Piece::Data(bytes)) => read += bytes.len(),
                Ok(Piece::Trailers(_)) => {}
                Err(_) => return Ok(Outcome::Broken),
            }
            if read > BODY_BYTES {
                break;
            }
        }
        Ok(Outcome::Answered(status))
    }
}

/// Where a check goes: to the member's own port, or to the one that is there for checks.
fn authority(upstream: &Upstream, config: &HealthConfig) -> String {
    match (config.port, upstream.authority.rsplit_once(':')) {
        (Some(port), Some((host, _))) => format!("{host}:{port}"),
        _ => upstream.authority.to_string(),
    }
}

fn request(upstream: &Upstream, config: &HealthConfig) -> RequestHead {
    let mut head = match &config.path {
        Some(path) => RequestHead::new("GET", path.as_bytes(), Version::Http11),
        None => RequestHead::new("OPTIONS", b"*", Version::Http11),
    };
    let own = authority(upstream, config);
    let host = config.host.as_deref().unwrap_or(&own);
    head.fields.push(b"host", host.as_bytes());
    head.fields.push(b"user-agent", b"remora-proxy (health check)");
    head
}
