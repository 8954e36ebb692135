//! The registry: application servers, what operators wish of upstreams, and who was taken out lately; one view of all three.
//!
//! Nothing here lapses: a server stands until it is retired, a wish until it is taken back. Who reads a view holds it for the
//! truth for as long as nobody tells a later one, so a view says who was taken out, too: a server that it does not name may be
//! one that it never knew. Of a wish that was taken back the version stays, and who did it: *nothing* is a word like any other,
//! over which another wish is made, and before which one that comes late is behind.
//!
//! Invariants: the version is that of the last command that changed any of the three, and no lower than any version in them;
//! who stands is not retired; there is one mark for each instance of a node, earliest first; of each thing there is one wish, made
//! or taken back.
//! Left out on purpose: what a wish says, which only proxies read; whether a server lives, which no table can know.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::command::Announcement;
use super::types::{Owner, Version};

/// Retired servers that are remembered: a proxy that follows learns of each within a second, and one that comes back from another
/// cluster or from an outage has held no more than it can ask; a rollout through a hundred servers fits twice.
const RETIRED_MAX: usize = 256;
/// Wishes that were taken back and are remembered: a proxy needs one for as long as it may still tell what it said before, which is
/// one outage; in that time nobody takes back more than there are upstreams on a large site.
const TAKEN_BACK_MAX: usize = 256;
/// What a text takes in a message beside itself, in bytes, at most: field and length.
const TEXT_FRAME_BYTES: usize = 4;
/// What a server or a wish takes in a message beside its texts, in bytes, at most: versions, instance, threads, lengths.
const ENTRY_FRAME_BYTES: usize = 48;

/// An application server in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredServer {
    /// Node name and instance.
    pub server: Owner,
    /// Where a proxy reaches it.
    pub url: Arc<str>,
    /// What it serves.
    pub applications: Vec<Arc<str>>,
    /// The change counter at its announcement.
    pub version: Version,
    /// How its session manager runs, for people.
    pub mode: Arc<str>,
    /// Version of its session manager's jar, for people.
    pub software: Arc<str>,
    /// Threads that serve requests; 0 when not known.
    pub threads: u32,
    /// Applications beside those that have a session manager of their own.
    pub unprotected: Vec<Arc<str>>,
    /// Those of its applications that have listeners for the end of a session.
    pub listened: Vec<Arc<str>>,
}

/// Something that an operator wishes, as a proxy said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of what, such as `route n1`. At most 160 bytes.
    pub of: Arc<str>,
    /// What, in the proxies' words. At most 72 KiB; empty where it was taken back.
    pub said: Bytes,
    /// Who wished it, or took it back, for people. At most 128 bytes.
    pub who: Arc<str>,
    /// When, milliseconds since 1970, by the clock of the proxy that was asked. Data: only a repeat is known by it.
    pub at_ms: u64,
    /// The change counter when it was taken in.
    pub version: Version,
}

/// An application server that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Node name and instance.
    pub server: Owner,
    /// The change counter when it was taken out.
    pub version: Version,
}

/// The registry at one moment. Shares its entries with the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryView {
    /// The change counter at the last change of anything in the view. Within a cluster, and from a cluster to one that was
    /// restored from its copy, a later view has a higher one.
    pub version: Version,
    /// By node name.
    pub servers: Vec<Arc<RegisteredServer>>,
    /// By what they are of; the last 256 that were taken back are among them ([`Wish::is_taken_back`]).
    pub wishes: Vec<Arc<Wish>>,
    /// The last 256 that were taken out and have not come back, earliest first.
    pub retired: Vec<Retired>,
}

/// The registry as its writer keeps it.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    pub(super) version: Version,
    pub(super) servers: BTreeMap<Arc<str>, Arc<RegisteredServer>>,
    pub(super) wishes: BTreeMap<Arc<str>, Arc<Wish>>,
    pub(super) retired: VecDeque<Retired>,
}

impl Registry {
    pub(super) fn view(&self) -> RegistryView {
        RegistryView {
            version: self.version,
            servers: self.servers.values().cloned().collect(),
            wishes: self.wishes.values().cloned().collect(),
            retired: self.retired.iter().cloned().collect(),
        }
    }

    /// The version of this instance's entry, if it says all that is announced and was announced in the life of the cluster in
    /// which `now` is the change counter: what a copy holds may be older than what the instance has said since.
    pub(super) fn standing(&self, server: &Owner, said: &Announcement, now: Version) -> Option<Version> {
        let entry = self.servers.get(&server.node)?;
        let same = entry.server.instance == server.instance && entry.says(said);
        (same && entry.version.generation() == now.generation()).then_some(entry.version)
    }

