//! The subscription over real sockets, to registries that behave as a test wants them to.

mod registry;
mod telling;

use std::time::Duration;

use remora_policy::{AdminState, StoredWish, View, Wish};
use remora_process::config::Source;
use remora_proto::v1::{DiscoveryStatus, FollowReply};
use tonic::Status;

use super::Following;
use crate::chronicle::Sort;
use crate::config::Config;
use crate::directory::Directory;
use crate::wishes::Keeping;
use registry::{Registry, not_leader, server, stands, view, wish};

/// For whatever takes no longer than a few pauses. 10 s: a machine that is busy.
const SOON: Duration = Duration::from_secs(10);

/// A proxy that follows, and its task.
struct Proxy {
    following: Following,
    directory: Directory,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(stores: &[&Registry]) -> Config {
    let stores: Vec<String> = stores
        .iter()
        .map(|store| format!("{:?}", store.address))
        .collect();
    let stores = stores.join(", ");
    let text = format!(
        r#"
[[listen]]
bind = "127.0.0.1:0"
[[route]]
path = "/"
to = "a"
[pool.a]
discovery = {{ store = [{stores}], allow = ["10.0.0.0/8"] }}
"#
    );
    Config::read(&Source::from_text("test", &text)).unwrap()
}

impl Proxy {
    fn of(config: &Config, kept: View) -> Self {
        Self::keeping(config, kept, Keeping::open(None, None).unwrap().0)
    }

    fn keeping(config: &Config, kept: View, keeping: Keeping) -> Self {
        let directory = Directory::with_view(config, kept);
        let following = Following::new("proxy".to_owned(), directory.clone(), keeping);
        let task = tokio::spawn(following.clone().run());
        Self {
            following,
            directory,
            task,
        }
    }

    fn routes(&self) -> Vec<String> {
        let current = self.directory.current();
        let pools = current.snapshot.upstreams.pools.iter();
        let members = pools.flat_map(|pool| &pool.members);
        members.map(|member| member.route.to_string()).collect()
    }

    fn state_of(&self, route: &str) -> AdminState {
        let current = self.directory.current();
        let member = current.snapshot.upstreams.pools[0].member_by_route(route.as_bytes());
        member.unwrap().state
    }

    fn status(&self) -> DiscoveryStatus {
        self.following.status().unwrap()
    }

    /// Waits until something holds of the proxy.
    async fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        until(what, || holds(self)).await;
    }

    /// Wishes a drain as an operator does; says whether the store has it.
    async fn drain(&self, route: &str) -> bool {
        self.wish(route, Some(AdminState::Draining)).await
    }

    async fn wish(&self, route: &str, state: Option<AdminState>) -> bool {
        let mut wishes = self.directory.wishes();
        let of = StoredWish::of_route(route);
        let wish = Wish {
            state,
            ..Wish::default()
        };
        wishes.set(route, wish, self.following.shares());
        self.directory.follow(wishes);
        self.following.shared(&[of], true).await
    }
}

/// Looks again and again, while other tasks run.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        while !holds() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(SOON, looking).await.expect(what);
}

