//! Who this node is, whom it knows, and who may speak to it.
//!
//! Invariant: a message is handled only if it comes from this cluster, is meant for this node and for this disk, and was
//! sent by a disk that was not removed. Otherwise a mixed-up address or an emptied data directory could vote away acknowledged
//! saves. A sender that this node's membership does not name is heard all the same: a member that was added since may hold
//! what nobody else does, and must be able to lead. What a peer says of itself is believed if it answers at its own address,
//! under the disk that the membership records; and nothing is kept of nodes that neither `--cluster` nor the membership
//! names, but for a few that wait to be added, which operators are shown.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use remora_proto::v1;
use tokio::sync::watch;

use crate::log::{ClusterId, DataDir, DataDirError, DiskId, GROUP, Lives};
use crate::runtime;
use remora_table::{Format, Formats, Room, TableReader};

use super::imaging;
use super::lives::PeerLives;
use super::pace::Slowest;
use super::peers::Addresses;
use super::reasons::Reasons;
use super::space::{self, KnownRoom};
use super::types::{Member, Membership};
use super::waiting::WaitingNodes;
use super::watchdog::DiskHealth;
use super::wire;
use super::{NodeId, PeerError};

/// A peer counts as reachable when it was heard within this time.
pub(super) const REACHABLE_WITHIN: Duration = Duration::from_secs(1);

/// What this node knows of itself and of its peers. Shared by all parts of consensus.
pub(super) struct NodeIdentity {
    /// This node's id.
    pub(super) node: NodeId,
    /// This node's disk.
    pub(super) disk: DiskId,
    /// Where peers reach this node.
    pub(super) peer_address: String,
    /// The configured nodes by id with their peer addresses, this one included.
    pub(super) configured: BTreeMap<NodeId, String>,
    /// What this program understands.
    pub(super) understands: Formats,
    /// How often this data directory was started.
    pub(super) start: u64,
    /// Whether this node was made to be added to a cluster that exists.
    joins: bool,
    /// Those that wait to be added to this one.
    pub(super) waiting_nodes: WaitingNodes,
    /// What is remembered of peers' disks, and whether this one is an older copy.
    pub(super) lives: PeerLives,
    /// Whether it was told to wait for a backup, see `anew`.
    pub(super) await_restore: bool,
    table: TableReader,
    data_dir: Mutex<DataDir>,
    known: Mutex<Known>,
    failure: watch::Sender<Option<String>>,
    /// Where the other nodes are: as configured, until there is a membership.
    addresses: watch::Sender<Addresses>,
    health: watch::Sender<DiskHealth>,
    /// The room on the disks, as this node judged it last.
    pub(super) space: KnownRoom,
    /// Why this node leads or led.
    pub(super) reasons: Reasons,
}

/// What is learned while running.
struct Known {
    cluster: Option<ClusterId>,
    /// Where clients reach this node.
    advertised: String,
    members: BTreeMap<NodeId, Member>,
    peers: BTreeMap<NodeId, Peer>,
}

/// What was learned about one peer by talking to it.
#[derive(Clone, Default)]
struct Peer {
    heard: Option<Instant>,
    client_address: Option<String>,
    /// Disk and formats as it introduced itself last, and when.
    understands: Option<(DiskId, Formats, Instant)>,
    /// How slow it said it was.
    slowest: Slowest,
    /// What room it said its disk leaves.
    room: Room,
    /// Whether its log has spent its reserve.
    is_spent: bool,
}

impl Peer {
    /// Whether it was heard lately.
    fn answers(&self) -> bool {
        self.heard.is_some_and(is_fresh)
    }
}

impl NodeIdentity {
    /// Of a node over its open data directory.
    pub(super) fn new(
        data_dir: DataDir,
        configured: BTreeMap<NodeId, String>,
        (peer_address, client_address): (String, String),
        (understands, table): (Formats, TableReader),
        remembered: Lives,
    ) -> Self {
        let identity = data_dir.identity();
        let mut addresses = configured.clone();
        addresses.remove(&identity.node_id);
        let lives = PeerLives::new(remembered, runtime::draw());
        Self {
            understands,
            start: identity.start,
            joins: identity.joins,
            waiting_nodes: WaitingNodes::default(),
            lives,
            await_restore: false,
            table,
            node: identity.node_id,
            disk: identity.disk_id,
            peer_address,
            configured,
            data_dir: Mutex::new(data_dir),
            known: Mutex::new(Known {
                cluster: identity.cluster,
                advertised: client_address,
                members: BTreeMap::new(),
                peers: BTreeMap::new(),
            }),
            failure: watch::Sender::new(None),
            addresses: watch::Sender::new(addresses),
            health: watch::Sender::new(DiskHealth::Answers),
            space: KnownRoom::default(),
            reasons: Reasons::default(),
        }
    }

