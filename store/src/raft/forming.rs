//! How a cluster comes to be, once, and how nodes get to know each other afterwards.
//!
//! Nodes introduce themselves to all peers, always: to those of `--cluster`, and to the members once there are some. The node
//! with the lowest id forms the cluster when all of them answer that they are pristine and have the same `--cluster` list; one
//! that awaits a backup is not, and forms the cluster itself (`anew`). Cluster id and disk ids stand in the first
//! membership: a disk that is not in it is refused for good.
//!
//! Left out on purpose: forming without all nodes. Whoever is absent might hold an older cluster's saves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use remora_proto::v1;

use crate::log::{ClusterId, DiskId};
use crate::runtime;
use remora_table::Format;

use super::applier::Raft;
use super::identity::{NodeIdentity, REACHABLE_WITHIN};
use super::link::PeerLink;
use super::peers::PeerBook;
use super::types::Member;
use super::{NodeId, PeerEndpoint, lives};

/// Pause between two introductions to one peer: two fit into the time after which it counts as unreachable.
pub(super) const INTRODUCE_EVERY: Duration = Duration::from_millis(400);
// One introduction may be lost before a peer counts as gone.
const _: () = assert!(INTRODUCE_EVERY.as_millis() * 2 < REACHABLE_WITHIN.as_millis());
/// The same while the cluster is not formed, or this node was not compared with the peer since its start: somebody waits for
/// it.
const FORM_EVERY: Duration = Duration::from_millis(50);
/// How long an introduction may take.
pub(super) const INTRODUCE_WITHIN: Duration = Duration::from_millis(400);
/// How old an introduction may be to form a cluster on it, or to end a node that most others do not know.
const FRESH: Duration = Duration::from_secs(1);
/// How often an operator is told what a forming cluster waits for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What peers said of themselves, and when.
pub(super) type Introductions = Arc<Mutex<Heard>>;

type Heard = BTreeMap<NodeId, (Instant, v1::Introduction)>;

/// Introduces this node to everybody who is in the book of peers, and keeps that true to the membership. Ends with the node.
pub(super) async fn introduce_all(
    endpoint: PeerEndpoint,
    identity: Arc<NodeIdentity>,
    peers: Arc<PeerBook>,
    introductions: Introductions,
) {
    let mut addresses = identity.addresses();
    let mut introducing = FuturesUnordered::new();
    loop {
        let now = addresses.borrow_and_update().clone();
        for (peer, link) in peers.follow(&now) {
            introducing.push(introduce(
                (&endpoint, &identity),
                (peer, link),
                &peers,
                &introductions,
            ));
        }
        tokio::select! {
            biased;
            changed = addresses.changed() => if changed.is_err() { return },
            // Who left the book needs no more introductions.
            Some(()) = introducing.next() => {}
        }
    }
}

/// Introduces this node to one peer, again and again, while it is in the book.
async fn introduce(
    (endpoint, identity): (&PeerEndpoint, &NodeIdentity),
    (peer, link): (NodeId, Arc<dyn PeerLink>),
    peers: &PeerBook,
    introductions: &Introductions,
) {
    let mut said = None;
    while peers.holds(peer, &link) {
        let from = endpoint.introduction();
        let is_awaited = from.pristine || identity.lives.awaits(peer);
        let request = v1::IntroduceRequest {
            from: Some(from),
            to_node: peer,
        };
        let trouble = match link.introduce(request, INTRODUCE_WITHIN).await {
            Ok(reply) => {
                let compared = lives::compare(endpoint.own_disk(), peer, &reply);
                compared
                    .and_then(|()| take(identity, peer, reply, introductions))
                    .err()
            }
            Err(error) => Some(error.to_string()),
        };
        if said.is_some() != trouble.is_some() || (said.is_some() && said != trouble) {
            match &trouble {
                Some(sentence) => tracing::warn!(peer, "{sentence}"),
                None => tracing::info!(peer, "peer answers"),
            }
            said = trouble;
        }
        tokio::time::sleep(if is_awaited { FORM_EVERY } else { INTRODUCE_EVERY }).await;
    }
}

