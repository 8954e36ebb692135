//! What operators have done, the same by whichever way they ask for it: over gRPC, or in a browser.
//!
//! Invariants: a wish is done whole, although its caller goes away · one after the other: what is kept is what was wished last ·
//! whatever is done or fails is in the books.
//!
//! Left out on purpose: who may ask for what. Whoever calls has asked.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use remora_policy::{AdminState, Pool, StoredWish, Upstream, Wish, Wishes};
use remora_process::audit;
use remora_process::tls::Caller;
use remora_proto::v1::{
    DrainReply, DrainRequest, ExplainReply, ExplainRequest, ForeseeReply, ForeseeRequest, MaintainReply,
    MaintainRequest, PoolStatus, ProxyStatus, SetRequest, UpstreamStatus,
};

use super::explaining::Scene;
use super::following::Following;
use super::wishing::Change;
use super::{maintaining, wishing};
use crate::chronicle::{Chronicle, Happening, Lately, Sort};
use crate::config::ListenConfig;
use crate::directory::{Directory, Meant, Unknown, unix_now};
use crate::tally::Counters;
use crate::wishes::{Keeping, WishPlace};

/// What operators may ask for. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Control {
    directory: Directory,
    keeping: Keeping,
    following: Following,
    listen: Arc<[ListenConfig]>,
    began: Instant,
}

/// Wishes of routes: each with its route, and all there are with them.
type Wished = (Vec<(Arc<str>, Wish)>, Wishes);

/// Why something was not done, in a sentence that says what to do.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The request makes no sense.
    Wrong(String),
    /// It names somebody who is not there.
    Unknown(String),
    /// It is against what holds, and may be asked for otherwise.
    Against(String),
    /// Not now.
    Away(String),
    /// Nobody knows.
    Broken(String),
}

impl Refused {
    /// The sentence.
    pub(crate) fn sentence(&self) -> &str {
        let (Refused::Wrong(sentence)
        | Refused::Unknown(sentence)
        | Refused::Against(sentence)
        | Refused::Away(sentence)
        | Refused::Broken(sentence)) = self;
        sentence
    }
}

/// Does what is wished, whole, although its caller may go away meanwhile: a wish that is kept and not done would be done by the
/// next process, when nobody expects it.
pub(crate) async fn whole<T: Send + 'static, E: From<Refused> + Send + 'static>(
    wish: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::spawn(wish).await;
    done.unwrap_or_else(|_| {
        let sentence = "the wish broke off: look at the proxy's log";
        Err(Refused::Broken(sentence.to_owned()).into())
    })
}

/// Writes down what became of a wish.
fn booked<T>(
    caller: &Caller,
    action: &str,
    object: &str,
    followed: Result<T, Refused>,
) -> Result<T, Refused> {
    match &followed {
        Ok(_) => audit::done(caller, action, object),
        Err(refused) => audit::failed(caller, action, refused.sentence()),
    }
    followed
}

