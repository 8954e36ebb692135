//! Announce, Retire, RetireNode and Wish: which application servers there are, and what operators wish of upstreams.
//!
//! What changes nothing counts no version: proxies take every version of the registry for a view to be read.

use std::sync::Arc;

use bytes::Bytes;

use crate::command::Announcement;
use crate::happening::Ousted;
use crate::outcome::Outcome;
use crate::registry::{RegisteredServer, Wish};
use crate::table::{Call, SessionTable};
use crate::types::{Owner, Version};

impl SessionTable {
    /// Enters the caller's node. The last to announce a node name holds it: a restarted server has another instance. Whoever held it
    /// before hears of that, for it may live.
    pub(crate) fn announce(&mut self, call: &mut Call<'_>, said: &Announcement) -> Outcome {
        let server = self.owner(call);
        let standing = self.contents.registry().standing(&server, said, self.version);
        if let Some(version) = standing {
            return Outcome::Announced { version };
        }
        let holder = self.contents.registry().holder(&server.node);
        if let Some(instance) = holder.filter(|holder| *holder != server.instance) {
            let node = Arc::clone(&server.node);
            let ousted = Owner { node, instance };
            call.told.ousted.push(Ousted {
                url: self.contents.registry().url_of(&ousted),
                server: ousted,
                by: Some(server.instance),
            });
        }
        let version = self.next_version();
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
            version,
            mode: Arc::clone(&said.mode),
            software: Arc::clone(&said.software),
            threads: said.threads,
        };
        self.contents.registry_mut().enter(entry);
        Outcome::Announced { version }
    }

    /// Takes the caller out, unless another instance holds the name now.
    pub(crate) fn retire(&mut self, call: &Call<'_>) -> Outcome {
        let server = self.owner(call);
        let retired = self.contents.registry().retired(&server);
        if retired.is_some() {
            return Outcome::Retired { version: retired };
        }
        if self.contents.registry().holder(&server.node) != Some(server.instance) {
            return Outcome::Retired { version: None };
        }
        self.take_out(server)
    }

    /// Takes a node out that will not do it itself: the instance that is named, of which a mark stays even where the table has
    /// never known it, or whichever is there. If it lives after all, it hears of that.
    pub(crate) fn retire_node(
        &mut self,
        call: &mut Call<'_>,
        node: &Arc<str>,
        instance: Option<u64>,
    ) -> Outcome {
        let holder = self.contents.registry().holder(node);
        let Some(instance) = instance.or(holder) else {
            return Outcome::Retired { version: None };
        };
        let node = self.names.share(node);
        let server = Owner { node, instance };
        let retired = self.contents.registry().retired(&server);
        if retired.is_some() {
            return Outcome::Retired { version: retired };
        }
        call.told.ousted.push(Ousted {
            server: server.clone(),
            url: self.contents.registry().url_of(&server),
            by: None,
        });
        self.take_out(server)
    }

    fn take_out(&mut self, server: Owner) -> Outcome {
        let version = self.next_version();
        self.contents.registry_mut().retire(server, version);
        Outcome::Retired {
            version: Some(version),
        }
    }

    /// Keeps a wish or, where nothing is said, that it was taken back. What is so already is answered first: a repeat is no newcomer
    /// that came too late. Of what nothing is known is taken back as well, whatever it was made over: what was told of it before
    /// may come yet, and has to find that it is behind.
    pub(crate) fn wish(&mut self, wish: &Wish, base: Option<Version>) -> Outcome {
        let present = self.contents.registry().wishes.get(&wish.of).cloned();
        let version = present.as_ref().map_or(Version(0), |present| present.version);
        if present.as_ref().is_some_and(|present| present.repeats(wish)) {
            return Outcome::Wished { version };
        }
        let is_nothing = present.is_none() && wish.is_taken_back();
        if !is_nothing && base.is_some_and(|base| base != version) {
            return Outcome::Behind { version };
        }
        let version = self.next_version();
        let kept = Wish {
            // Copied: a slice would keep the log entry alive that it came in.
            said: Bytes::copy_from_slice(&wish.said),
            version,
            ..wish.clone()
        };
        self.contents.registry_mut().wish(kept);
        Outcome::Wished { version }
    }
}

impl Wish {
    /// Whether this is what another wish asks for, word by word; whoever takes back is content with whoever did.
    fn repeats(&self, wish: &Wish) -> bool {
        let version = self.version;
        self.is_taken_back() && wish.is_taken_back()
            || *self
                == Wish {
                    version,
                    ..wish.clone()
                }
    }
}
