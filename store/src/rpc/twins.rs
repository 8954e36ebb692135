//! Two Tomcats of one name that both live. The registry holds the one that announced itself last; the other serves on, and no
//! proxy knows of it any more.
//!
//! Which of them was started later, nobody knows: one that stood still wakes, announces itself, and displaces the one that was
//! started in its place. So the last word holds for as long as whoever said it has the name and lives. Then the other is told: its
//! stream ends, on the next it hears that it is not announced, and it announces itself. Told at once, the two would displace each
//! other without an end; so the log says of them what only people can mend.
//!
//! Left out on purpose: a choice between two that live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime;
use remora_proto::v1::list_servers_reply::Twin;
use remora_table::Owner;

use super::desk::Desk;
use super::hub::Presence;

/// How long whoever has the name may be without a stream: one that was broken is opened again in a few seconds at most.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// How long both have streams before that is said: a machine that lost its power keeps one until nobody answers for it, 10 s
/// (`KEEPALIVE_EVERY` and `KEEPALIVE_WITHIN`).
const BOTH_LIVE_AFTER: Duration = Duration::from_secs(15);

/// How often it is said of a name.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// A Tomcat whose name another instance took.
#[derive(Clone, Debug)]
pub(super) struct Displaced {
    name: Arc<str>,
    /// Where proxies reached it.
    url: Arc<str>,
    since: Instant,
}

/// Whose a name is that was taken from somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NameIs {
    /// Its own again.
    Own,
    /// Of another that lives.
    Taken,
    /// Nobody's, or of one that is gone.
    Free,
}

impl Displaced {
    /// Since now.
    pub(super) fn from(name: Arc<str>, url: Arc<str>) -> Displaced {
        let since = runtime::now();
        Displaced { name, url, since }
    }

    /// As an operator is told of it who asks for `server`; nothing where that has another name, or is this instance.
    pub(super) fn beside(&self, instance: u64, server: &Owner) -> Option<Twin> {
        let is_twin = self.name == server.node && instance != server.instance;
        is_twin.then(|| Twin {
            instance,
            url: self.url.to_string(),
            seconds: runtime::since(self.since).as_secs(),
        })
    }

    /// Looks what became of the name of this instance.
    pub(super) fn look(&self, desk: &Desk, instance: u64) -> NameIs {
        let holder = desk.raft.table().server(&self.name);
        let holder = holder.map(|entry| entry.server.instance);
        let known = holder.map(|holder| (holder, desk.hub.presence(holder)));
        let now = runtime::now();
        let whose = whose(instance, known);
        if let Some((holder, Presence { present: true, .. })) = known
            && whose == NameIs::Taken
            && now.saturating_duration_since(self.since) >= BOTH_LIVE_AFTER
            && desk.hub.said.is_due(&self.name, now)
        {
            tracing::warn!(
                name = &*self.name,
                announced = format!("{holder:016x}"),
                beside = format!("{instance:016x}"),
                url = &*self.url,
                "two Tomcats of one name live: proxies know the one that announced itself last, and the other gets no new users; stop \
                 one of them, or give it a name of its own (jvmRoute)"
            );
        }
        whose
    }
}

/// The rule: whose a name is that this instance lost, by who holds it and what is known of that one.
fn whose(instance: u64, holder: Option<(u64, Presence)>) -> NameIs {
    let Some((holder, known)) = holder else {
        return NameIs::Free;
    };
    let recent = known.silent.is_some_and(|silent| silent < GONE_AFTER);
    if holder == instance {
        NameIs::Own
    } else if known.present || recent {
        NameIs::Taken
    } else {
        NameIs::Free
    }
}

/// Of which names it was said lately that two have them. No more than the registry has names.
#[derive(Default)]
pub(super) struct WarnedOf(Mutex<HashMap<Arc<str>, Instant>>);

impl WarnedOf {
    /// Whether it is to be said of this name now; then it counts as said.
    fn is_due(&self, name: &Arc<str>, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, at| now.saturating_duration_since(*at) < SAID_EVERY);
        let due = !said.contains_key(name);
        if due {
            said.insert(Arc::clone(name), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(present: bool, silent_seconds: Option<u64>) -> Presence {
        Presence {
            present,
            silent: silent_seconds.map(Duration::from_secs),
        }
    }

    #[test]
    fn a_name_is_free_as_soon_as_nobody_has_it_or_whoever_has_it_is_gone() {
        for (holder, is) in [
            (None, NameIs::Free),
            (Some((1, known(true, Some(0)))), NameIs::Own),
            (Some((1, known(false, None))), NameIs::Own),
            (Some((2, known(true, Some(0)))), NameIs::Taken),
            (Some((2, known(true, Some(60)))), NameIs::Taken),
            // Its stream broke a moment ago.
            (Some((2, known(false, Some(9)))), NameIs::Taken),
            (Some((2, known(false, Some(10)))), NameIs::Free),
            (Some((2, known(false, None))), NameIs::Free),
        ] {
            assert_eq!(whose(1, holder), is, "{holder:?}");
        }
    }

    #[test]
    fn of_one_name_it_is_said_once_a_minute() {
        let (said, began) = (WarnedOf::default(), runtime::now());
        let (n1, n2): (Arc<str>, Arc<str>) = (Arc::from("n1"), Arc::from("n2"));
        assert!(said.is_due(&n1, began) && said.is_due(&n2, began));
        assert!(!said.is_due(&n1, began + SAID_EVERY / 2));
        assert!(said.is_due(&n1, began + SAID_EVERY));
        assert_eq!(said.0.lock().unwrap().len(), 1, "what is old is forgotten");
    }
}
