//! What the names of discovered servers' hosts mean: looked up on the thread of this process as a whole, never for a request.
//!
//! A name is looked up when it is first announced, and again from time to time, because what it means may change. Connections are made
//! to an address that was looked at, never to the name: between a look and a connect a name could come to mean another.
//!
//! Invariants: whoever waits for a name holds up nobody else, and no other name · only names are looked up by which a pool may take
//! somebody · a lookup that fails changes nothing that is known: the name service may be at fault · the address that is in use stays in
//! use while the name means it · what was found is kept with the view, so that a process that begins without a name service has its
//! members.
//!
//! Left out on purpose: names in the file. They are looked up for each connection, as ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Directory, Writer};

/// How often names are looked up again. 30 s: as name services keep what they were told themselves.
const EVERY: Duration = Duration::from_secs(30);
/// The same while one is not found: a new Tomcat's name may be known a little later than it is.
const WHILE_MISSING: Duration = Duration::from_secs(5);
/// How long one lookup may take. 5 s: resolvers try a second server after that.
const WITHIN: Duration = Duration::from_secs(5);
/// Lookups at a time: each may keep a thread waiting.
const AT_A_TIME: usize = 8;

/// What is known of names: nothing of one that was not looked up, no address of one that was not found. The first is to be used.
type HostNames = BTreeMap<Arc<str>, Vec<IpAddr>>;

/// Takes in what was found, or that nothing was; whether that is news.
fn learn(names: &mut HostNames, name: Arc<str>, found: Option<Vec<IpAddr>>) -> bool {
    let known = names.get(&name);
    let Some(mut found) = found.or_else(|| known.is_none().then(Vec::new)) else {
        return false;
    };
    found.sort_unstable();
    found.dedup();
    let used = known.and_then(|known| known.first());
    if let Some(at) = used.and_then(|used| found.iter().position(|address| address == used)) {
        found[..=at].rotate_right(1);
    }
    let is_news = known != Some(&found);
    names.insert(name, found);
    is_news
}

impl Writer {
    /// The names by which a pool may take somebody.
    fn hosts(&self) -> BTreeSet<Arc<str>> {
        let pools = self.config.pools.iter();
        let hosts = pools.filter_map(|pool| self.select(pool, |selection| selection.hosts(&self.view)));
        hosts.flatten().collect()
    }
}

/// What came of a lookup, and the name.
type FoundName = (Option<Vec<IpAddr>>, Arc<str>);

impl Directory {
    /// Looks names up for as long as it is polled; never ends.
    pub async fn keep_names(&self) {
        let mut changes = self.changes();
        let mut due = Instant::now();
        // Names that wait for a lookup or are in one, and of these the ones that wait.
        let (mut asked, mut waiting) = (BTreeSet::new(), VecDeque::new());
        let mut lookups = FuturesUnordered::new();
        loop {
            changes.mark_unchanged();
            let is_time = Instant::now() >= due;
            if is_time {
                due = Instant::now() + EVERY;
            }
            for name in self.wanted_names(is_time) {
                if asked.insert(Arc::clone(&name)) {
                    waiting.push_back(name);
                }
            }
            while lookups.len() < AT_A_TIME
                && let Some(name) = waiting.pop_front()
            {
                lookups.push(async move { (look_up(&name).await, name) });
            }
            let first = tokio::select! {
                () = tokio::time::sleep_until(due) => continue,
                // The sender is this directory's own.
                _ = changes.changed() => continue,
                Some(first) = lookups.next() => first,
            };
            let mut found: Vec<FoundName> = vec![first];
            while let Some(Some(more)) = lookups.next().now_or_never() {
                found.push(more);
            }
            for (found, name) in &found {
                asked.remove(name);
                if found.is_none() {
                    due = due.min(Instant::now() + WHILE_MISSING);
                }
            }
            self.learn(found);
        }
    }

    /// Rises with what is learnt of names.
    pub(crate) fn learnt(&self) -> watch::Receiver<u64> {
        self.shared.learnt.subscribe()
    }

    /// The names that are to be looked up: all, or those of which nothing is known.
    fn wanted_names(&self, all: bool) -> Vec<Arc<str>> {
        let mut writer = self.lock();
        let hosts = writer.hosts();
        writer.view.hosts.retain(|name, _| hosts.contains(name));
        let wanted = hosts.into_iter();
        wanted
            .filter(|name| all || !writer.view.hosts.contains_key(name))
            .collect()
    }

    fn learn(&self, found: Vec<FoundName>) {
        let mut writer = self.lock();
        let mut is_news = false;
        for (found, name) in found {
            is_news |= learn(&mut writer.view.hosts, name, found);
        }
        if is_news {
            self.publish_anew(
                &mut writer,
                "what the name of its host means is known, or changed",
            );
            self.shared.learnt.send_modify(|number| *number += 1);
        }
    }
}

/// What a name means; none where that is not to be learnt now.
async fn look_up(name: &str) -> Option<Vec<IpAddr>> {
    let found = tokio::time::timeout(WITHIN, lookup_host((name, 0))).await.ok()?;
    match found {
        Ok(addresses) => Some(addresses.map(|address| address.ip().to_canonical()).collect()),
        Err(error) => {
            tracing::debug!(name, %error, "a discovered server's name could not be looked up");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use remora_policy::{Announced, View};
    use remora_process::config::Source;

    use super::*;
    use crate::config::Config;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_address_in_use_stays_and_a_failed_lookup_changes_nothing() {
        let mut names = HostNames::default();
        let mut learn = |found: Option<&[&str]>| {
            let is_news = learn(&mut names, "h".into(), found.map(addresses));
            (is_news, names["h"].clone())
        };
        assert_eq!(learn(None), (true, Vec::new()), "it is not found");
        let two = addresses(&["10.0.0.2", "10.0.0.3"]);
        assert_eq!(learn(Some(&["10.0.0.3", "10.0.0.2"])), (true, two.clone()));
        assert_eq!(learn(None), (false, two.clone()));
        assert_eq!(learn(Some(&["10.0.0.2", "10.0.0.3", "10.0.0.3"])), (false, two));
        let three = addresses(&["10.0.0.2", "10.0.0.1", "10.0.0.3"]);
        assert_eq!(learn(Some(&["10.0.0.1", "10.0.0.2", "10.0.0.3"])), (true, three));
        let others = addresses(&["10.0.0.8", "10.0.0.9"]);
        assert_eq!(learn(Some(&["10.0.0.9", "10.0.0.8"])), (true, others));
    }

    #[test]
    fn only_names_are_looked_up_by_which_a_pool_may_take_somebody() {
        let text = "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n[pool.p]\n\
             discovery = { store = [\"127.0.0.1:7400\"], allow = [\"127.0.0.0/8\"], applications = \"*/shop\" }\n";
        let config = Config::read(&Source::from_text("test", text)).unwrap();
        let server = |url: &str, application: &str| Announced {
            node: url.rsplit('/').next().unwrap().replace(':', "-").into(),
            instance: 1,
            version: 1,
            threads: 0,
            url: url.into(),
            applications: vec![application.into()],
            carried: false,
        };
        let view = View {
            cluster: "a".into(),
            version: 1,
            servers: vec![
                server("http://meant:80", "localhost/shop"),
                server("http://other:80", "localhost/cart"),
                server("https://secured:443", "localhost/shop"),
                server("http://127.0.0.1:80", "localhost/shop"),
            ],
            ..View::default()
        };
        let directory = Directory::with_view(&config, view);
        let hosts = directory.lock().hosts();
        assert_eq!(hosts.iter().map(|host| &**host).collect::<Vec<_>>(), ["meant"]);
    }
}