#[tokio::test]
async fn a_view_holds_before_it_is_said_to_be_followed() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    store.say(view(7, &[server("n1", 1), server("n2", 2)])).await;
    until("it is followed", || store.followed() == 7).await;
    assert_eq!(proxy.routes(), ["n1", "n2"]);
    assert!(!store.proxy_name().is_empty());
    store.say(view(8, &[server("n2", 2)])).await;
    until("so is the next", || store.followed() == 8).await;
    assert_eq!(proxy.routes(), ["n2"]);
    let status = proxy.status();
    assert_eq!(
        (status.cluster.as_str(), status.version, status.present),
        ("c1", 8, true)
    );
    assert_eq!((status.silent_seconds, status.reason.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn what_ends_in_the_middle_or_goes_back_changes_nothing() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    let whole = view(7, &[server("n1", 1)]);
    store.say(whole.clone()).await;
    proxy
        .wait("the first view", |proxy| proxy.routes() == ["n1"])
        .await;
    let begun = FollowReply {
        more: true,
        ..view(9, &[server("n9", 9)])
    };
    for (wrong, sentence) in [
        (view(6, &[]), "version 6"),
        (FollowReply::default(), "which cluster"),
    ] {
        store.say(begun.clone()).await;
        store.end(Status::unavailable("it stops")).await;
        store.say(wrong).await;
        proxy
            .wait("it is told of", |proxy| proxy.status().reason.contains(sentence))
            .await;
        assert!(!proxy.status().present);
        assert_eq!(proxy.routes(), ["n1"]);
        store.opened_anew().await;
        store.say(whole.clone()).await;
        proxy
            .wait("it follows again", |proxy| proxy.status().present)
            .await;
    }
    // What it says is on its way for a moment.
    proxy.wait("it says so", |_| store.followed() == 7).await;
}

#[tokio::test]
async fn the_leader_is_found_by_what_another_node_says() {
    let (one, leader) = (Registry::start().await, Registry::start().await);
    one.refuse(Some(not_leader(&leader.address)));
    let proxy = Proxy::of(&config(&[&one]), View::default());
    leader.say(view(7, &[server("n1", 1)])).await;
    proxy
        .wait("the leader's view", |proxy| proxy.routes() == ["n1"])
        .await;
    // It leads no more, and nobody does; then the first one does.
    leader.refuse(Some(not_leader("")));
    leader.end(not_leader("")).await;
    proxy.wait("it is said", |proxy| !proxy.status().present).await;
    assert_eq!(proxy.routes(), ["n1"], "nobody is taken out for it");
    one.refuse(None);
    one.say(view(8, &[server("n1", 1), server("n2", 2)])).await;
    proxy
        .wait("its view", |proxy| proxy.routes() == ["n1", "n2"])
        .await;
}

#[tokio::test]
async fn a_silent_store_is_left_for_another() {
    let (silent, other) = (Registry::start().await, Registry::start().await);
    let proxy = Proxy::of(&config(&[&silent, &other]), View::default());
    silent.say(view(7, &[server("n1", 1)])).await;
    silent.say(stands()).await;
    proxy.wait("its view", |proxy| proxy.routes() == ["n1"]).await;
    other.say(view(8, &[server("n2", 2)])).await;
    proxy.wait("the other's", |proxy| proxy.routes() == ["n2"]).await;
}

#[tokio::test]
async fn an_earlier_release_is_named_and_the_last_view_holds() {
    let store = Registry::start().await;
    store.refuse(Some(Status::unimplemented("")));
    let known = remora_policy::Announced {
        node: "n1".into(),
        instance: 1,
        version: 2,
        threads: 0,
        url: "http://10.0.0.1:8080".into(),
        applications: Vec::new(),
        carried: false,
    };
    let kept = View {
        cluster: "c1".into(),
        version: 3,
        servers: vec![known],
        ..View::default()
    };
    let proxy = Proxy::of(&config(&[&store]), kept);
    assert_eq!(proxy.routes(), ["n1"]);
    proxy
        .wait("it is named", |proxy| {
            proxy.status().reason.contains("earlier release")
        })
        .await;
    let status = proxy.status();
    assert_eq!(
        (status.version, status.present, status.silent_seconds),
        (3, false, None)
    );
}

#[tokio::test]
async fn a_wish_is_told_at_once_or_later_over_what_it_was_made_over() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    store.say(view(7, &[server("n1", 1), server("n2", 2)])).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Ok(9));
    assert!(proxy.drain("n1").await);
    let asked = store.wished();
    assert_eq!(
        (asked.base, asked.wish.unwrap().of.as_str()),
        (Some(0), "route n1")
    );
    // A view from before it was taken in is under way.
    store.say(view(8, &[server("n1", 1), server("n2", 2)])).await;
    until("it is followed", || store.followed() == 8).await;
    assert_eq!(proxy.state_of("n1"), AdminState::Draining);
    let mut mine = view(9, &[server("n1", 1), server("n2", 2)]);
    mine.wishes.push(wish("route n1", "state=draining", 9));
    store.say(mine.clone()).await;
    until("it is followed", || store.followed() == 9).await;

    store.answer(Err(Status::unavailable("the disk is slow")));
    assert!(!proxy.drain("n2").await, "it holds here, and is not shared");
    assert_eq!(
        (proxy.state_of("n2"), proxy.status().untold),
        (AdminState::Draining, 1)
    );
    store.answer(Ok(11));
    // It may have been silent for too long meanwhile.
    store.say(mine).await;
    proxy
        .wait("it is told later", |proxy| proxy.status().untold == 0)
        .await;
    let asked = store.wished();
    assert_eq!(
        (asked.base, asked.wish.unwrap().of.as_str()),
        (Some(0), "route n2")
    );
}

#[tokio::test]
async fn what_was_told_a_moment_ago_can_be_taken_back() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    store.say(view(7, &[server("n1", 1)])).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Ok(9));
    assert!(proxy.drain("n1").await);
    // No view has shown it yet.
    store.answer(Ok(10));
    assert!(proxy.wish("n1", None).await);
    let asked = store.wished();
    assert!(asked.wish.unwrap().said.is_empty() && asked.base == Some(9));
    // What it had of the drain is under way in a view.
    let mut late = view(9, &[server("n1", 1)]);
    late.wishes.push(wish("route n1", "state=draining", 9));
    store.say(late).await;
    until("it is followed", || store.followed() == 9).await;
    assert_eq!(proxy.state_of("n1"), AdminState::Active);
}

