//! One check: a request and its whole answer.
//!
//! Invariants: a kept-alive connection that fails is no sign; only a fresh one counts · nor is one that was secured by what files said
//! before · an answer counts once it is
//! complete, and of its body at most [`BODY_BYTES`] are read.
//!
//! Left out on purpose: how long it may take, which is the watch's, and what an outcome means. The prober says what was
//! seen, the policy what to believe.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use remora_h1::{Asked, Head, Length};
use remora_policy::Upstream;

use crate::config::{HealthConfig, Limits};
use crate::http::{Buffers, Came, ConnectFault, Content, Link, Towards};
use crate::tls::Outward;

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
    /// TLS did not come about.
    Unverified,
    /// The connection broke, or what came was not HTTP, or the name was not found.
    Broken,
    /// The proxy lacked what a connection needs.
    NotMade,
}

/// Asks one upstream, over a connection that it keeps.
#[derive(Default)]
pub(super) struct Checker {
    kept: RefCell<Option<Link>>,
    buffers: Rc<Buffers>,
}

impl Checker {
    /// Asks, by TLS where there is a way for it, and waits for the answer for as long as it is polled.
    pub(super) async fn ask(
        &self,
        upstream: &Upstream,
        config: &HealthConfig,
        outward: Option<&Arc<Outward>>,
    ) -> Outcome {
        let mut kept = self.kept.take();
        kept.take_if(|link| !link.is_by(outward) || !link.is_alive());
        if let Some(link) = kept
            && let Some(outcome) = self.exchange(link, upstream, config).await
        {
            return outcome;
        }
        // A kept connection may be closed under the check by the upstream's idle limit: only a fresh one counts.
        let authority = authority(upstream, config);
        let towards = Towards {
            authority: &authority,
            outward,
            connect: CONNECT_MAX,
            handshake: CONNECT_MAX,
        };
        match Link::connect(towards, Limits::default().answers(), &self.buffers).await {
            Ok(link) => self
                .exchange(link, upstream, config)
                .await
                .unwrap_or(Outcome::Broken),
            Err(ConnectFault::Refused) => Outcome::Refused,
            Err(ConnectFault::Unverified) => Outcome::Unverified,
            Err(ConnectFault::TimedOut | ConnectFault::Broken) => Outcome::Broken,
            Err(ConnectFault::Ours) => Outcome::NotMade,
        }
    }

    /// None when the connection broke, or what came was no answer.
    async fn exchange(&self, mut link: Link, upstream: &Upstream, config: &HealthConfig) -> Option<Outcome> {
        let mut head = Head::default();
        link.begin(&request(upstream, config), Length::None, Asked::Plain);
        link.end(None);
        poll_fn(|context| link.poll_flush(context)).await.ok()?;
        loop {
            match poll_fn(|context| link.poll_answer(context, &mut head))
                .await
                .ok()?
            {
                Came::Answer => break,
                Came::Informational => head.clear(),
                Came::Switched => return None,
            }
        }
        let mut read = 0;
        while read <= BODY_BYTES {
            let piece = poll_fn(|context| {
                link.poll_content(context).map(|content| match content {
                    Content::Data(data) => Ok(Some(data.len())),
                    Content::Trailers(_) => Ok(Some(0)),
                    Content::End => Ok(None),
                    Content::Fault(_) => Err(()),
                })
            });
            match piece.await {
                Ok(Some(bytes)) => {
                    link.take(bytes);
                    read += bytes;
                }
                Ok(None) => break,
                Err(()) => return Some(Outcome::Broken),
            }
        }
        if link.is_clean() {
            link.rest();
            self.kept.replace(Some(link));
        }
        Some(Outcome::Answered(head.status()))
    }
}

/// Where a check goes: to the member's own port, or to the one that is there for checks.
fn authority(upstream: &Upstream, config: &HealthConfig) -> String {
    match (config.port, upstream.authority.rsplit_once(':')) {
        (Some(port), Some((host, _))) => format!("{host}:{port}"),
        _ => upstream.authority.to_string(),
    }
}

fn request(upstream: &Upstream, config: &HealthConfig) -> Head {
    let mut head = match &config.path {
        Some(path) => Head::request("GET", path.as_bytes()),
        None => Head::request("OPTIONS", b"*"),
    };
    let own = authority(upstream, config);
    let host = config.host.as_deref().unwrap_or(&own);
    head.fields.push(b"host", host.as_bytes());
    head.fields.push(b"user-agent", b"remora-proxy (health check)");
    head
}