/// Nothing is kept here any more where a successor has the word.
fn ours(place: &WishPlace) -> Result<(), Refused> {
    if place.handed_over {
        let sentence = "this proxy is being replaced, and nothing was changed: ask again";
        return Err(Refused::Away(sentence.to_owned()));
    }
    Ok(())
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn not_kept(error: io::Error) -> Refused {
    Refused::Away(format!(
        "the wish could not be kept, and nothing was changed: {error}"
    ))
}

impl Control {
    /// What operators are told of from now on.
    pub(super) fn new(
        directory: Directory,
        keeping: Keeping,
        following: Following,
        listen: Arc<[ListenConfig]>,
    ) -> Self {
        Self {
            directory,
            keeping,
            following,
            listen,
            began: Instant::now(),
        }
    }

    /// This proxy as it is now.
    pub(crate) fn status(&self) -> ProxyStatus {
        let current = self.directory.current();
        ProxyStatus {
            uptime_seconds: self.began.elapsed().as_secs(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: current.snapshot.generation,
            upstreams: self.statuses(|_| true),
            absent: self.directory.absent(),
            pools: self.pools(),
            discovery: self.following.status(),
        }
    }

    /// Users leave upstreams.
    pub(crate) async fn drain(&self, caller: Caller, request: DrainRequest) -> Result<DrainReply, Refused> {
        let change = Change::drain(&request).map(|change| (change, request.careful));
        self.wish(caller, "ProxyAdmin/Drain", (request.route, request.group), change)
            .await
    }

    /// They stay.
    pub(crate) async fn undrain(&self, caller: Caller, request: DrainRequest) -> Result<DrainReply, Refused> {
        let DrainRequest { route, group, .. } = request;
        let change = Ok((Change::Undrain, false));
        self.wish(caller, "ProxyAdmin/Undrain", (route, group), change)
            .await
    }

    /// Upstreams have another state or weight.
    pub(crate) async fn set(&self, caller: Caller, request: SetRequest) -> Result<DrainReply, Refused> {
        let change = Change::set(&request).map(|change| (change, request.careful));
        self.wish(caller, "ProxyAdmin/Set", (request.route, request.group), change)
            .await
    }

    /// A pool is under maintenance, or is not.
    pub(crate) async fn maintain(
        &self,
        caller: Caller,
        request: MaintainRequest,
    ) -> Result<MaintainReply, Refused> {
        let control = self.clone();
        whole(async move {
            let object = format!("pool {}: {}", request.pool, request.wish().as_str_name());
            let followed = control.follow_of_pool(&caller, request).await;
            booked(&caller, "ProxyAdmin/Maintain", &object, followed)
        })
        .await
    }

    /// What a wish would take from whom.
    pub(crate) fn foresee(&self, request: ForeseeRequest) -> Result<ForeseeReply, Refused> {
        let (meant, change) = wishing::foreseen(request).map_err(Refused::Wrong)?;
        let (_, wishes) = self.wished(&meant, change, &Caller::nobody())?;
        Ok(ForeseeReply {
            emptied: self.directory.emptied(&wishes),
        })
    }

    /// Why a request goes where.
    pub(super) fn explain(&self, request: &ExplainRequest) -> Result<ExplainReply, Refused> {
        let (current, wishes) = (self.directory.current(), self.directory.wishes());
        let status_of = |pool: &Pool, member: &Upstream| {
            status_of(
                pool,
                member,
                &wishes.of(&member.route),
                current.tally.upstream(member.id),
            )
        };
        let scene = Scene {
            snapshot: &current.snapshot,
            listen: &self.listen,
            status_of: &status_of,
        };
        scene.explain(request).map_err(Refused::Wrong)
    }

    /// Does what is wished of upstreams, and writes it down.
    async fn wish(
        &self,
        caller: Caller,
        action: &'static str,
        names: (String, String),
        change: Result<(Change, bool), String>,
    ) -> Result<DrainReply, Refused> {
        let (control, (route, group)) = (self.clone(), names);
        whole(async move {
            let object = match group.as_str() {
                "" => format!("route {route}"),
                group => format!("group {group}"),
            };
            let followed = match change {
                Ok((change, careful)) => {
                    let meant = wishing::meant(route, group);
                    control.follow(&caller, meant, change, careful).await
                }
                Err(refused) => Err(Refused::Wrong(refused)),
            };
            booked(&caller, action, &object, followed)
        })
        .await
    }

    /// What is wished of the routes that are meant, and of all routes, after this change.
    fn wished(&self, meant: &Meant, change: Change, caller: &Caller) -> Result<Wished, Refused> {
        let routes = self.directory.meant(meant).map_err(not_found)?;
        if change == Change::Undrain && !routes.iter().any(|route| self.directory.is_taken_away(route)) {
            let routes = routes.join(", ");
            return Err(Refused::Against(format!(
                "{routes}: not drained, and nothing was changed"
            )));
        }
        let mut wishes = self.directory.wishes();
        let of_route = |route: Arc<str>| {
            let wish = change.of(wishes.of(&route), self.directory.is_drained_by_file(&route));
            let wish = Wish {
                who: Some(caller.name().into()),
                at: Some(unix_now()),
                ..wish
            };
            (route, wish)
        };
        let wished: Vec<(Arc<str>, Wish)> = routes.into_iter().map(of_route).collect();
        self.set_all(&mut wishes, &wished);
        Ok((wished, wishes))
    }

    /// Keeps the wish, then does it, then tells the store. One after the other: what is kept is what was wished last. Whoever is
    /// careful is refused where it costs a pool its last upstream that is up.
    async fn follow(
        &self,
        caller: &Caller,
        meant: Result<Meant, String>,
        change: Change,
        careful: bool,
    ) -> Result<DrainReply, Refused> {
        let meant = meant.map_err(Refused::Wrong)?;
        let place = self.keeping.hold().await;
        ours(&place)?;
        let (wished, wishes) = self.wished(&meant, change, caller)?;
        let emptied = if careful {
            self.directory.emptied(&wishes)
        } else {
            Vec::new()
        };
        if !emptied.is_empty() {
            let sentences = emptied.join("; ");
            return Err(Refused::Against(format!("{sentences}. Nothing was changed")));
        }
        if let Some(store) = &place.store {
            store.keep_routes(&wishes).await.map_err(not_kept)?;
        }
        self.holds(|wishes| self.set_all(wishes, &wished));
        let is_kept = place.store.is_some();
        // Nobody else's wish waits until the store has this one.
        drop(place);
        let said = change.said(unix_now());
        for (route, _) in &wished {
            self.tell(Sort::Wish, route, &said, caller);
        }
        let of: Vec<String> = wished
            .iter()
            .map(|(route, _)| StoredWish::of_route(route))
            .collect();
        let shared = self.following.shared(&of, change.presses()).await;
        if !change.presses() {
            self.still_holds(&wished)?;
        }
        let is_meant = |route: &Arc<str>| wished.iter().any(|(meant, _)| meant == route);
        Ok(DrainReply {
            upstreams: self.statuses(|upstream| is_meant(&upstream.route)),
            ends_with_process: !is_kept && !shared,
            shared,
        })
    }

    /// Whether nobody else's wish has taken the place of these.
    fn still_holds(&self, wished: &[(Arc<str>, Wish)]) -> Result<(), Refused> {
        let wishes = self.directory.wishes();
        let said = |wish: &Wish| (wish.state, wish.until, wish.weight, wish.who.clone());
        let lost = wished
            .iter()
            .find(|(route, wish)| said(&wishes.of(route)) != said(wish));
        match lost {
            None => Ok(()),
            Some((route, _)) => {
                let who = wishes.who_of(route).unwrap_or("somebody");
                let what = wishing::heard(&wishes.of(route), unix_now());
                Err(Refused::Against(format!(
                    "{route}: {who} has wished otherwise at the same moment, and that holds ({route} {what}): look, and ask again"
                )))
            }
        }
    }

    /// The same of a pool.
    async fn follow_of_pool(
        &self,
        caller: &Caller,
        request: MaintainRequest,
    ) -> Result<MaintainReply, Refused> {
        let place = self.keeping.hold().await;
        ours(&place)?;
        let (name, mut wishes) = (request.pool.clone(), self.directory.wishes());
        let wished = request.wish();
        let by_file = self.directory.is_maintained_by_file(&name);
        if by_file.is_none() && wishes.pools.of(&name).is_none() {
            return Err(Refused::Unknown(self.no_pool(&name)));
        }
        let wish =
            maintaining::wished(request, caller.name(), by_file.unwrap_or(false)).map_err(Refused::Wrong)?;
        let unchanged = wishes.pools.of(&name).map(maintaining::said) == wish.as_ref().map(maintaining::said);
        let set = |wishes: &mut Wishes| {
            let is_shared = self.following.shares();
            maintaining::set(&mut wishes.pools, &name, (wish.clone(), is_shared), caller);
        };
        set(&mut wishes);
        if let Some(store) = &place.store {
            store.keep_pools(&wishes).await.map_err(not_kept)?;
        }
        self.holds(set);
        let is_kept = place.store.is_some();
        drop(place);
        if !unchanged {
            let said = maintaining::told(wished);
            self.tell(Sort::Maintenance, &name, said, caller);
        }
        let shared = self.following.shared(&[StoredWish::of_pool(&name)], true).await;
        let pool = self.pools().into_iter().find(|pool| pool.pool == name);
        Ok(MaintainReply {
            pool,
            ends_with_process: !is_kept && !shared,
            unchanged,
            shared,
        })
    }

    /// Lets wishes of routes stand among these.
    fn set_all(&self, wishes: &mut Wishes, wished: &[(Arc<str>, Wish)]) {
        for (route, wish) in wished {
            wishes.set(route, wish.clone(), self.following.shares());
        }
    }

    /// Lets wishes hold over what holds now: the store may have told others, or have answered, while these were kept.
    fn holds(&self, set: impl Fn(&mut Wishes)) {
        let mut wishes = self.directory.wishes();
        set(&mut wishes);
        self.directory.follow(wishes);
    }

    /// What changed behind the change of this number.
    pub(crate) fn lately(&self, after: u64) -> Lately {
        self.directory.chronicle().after(after)
    }

    /// What changed, and changes.
    pub(crate) fn chronicle(&self) -> &Chronicle {
        self.directory.chronicle()
    }

    /// Tells people of what somebody asked for.
    pub(crate) fn tell(&self, kind: Sort, of: &str, what: &str, caller: &Caller) {
        let happening = Happening::new(kind, of, what).by(caller.name());
        self.directory.chronicle().note(happening);
    }

    fn pools(&self) -> Vec<PoolStatus> {
        let pools = self.directory.maintained().into_iter();
        pools.map(maintaining::status_of).collect()
    }

    fn no_pool(&self, name: &str) -> String {
        let known: Vec<String> = self.pools().into_iter().map(|pool| pool.pool).collect();
        format!("there is no pool `{name}`; known here: {}", known.join(", "))
    }

    /// The upstreams that are wanted, in the order of the configuration.
    fn statuses(&self, wanted: impl Fn(&Upstream) -> bool) -> Vec<UpstreamStatus> {
        let (current, wishes) = (self.directory.current(), self.directory.wishes());
        let pools = current.snapshot.upstreams.pools.iter();
        let members = pools.flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
        members
            .filter(|(_, member)| wanted(member))
            .map(|(pool, member)| {
                let counters = current.tally.upstream(member.id);
                status_of(pool, member, &wishes.of(&member.route), counters)
            })
            .collect()
    }
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn not_found(unknown: Unknown) -> Refused {
    Refused::Unknown(unknown.to_string())
}

fn status_of(pool: &Pool, upstream: &Upstream, wish: &Wish, counters: &Counters) -> UpstreamStatus {
    let finishing = upstream.state == AdminState::Finishing;
    let until = wish.until.filter(|_| finishing);
    UpstreamStatus {
        pool: pool.name.to_string(),
        route: upstream.route.to_string(),
        url: upstream.url(),
        health: upstream.health.belief().as_str().to_owned(),
        reason: upstream.health.reason().into_owned(),
        draining: upstream.state.is_drain(),
        in_flight: counters.in_flight_now(),
        answered: counters.answered_so_far(),
        failed: counters.failed_so_far(),
        state: upstream.state.as_str().to_owned(),
        weight: upstream.weight,
        group: upstream.group.as_deref().unwrap_or_default().to_owned(),
        tunnels: counters.tunnels_now(),
        finishes_in_seconds: until.map(|until| until.saturating_sub(unix_now())),
        wished: !wish.says_nothing(),
        wished_by: wish.who.as_deref().unwrap_or_default().to_owned(),
        wished_since: wish.at.unwrap_or_default(),
        discovered: upstream.instance.is_some(),
    }
}