    /// Whether this instance has announced itself in the life of the cluster in which `now` is the change counter.
    pub(super) fn is_announced(&self, instance: u64, now: Version) -> bool {
        let mut entries = self.servers.values();
        entries
            .any(|entry| entry.server.instance == instance && entry.version.generation() == now.generation())
    }

    /// Enters a server, whoever held its name: it is not retired, or not any more.
    pub(super) fn enter(&mut self, entry: RegisteredServer) {
        self.version = entry.version;
        self.retired.retain(|mark| mark.server != entry.server);
        let node = Arc::clone(&entry.server.node);
        self.servers.insert(node, Arc::new(entry));
    }

    /// The instance that holds a name.
    pub(super) fn holder(&self, node: &str) -> Option<u64> {
        self.servers.get(node).map(|entry| entry.server.instance)
    }

    /// Where a proxy reaches an instance; empty where it does not hold its name.
    pub(super) fn url_of(&self, server: &Owner) -> Arc<str> {
        let entry = self.servers.get(&server.node);
        let own = entry.filter(|entry| entry.server.instance == server.instance);
        own.map_or_else(|| Arc::from(""), |entry| Arc::clone(&entry.url))
    }

    /// When an instance was taken out.
    pub(super) fn retired(&self, server: &Owner) -> Option<Version> {
        let mark = self.retired.iter().find(|mark| mark.server == *server);
        mark.map(|mark| mark.version)
    }

    /// Takes an instance out, if it stands, and leaves a mark of it either way.
    pub(super) fn retire(&mut self, server: Owner, version: Version) {
        self.version = version;
        if self.holder(&server.node) == Some(server.instance) {
            self.servers.remove(&server.node);
        }
        self.retired.retain(|mark| mark.server != server);
        self.retired.push_back(Retired { server, version });
        while self.retired.len() > RETIRED_MAX {
            self.retired.pop_front();
        }
    }

    /// Keeps a wish, or that it was taken back; of those that were, the earliest is forgotten where there are too many.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.version = wish.version;
        self.wishes.insert(Arc::clone(&wish.of), Arc::new(wish));
        let taken_back = || self.wishes.values().filter(|wish| wish.is_taken_back());
        if taken_back().count() > TAKEN_BACK_MAX
            && let Some(earliest) = taken_back().min_by_key(|wish| wish.version)
        {
            let of = Arc::clone(&earliest.of);
            self.wishes.remove(&of);
        }
    }

    /// Those that stand.
    pub(super) fn standing_wishes(&self) -> impl Iterator<Item = &Wish> {
        let wishes = self.wishes.values().map(|wish| &**wish);
        wishes.filter(|wish| !wish.is_taken_back())
    }

    /// What all servers take in a message at most, in bytes.
    pub(super) fn server_bytes(&self) -> usize {
        self.servers.values().map(|entry| entry.bytes()).sum()
    }

    /// What all wishes that stand take in a message at most, in bytes.
    pub(super) fn wish_bytes(&self) -> usize {
        self.standing_wishes().map(Wish::bytes).sum()
    }
}

impl RegisteredServer {
    /// Whether an announcement says nothing else than the entry does.
    fn says(&self, said: &Announcement) -> bool {
        // Taken apart, so that what an announcement says one day is not forgotten here.
        let Announcement {
            url,
            applications,
            mode,
            software,
            threads,
            unprotected,
            listened,
        } = said;
        self.url == *url
            && self.applications == *applications
            && self.mode == *mode
            && self.software == *software
            && self.threads == *threads
            && self.unprotected == *unprotected
            && self.listened == *listened
    }

    /// What it takes in a message at most, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let node = &self.server.node;
        let lists = [&self.applications, &self.unprotected, &self.listened];
        server_bytes([node, &self.url, &self.mode, &self.software], lists)
    }
}

impl Announcement {
    /// What an entry of it takes in a message at most, in bytes.
    pub(super) fn bytes(&self, node: &Arc<str>) -> usize {
        let lists = [&self.applications, &self.unprotected, &self.listened];
        server_bytes([node, &self.url, &self.mode, &self.software], lists)
    }
}

impl Wish {
    /// Whether nothing is wished any more.
    pub fn is_taken_back(&self) -> bool {
        self.said.is_empty()
    }

    /// What it takes in a message at most, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.of.len() + self.said.len() + self.who.len() + ENTRY_FRAME_BYTES
    }
}

fn server_bytes(texts: [&Arc<str>; 4], lists: [&Vec<Arc<str>>; 3]) -> usize {
    let listed = lists.into_iter().flatten();
    let each = texts.into_iter().chain(listed);
    ENTRY_FRAME_BYTES + each.map(|text| text.len() + TEXT_FRAME_BYTES).sum::<usize>()
}