#[tokio::test]
async fn what_is_taken_back_while_nobody_knows_whether_it_was_told_is_told_of_again() {
    let store = Registry::start().await;
    let place = tempfile::tempdir().unwrap();
    let keeping = Keeping::open(Some(place.path()), None).unwrap().0;
    let proxy = Proxy::keeping(&config(&[&store]), View::default(), keeping);
    store.say(view(7, &[server("n1", 1)])).await;
    proxy.wait("its view", |proxy| proxy.status().present).await;
    store.answer(Err(Status::unavailable("the answer is lost")));
    store.look_at(place.path().join("wishes"));
    assert!(!proxy.drain("n1").await);
    let kept = store.seen();
    assert!(kept.contains("told="), "it is on disk before it is told: {kept}");
    assert!(!proxy.wish("n1", None).await, "nobody knows what the store has");
    assert_eq!(proxy.status().untold, 1);
    // It has the drain.
    let mut drained = view(9, &[server("n1", 1)]);
    drained.wishes.push(wish("route n1", "state=draining", 9));
    store.say(drained).await;
    until("it is followed", || store.followed() == 9).await;
    assert_eq!(
        proxy.state_of("n1"),
        AdminState::Active,
        "the drain does not come back"
    );
    store.answer(Ok(10));
    proxy
        .wait("it is taken back there", |proxy| proxy.status().untold == 0)
        .await;
    let asked = store.wished();
    assert!(asked.wish.unwrap().said.is_empty() && asked.base == Some(9));
}

#[tokio::test]
async fn what_is_wished_elsewhere_is_told_to_people_with_who_and_since_when() {
    let store = Registry::start().await;
    let proxy = Proxy::of(&config(&[&store]), View::default());
    let mut others = view(7, &[server("n1", 1)]);
    others.wishes.push(remora_proto::v1::Wish {
        who: "eve".to_owned(),
        at_ms: 1_795_766_400_000,
        ..wish("route n1", "state=draining", 6)
    });
    others.wishes.push(wish("pool a", "on", 7));
    store.say(others).await;
    until("it is followed", || store.followed() == 7).await;
    store.say(view(8, &[server("n1", 1)])).await;
    until("so is the next", || store.followed() == 8).await;
    let changes = proxy.directory.chronicle().after(0).changes;
    let told = changes.iter().filter(|change| change.sort != Sort::Discovery);
    let told: Vec<_> = told
        .map(|change| (&*change.of, &*change.what, &*change.who, &*change.why))
        .collect();
    let why = "the store says so";
    let since = "the store says so, since 2026-11-27T08:00:00Z";
    let drained = "is drained: its users leave with their next request";
    assert_eq!(
        told,
        [
            ("n1", drained, "eve", since),
            ("a", "is under maintenance", "an operator", why),
            ("n1", "is as the file says", "", why),
            ("a", "is as the file says", "", why),
        ]
    );
}

#[tokio::test]
async fn what_could_not_be_kept_is_kept_a_little_later() {
    let place = tempfile::tempdir().unwrap();
    let obstacle = place.path().join("view.new");
    std::fs::create_dir(&obstacle).unwrap();
    let store = Registry::start().await;
    let keeping = Keeping::open(Some(place.path()), None).unwrap().0;
    let _proxy = Proxy::keeping(&config(&[&store]), View::default(), keeping);
    store.say(view(7, &[server("n1", 1)])).await;
    // It is written last.
    until("it is tried", || place.path().join("maintenance").exists()).await;
    std::fs::remove_dir(&obstacle).unwrap();
    let kept = || std::fs::read_to_string(place.path().join("view"));
    until("it is kept", || kept().is_ok_and(|kept| kept.contains("n1"))).await;
}

#[tokio::test]
async fn what_a_name_means_is_kept_beside_the_server() {
    let place = tempfile::tempdir().unwrap();
    let store = Registry::start().await;
    let keeping = Keeping::open(Some(place.path()), None).unwrap().0;
    let proxy = Proxy::keeping(&config(&[&store]), View::default(), keeping);
    let names = proxy.directory.clone();
    let looking = tokio::spawn(async move { names.keep_names().await });
    let mut named = server("n1", 1);
    named.url = "http://localhost:8080".to_owned();
    store.say(view(7, &[named])).await;
    let kept = || std::fs::read_to_string(place.path().join("view"));
    until("it is kept", || {
        kept().is_ok_and(|kept| kept.contains("\nhost localhost "))
    })
    .await;
    looking.abort();
}