/// Judges what a peer said.
pub(super) fn take(
    identity: &NodeIdentity,
    peer: NodeId,
    reply: v1::IntroduceReply,
    introductions: &Introductions,
) -> Result<(), String> {
    let from = reply.from.ok_or("the peer did not say who it is")?;
    if from.node != peer {
        return Err(format!(
            "node {} answers at the address of node {peer}: check --cluster",
            from.node
        ));
    }
    let theirs = Some(ClusterId(from.cluster)).filter(|cluster| cluster.0 != 0);
    let mut introductions = introductions.lock().unwrap_or_else(PoisonError::into_inner);
    introductions.insert(peer, (runtime::now(), from.clone()));
    let format = Format(u8::try_from(from.format).unwrap_or(u8::MAX));
    match (identity.cluster(), theirs) {
        (Some(mine), Some(theirs)) if mine != theirs => {
            if outnumbered(identity, mine, &introductions) {
                identity.fail(format!(
                    "most nodes of --cluster belong to cluster {theirs}, but this data directory to cluster {mine}: start \
                     the node with its own data directory"
                ));
            }
            Err(format!(
                "node {peer} belongs to cluster {theirs}, but this data directory to cluster {mine}: one of the two has \
                 the data directory of another cluster"
            ))
        }
        (Some(mine), Some(_)) if reply.removed => {
            identity.fail(identity.was_removed(mine));
            Ok(())
        }
        // A node of an older release that comes back after the cluster went on without it, or for the first time.
        (_, Some(_)) if identity.is_beyond(format) => {
            identity.fail(identity.wrong_version(format));
            Ok(())
        }
        // Only the own cluster is believed: a stranger's memory of this node's id must not end a healthy node. Nor is a peer
        // that missed that this disk was added.
        (_, cluster) if reply.your_disk != 0 && reply.your_disk != identity.disk.0 && !identity.joins() => {
            let cluster = cluster.unwrap_or(ClusterId(0));
            identity.fail(identity.other_disk(cluster, DiskId(reply.your_disk)));
            Ok(())
        }
        _ => {
            identity.introduced(&from).map_err(|error| error.to_string())?;
            let list = identity.cluster_list();
            let forming = identity.cluster().is_none() && !identity.joins();
            let other_list = (forming && from.cluster_list != list).then(|| {
                format!(
                    "node {peer} has --cluster {}, this node {list}: they must be equal",
                    from.cluster_list
                )
            });
            other_list.map_or(Ok(()), Err)
        }
    }
}

/// Whether most of the configured nodes belong to another cluster than this one, as they said lately: one that strayed long
/// ago and is gone must not count beside one that strays now.
fn outnumbered(identity: &NodeIdentity, mine: ClusterId, heard: &Heard) -> bool {
    let strangers = heard
        .values()
        .filter(|(at, from)| runtime::since(*at) < FRESH && from.cluster != 0 && from.cluster != mine.0);
    // Of all nodes, this one included.
    strangers.count() > identity.addresses().borrow().len().div_ceil(2)
}

/// Forms the cluster if it is this node's part to do so. Ends when the node belongs to a cluster.
pub(super) async fn form(
    raft: Raft,
    endpoint: PeerEndpoint,
    identity: Arc<NodeIdentity>,
    introductions: Introductions,
) {
    let mut said = runtime::now();
    loop {
        let me = endpoint.introduction();
        if !me.pristine {
            return;
        }
        let missing = if identity.configured.keys().next() == Some(&identity.node) {
            match founders(&identity, me, &introductions) {
                Ok(founders) => {
                    initialize(&raft, &identity, founders).await;
                    None
                }
                Err(missing) => Some(missing),
            }
        } else {
            Some("the node with the lowest id to form the cluster".to_owned())
        };
        if let Some(missing) = missing.filter(|_| runtime::since(said) >= SAY_EVERY) {
            said = runtime::now();
            tracing::info!("waiting for {missing}");
        }
        tokio::time::sleep(FORM_EVERY).await;
    }
}

/// All nodes of the cluster that this one forms; or what is missing.
pub(super) fn founders(
    identity: &NodeIdentity,
    me: v1::Introduction,
    introductions: &Introductions,
) -> Result<Vec<v1::Introduction>, String> {
    let introductions = introductions.lock().unwrap_or_else(PoisonError::into_inner);
    let mut founders = Vec::new();
    for node in identity.configured.keys().filter(|node| **node != identity.node) {
        match introductions.get(node) {
            Some((at, from)) if runtime::since(*at) < FRESH => {
                if !from.pristine || from.cluster != 0 {
                    return Err(format!("node {node} to let this node into its cluster"));
                }
                if from.cluster_list != me.cluster_list {
                    return Err(format!("node {node} to get the same --cluster list as this node"));
                }
                founders.push(from.clone());
            }
            _ => return Err(format!("node {node} to answer")),
        }
    }
    founders.push(me);
    Ok(founders)
}

/// The members of a new cluster.
pub(super) fn members(
    identity: &NodeIdentity,
    cluster: ClusterId,
    founders: Vec<v1::Introduction>,
) -> BTreeMap<NodeId, Member> {
    let member = |founder: v1::Introduction| {
        let peer_address = identity.configured.get(&founder.node).cloned();
        let member = Member {
            peer_address: peer_address.unwrap_or(founder.peer_address),
            client_address: founder.client_address,
            disk: DiskId(founder.disk),
            cluster,
        };
        (founder.node, member)
    };
    founders.into_iter().map(member).collect()
}

/// Records the cluster on this disk, then makes the first membership.
async fn initialize(raft: &Raft, identity: &NodeIdentity, founders: Vec<v1::Introduction>) {
    let cluster = identity.cluster().unwrap_or_else(|| ClusterId(runtime::draw()));
    if let Err(error) = identity.join(cluster) {
        identity.fail(format!("cannot record the new cluster: {error}"));
        return;
    }
    let members = members(identity, cluster, founders);
    let nodes: Vec<NodeId> = members.keys().copied().collect();
    match raft.initialize(members).await {
        Ok(()) => {
            tracing::info!(%cluster, ?nodes, "formed the cluster");
            // Nobody led before, so nobody is waited for. An error says that consensus has ended, which is told elsewhere.
            let _ = raft.trigger().elect(false).await;
        }
        Err(error) => tracing::error!(%error, "cannot form the cluster"),
    }
}
