//! Announce and Retire: which application servers run. Entries lapse by table time unless they are renewed.

use std::sync::Arc;

use crate::command::Announcement;
use crate::outcome::Outcome;
use crate::table::{Call, SessionTable};
use crate::types::RegisteredServer;
use crate::types::TableTime;

impl SessionTable {
    /// Enters or renews the caller's node. The last to announce a node name holds it: a restarted server has another
    /// instance.
    pub(crate) fn announce(&mut self, call: &Call<'_>, said: &Announcement) -> Outcome {
        let version = self.next_version();
        let server = self.owner(call);
        let node = Arc::clone(&server.node);
        let mut shared = |applications: &[Arc<str>]| {
            let each = applications.iter();
            each.map(|application| self.names.share(application)).collect()
        };
        let entry = RegisteredServer {
            server,
            url: Arc::clone(&said.url),
            applications: shared(&said.applications),
            unprotected: shared(&said.unprotected),
            listened: shared(&said.listened),
            lapses: self.now().plus_ms(u64::from(said.lifetime_seconds) * 1_000),
            version,
            mode: Arc::clone(&said.mode),
            software: Arc::clone(&said.software),
            threads: said.threads,
        };
        let lapses = entry.lapses;
        let before = self.contents.servers_mut().insert(Arc::clone(&node), entry);
        if let Some(before) = before {
            self.lapses.remove(&(before.lapses, Arc::clone(&node)));
        }
        self.lapses.insert((lapses, node));
        Outcome::Announced { version }
    }

    /// Takes the caller's node out, unless another instance holds the name now.
    pub(crate) fn retire(&mut self, call: &Call<'_>) -> Outcome {
        let now = self.now();
        let node = &call.proposal.node;
        let mut servers = self.contents.servers_mut();
        let held = servers
            .get(node)
            .is_some_and(|entry| entry.server.instance == call.instance() && now <= entry.lapses);
        if !held {
            return Outcome::Retired { retired: false };
        }
        if let Some(entry) = servers.remove(node) {
            self.lapses.remove(&(entry.lapses, entry.server.node));
        }
        Outcome::Retired { retired: true }
    }

    /// Takes out the entry that lapsed first; false if none has.
    pub(super) fn drop_lapsed_server(&mut self, now: TableTime) -> bool {
        let Some((_, node)) = self.lapses.first().filter(|(lapses, _)| *lapses < now).cloned() else {
            return false;
        };
        self.lapses.pop_first();
        self.contents.servers_mut().remove(&node);
        true
    }
}