    /// Clients are told from now on to reach this node here (host:port).
    pub(super) fn advertise(&self, address: String) {
        self.known().advertised = address;
    }

    /// The cluster, once it is formed.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        self.known().cluster
    }

    /// Whether this node waits to be added to a cluster: it forms none, votes for nobody and goes on waiting.
    pub(super) fn waits(&self) -> bool {
        self.joins && self.cluster().is_none()
    }

    /// Whether this node's disk was made to be added to a cluster: it never forms one.
    pub(super) fn joins(&self) -> bool {
        self.joins
    }

    /// Records the cluster durably before anything else is said or stored in its name.
    pub(super) fn join(&self, cluster: ClusterId) -> Result<(), PeerError> {
        self.data_dir()
            .join_cluster(cluster)
            .map_err(|error| PeerError::Refused(error.to_string()))?;
        self.known().cluster = Some(cluster);
        Ok(())
    }

    /// What the cluster writes, as far as this node has applied it.
    pub(super) fn format(&self) -> Format {
        self.table.format()
    }

    /// What an image of its table would take on disk, about, in bytes.
    pub(super) fn image_bytes(&self) -> u64 {
        imaging::image_bytes(&self.table)
    }

    /// What the data directory says that the cluster writes.
    pub(super) fn recorded_format(&self) -> Format {
        self.data_dir().identity().format
    }

    /// Records durably what the cluster writes.
    pub(super) fn record_format(&self, format: Format) -> Result<(), DataDirError> {
        self.data_dir().set_format(format)
    }

    /// Records durably, once, that this disk may answer with a vote.
    pub(super) fn record_vote(&self) -> Result<(), DataDirError> {
        self.data_dir().set_voted()
    }

    /// Whether the table knows what this program understands: before that the cluster might rise past it.
    pub(super) fn noted(&self) -> bool {
        let known = self.table.cluster().members.get(&self.node).copied();
        known.is_some_and(|member| member.disk == self.disk.0 && member.understood == Some(self.understands))
    }

    /// What a member's program understands, if it said so lately from this disk: an older word may be another program's. This
    /// node's own is known.
    pub(super) fn understood_by(&self, node: NodeId, disk: DiskId) -> Option<Formats> {
        if node == self.node {
            return (disk == self.disk).then_some(self.understands);
        }
        let known = self.known();
        let said = known.peers.get(&node)?.understands;
        said.filter(|(of, _, at)| *of == disk && is_fresh(*at))
            .map(|(_, formats, _)| formats)
    }

    /// Takes over the newest membership, and with it who is a peer.
    pub(super) fn set_members(&self, membership: &Membership) {
        let members: BTreeMap<NodeId, Member> = membership
            .nodes()
            .map(|(node, member)| (*node, member.clone()))
            .collect();
        if members.is_empty() {
            return;
        }
        let others = members.iter().filter(|(node, _)| **node != self.node);
        let others = others.map(|(node, member)| (*node, member.peer_address.clone()));
        self.addresses.send_replace(others.collect());
        let mut known = self.known();
        known.peers.retain(|node, _| members.contains_key(node));
        known.members = members;
    }

    /// Where the other nodes are, now and whenever that changes.
    pub(super) fn addresses(&self) -> watch::Receiver<Addresses> {
        self.addresses.subscribe()
    }

    /// Whether the cluster removed a disk, as far as this node has applied.
    pub(super) fn has_removed(&self, disk: DiskId) -> bool {
        self.table.cluster().has_removed(disk.0)
    }

    /// The members by id.
    pub(super) fn members(&self) -> BTreeMap<NodeId, Member> {
        self.known().members.clone()
    }

    /// The head of every message to a member.
    pub(super) fn envelope(&self, to: NodeId, member: &Member) -> v1::Envelope {
        v1::Envelope {
            cluster: member.cluster.0,
            group: GROUP,
            from_node: self.node,
            from_disk: self.disk.0,
            to_node: to,
            to_disk: member.disk.0,
            format: u32::from(self.format().0),
        }
    }

    /// The head of a message that is sent now: what the cluster writes may have changed since the link was made.
    pub(super) fn stamp(&self, envelope: v1::Envelope) -> v1::Envelope {
        v1::Envelope {
            format: u32::from(self.format().0),
            ..envelope
        }
    }

    /// How the disk of this node is.
    pub(super) fn health(&self) -> DiskHealth {
        *self.health.borrow()
    }

    /// Notes how the disk is; gives how it was.
    pub(super) fn set_health(&self, now: DiskHealth) -> DiskHealth {
        self.health.send_replace(now)
    }

    /// Whether this node's log waits for room on the disk.
    pub(super) fn lacks_room(&self) -> bool {
        self.health() == DiskHealth::Full
    }

    /// Whether a peer said lately that its log has spent its reserve.
    pub(super) fn is_spent(&self, node: NodeId) -> bool {
        let known = self.known();
        let peer = known.peers.get(&node);
        peer.is_some_and(|peer| peer.answers() && peer.is_spent)
    }

    /// The least room that a peer left which was heard lately.
    pub(super) fn least_room_of_peers(&self) -> Room {
        let known = self.known();
        let heard = known.peers.values().filter(|peer| peer.answers());
        heard.map(|peer| peer.room).max().unwrap_or_default()
    }

    /// Whether this node takes part in consensus: not while its disk hangs, nor before it is known to be no older copy.
    pub(super) fn takes_part(&self) -> bool {
        self.health().takes_part() && self.lives.is_compared()
    }

    /// Why this node takes no part, for a peer that asks.
    fn absent(&self) -> PeerError {
        let node = self.node;
        PeerError::Unavailable(if self.health().takes_part() {
            format!("node {node} compares its data directory with what its peers remember of that")
        } else {
            format!("the disk of node {node} hangs")
        })
    }

    /// Checks who speaks and who is meant. The first message of a cluster that formed with this disk makes a pristine
    /// node part of it.
    pub(super) fn check(&self, envelope: Option<&v1::Envelope>) -> Result<(), PeerError> {
        let envelope = self.checked(envelope)?;
        if self.cluster().is_none() {
            self.join(ClusterId(envelope.cluster))?;
        }
        self.heard(envelope.from_node);
        Ok(())
    }

    /// Checks who speaks and who is meant, and that a member's disk speaks: for what nobody else may have. Gives the node. One
    /// that asks for something takes no part yet, so this is no sign of life.
    pub(super) fn check_member(&self, envelope: Option<&v1::Envelope>) -> Result<NodeId, PeerError> {
        let envelope = self.checked(envelope)?;
        let (node, disk) = (envelope.from_node, DiskId(envelope.from_disk));
        if self.is_member(node, disk) {
            return Ok(node);
        }
        Err(PeerError::Refused(format!(
            "node {node} with disk {disk} is no member of this cluster, as far as node {} knows",
            self.node
        )))
    }

    /// What is checked of every message.
    fn checked<'a>(&self, envelope: Option<&'a v1::Envelope>) -> Result<&'a v1::Envelope, PeerError> {
        let envelope = envelope.ok_or_else(|| PeerError::Malformed("the envelope is missing".to_owned()))?;
        if !self.takes_part() {
            return Err(self.absent());
        }
        let refused = |sentence: String| Err(PeerError::Refused(sentence));
        if envelope.group != GROUP {
            return refused(format!("Raft group {} does not exist here", envelope.group));
        }
        if envelope.to_node != self.node {
            return refused(format!(
                "this is node {}, but node {} was meant: the addresses in --cluster of node {} are mixed up",
                self.node, envelope.to_node, envelope.from_node
            ));
        }
        if self.waits() && envelope.to_disk != self.disk.0 {
            return refused(format!(
                "node {} with disk {} waits to be added, and disk {} was meant",
                self.node,
                self.disk,
                DiskId(envelope.to_disk)
            ));
        }
        let cluster = ClusterId(envelope.cluster);
        if let Some(mine) = self.cluster().filter(|mine| *mine != cluster) {
            return refused(format!(
                "node {} belongs to cluster {mine}, but node {} speaks for cluster {cluster}",
                self.node, envelope.from_node
            ));
        }
        let sender = DiskId(envelope.from_disk);
        if !self.is_member(envelope.from_node, sender) && self.has_removed(sender) {
            return refused(format!(
                "disk {sender} of node {} was removed from this cluster",
                envelope.from_node
            ));
        }
        let format = u8::try_from(envelope.format).map_or(Format(u8::MAX), Format);
        if self.is_beyond(format) {
            let sentence = self.wrong_version(format);
            self.fail(sentence.clone());
            return refused(sentence);
        }
        if envelope.to_disk != self.disk.0 {
            let sentence = self.other_disk(cluster, DiskId(envelope.to_disk));
            // Who missed that this disk was added still means the one before; a disk that was replaced itself is told so.
            if !self.joins() {
                self.fail(sentence.clone());
            }
            return refused(sentence);
        }
        Ok(envelope)
    }

    /// Whether the membership records this disk for the node.
    fn is_member(&self, node: NodeId, disk: DiskId) -> bool {
        let known = self.known();
        known.members.get(&node).is_some_and(|member| member.disk == disk)
    }

    /// Checks who introduces itself against the membership, if this node has one.
    fn check_introduced(&self, node: NodeId, disk: DiskId) -> Result<(), PeerError> {
        let known = self.known();
        if known.members.is_empty() {
            return Ok(());
        }
        match known.members.get(&node) {
            Some(member) if member.disk == disk => Ok(()),
            Some(member) => Err(PeerError::Refused(format!(
                "node {node} is known under disk {}, but speaks from disk {disk}: its data directory was emptied or \
                 swapped; give it back its own",
                member.disk
            ))),
            None => Err(PeerError::Refused(format!(
                "node {node} is not a member of this cluster"
            ))),
        }
    }

    /// Whether a cluster that writes this format is beyond this program. A lower format than the cluster's is only the word
    /// of a peer that has not applied the rise again since its start.
    pub(super) fn is_beyond(&self, format: Format) -> bool {
        format > self.understands.newest
    }

    /// Notes a sign of life.
    pub(super) fn heard(&self, node: NodeId) {
        self.note(node, |peer| peer.heard = Some(runtime::now()));
    }

    /// Changes what is known of a node, if it is one that there can be: a stranger's number must not make this grow.
    fn note(&self, node: NodeId, change: impl FnOnce(&mut Peer)) {
        let mut known = self.known();
        if self.configured.contains_key(&node) || known.members.contains_key(&node) {
            change(known.peers.entry(node).or_default());
        }
    }

    /// Whether a node was heard lately. This node always was.
    pub(super) fn reachable(&self, node: NodeId) -> bool {
        node == self.node || self.known().peers.get(&node).is_some_and(Peer::answers)
    }

    /// The slowest sync and the slowest answer of the peers that were heard lately, as they said themselves.
    pub(super) fn slowest_peer(&self) -> Slowest {
        let known = self.known();
        let heard = known.peers.values().filter(|peer| peer.answers());
        heard.fold(Slowest::default(), |slowest, peer| slowest.or(peer.slowest))
    }

    /// Notes what a peer answered about itself at its own address.
    ///
    /// # Errors
    /// The membership knows the node under another disk, which is not this one's word.
    pub(super) fn introduced(&self, introduction: &v1::Introduction) -> Result<(), PeerError> {
        let disk = DiskId(introduction.disk);
        self.check_introduced(introduction.node, disk)?;
        self.note(introduction.node, |peer| {
            peer.heard = Some(runtime::now());
            peer.room = match introduction.free_bytes {
                0 => Room::Ample,
                free => space::of(free, introduction.image_bytes),
            };
            peer.is_spent = introduction.free_bytes > 0 && space::is_spent(introduction.free_bytes);
            peer.slowest = Slowest {
                sync: Duration::from_micros(introduction.sync_p99_us),
                answer: Duration::from_micros(introduction.round_trip_us),
            };
            peer.understands =
                wire::from_formats(introduction.understands).map(|formats| (disk, formats, runtime::now()));
            if !introduction.client_address.is_empty() {
                peer.client_address = Some(introduction.client_address.clone());
            }
        });
        Ok(())
    }

    /// Where clients reach a node: what it said last, else what the membership recorded.
    pub(super) fn client_address(&self, node: NodeId) -> Option<String> {
        let known = self.known();
        if node == self.node {
            return Some(known.advertised.clone());
        }
        let said = known
            .peers
            .get(&node)
            .and_then(|peer| peer.client_address.clone());
        said.or_else(|| {
            known
                .members
                .get(&node)
                .map(|member| member.client_address.clone())
        })
        .filter(|address| !address.is_empty())
    }

    /// Ends the node: it must not go on with this data directory. The first sentence stays.
    pub(super) fn fail(&self, sentence: String) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(sentence);
            first
        });
    }

    /// The sentence of [`NodeIdentity::fail`].
    pub(super) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// The configured nodes in one canonical line.
    pub(super) fn cluster_list(&self) -> String {
        let nodes: Vec<String> = self
            .configured
            .iter()
            .map(|(node, address)| format!("{node}={address}"))
            .collect();
        nodes.join(",")
    }

    /// The open data directory; whoever holds it keeps others waiting for the disk.
    pub(super) fn data_dir(&self) -> MutexGuard<'_, DataDir> {
        // Its methods change their memory only after the disk: a poisoned lock still holds what is on the disk.
        self.data_dir.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every critical section is a few assignments: a poisoned lock still holds whole values.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether whoever was heard then counts as reachable.
pub(super) fn is_fresh(heard: Instant) -> bool {
    runtime::since(heard) < REACHABLE_WITHIN
}
