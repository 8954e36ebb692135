//! Unary calls that reach a node which does not lead: forwarded one hop to the leader, or refused with its address.
//!
//! A forwarded call is marked, and a marked call is never forwarded again. What the leader answers goes back as it is,
//! its status and its metadata included. A status without a refusal, such as a broken connection, means that the
//! command may have happened, also here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::bounds::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use super::desk::Desk;
use super::status::{not_leader, refused};

/// Metadata of a call that was forwarded already.
const FORWARDED_METADATA: &str = "remora-forwarded";

/// How long the leader's node may take to accept a connection: longer only when it is gone.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How long a forwarded call may take: the leader's own bound on a proposal is shorter.
const FORWARD_WITHIN: Duration = Duration::from_secs(8);

/// Where a unary call is answered.
pub(super) enum Way {
    /// By this node.
    Here,
    /// By the leader, over this connection.
    There(Channel),
}

/// Connections to other nodes' client addresses, made when first needed and kept.
#[derive(Default)]
pub(super) struct Forwards {
    channels: Mutex<HashMap<String, Channel>>,
}

impl Forwards {
    /// Where this call is answered, or the status that refuses it.
    pub(super) fn way<T>(&self, desk: &Desk, request: &Request<T>) -> Result<Way, Status> {
        desk.open().map_err(|refusal| refused(&refusal))?;
        if desk.raft.leadership().borrow().elected_here() {
            return Ok(Way::Here);
        }
        let leader = desk.leader_hint();
        if leader.is_empty() || request.metadata().contains_key(FORWARDED_METADATA) {
            return Err(refused(&not_leader(leader)));
        }
        self.channel(&leader)
            .map(Way::There)
            .ok_or_else(|| refused(&not_leader(leader)))
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
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .connect_lazy();
        channels.insert(address.to_owned(), channel.clone());
        Some(channel)
    }
}

/// The call for the leader, marked.
pub(super) fn onward<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert(FORWARDED_METADATA, MetadataValue::from_static("1"));
    request.set_timeout(FORWARD_WITHIN);
    request
}
