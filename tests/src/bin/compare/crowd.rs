//! Thirty users who log in and fill carts while a Tomcat dies, and what each of them lost.
//!
//! Half of them come to each Tomcat: whoever is sent to the other one first begins anew, so that a proxy's taste does not decide how
//! many lose theirs. A user clicks, waits a moment and clicks again, every other time with a POST. What he has seen is his own memory;
//! he believes neither proxy nor Tomcat. Whoever is logged out logs in again and goes on, as people do. Left out: keep-alive, so that no
//! answer depends on whose connection a proxy happened to keep.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use remora_tests::World;
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::wait::{START, holds_for, wait_until};

/// The two Tomcats.
pub(crate) const NODES: [&str; 2] = ["n1", "n2"];

/// The one that is killed.
pub(crate) const DYING: &str = NODES[0];

/// How many come in a round.
const USERS: usize = 30;

/// Between the beginnings of two clicks of a user: some 300 requests a second in all.
const PACE: Duration = Duration::from_millis(80);

/// By how much each user is slower than the one before: nobody stays in step with anybody.
const SLOWER: Duration = Duration::from_millis(1);

/// Clicks of each user before anything is counted: pages are compiled, JVMs warm.
const WARM_CLICKS: usize = 15;

/// How long they click before the kill, once warm.
const BEFORE: Duration = Duration::from_secs(2);

/// How long they go on behind it: longer than any of the configurations looks away from a dead Tomcat.
const AFTER: Duration = Duration::from_secs(6);

/// What came of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The page: how many pieces the cart holds, and who answered.
    Page { cart: usize, node: String },
    /// The login page.
    Login,
    /// An error, or no whole answer.
    Failed,
}

/// What users lost in all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses {
    users: usize,
    bereft: usize,
    logged_out: usize,
    carts: usize,
    gets: usize,
    gets_failed: usize,
    posts: usize,
    posts_failed: usize,
    posts_twice: usize,
    slowest: Duration,
}

impl Losses {
    /// Adds those of a round.
    pub(crate) fn add(&mut self, round: &Losses) {
        self.users += round.users;
        self.bereft += round.bereft;
        self.logged_out += round.logged_out;
        self.carts += round.carts;
        self.gets += round.gets;
        self.gets_failed += round.gets_failed;
        self.posts += round.posts;
        self.posts_failed += round.posts_failed;
        self.posts_twice += round.posts_twice;
        self.slowest = self.slowest.max(round.slowest);
    }

    /// As the table shows them: users logged out, carts, GETs, POSTs that failed and that ran twice, the slowest answer.
    pub(crate) fn cells(&self) -> [String; 6] {
        [
            format!("{} of {}", self.logged_out, self.bereft),
            format!("{} of {}", self.carts, self.bereft),
            format!("{} of {}", self.gets_failed, self.gets),
            format!("{} of {}", self.posts_failed, self.posts),
            self.posts_twice.to_string(),
            format!("{:.2} s", self.slowest.as_secs_f64()),
        ]
    }

    /// Adds what one user lost.
    fn add_user(&mut self, user: &Seen) {
        self.users += 1;
        self.logged_out += usize::from(user.logged_out);
        self.carts += usize::from(user.cart_lost);
        self.gets += user.gets;
        self.gets_failed += user.gets_failed;
        self.posts += user.posts;
        self.posts_failed += user.posts_failed;
        self.slowest = self.slowest.max(user.slowest);
    }
}

/// What one user has seen, and lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Pieces in the cart, as the last page showed it.
    cart: usize,
    logged_out: bool,
    cart_lost: bool,
    gets: usize,
    gets_failed: usize,
    posts: usize,
    posts_failed: usize,
    slowest: Duration,
}

impl Seen {
    /// Takes in what came of a click.
    fn see(&mut self, is_post: bool, came: &Came) {
        let failed = usize::from(*came == Came::Failed);
        if is_post {
            self.posts += 1;
            self.posts_failed += failed;
        } else {
            self.gets += 1;
            self.gets_failed += failed;
        }
        match came {
            Came::Page { cart, .. } => {
                // The piece that this very click put in was not there before.
                self.cart_lost |= cart.saturating_sub(usize::from(is_post)) < self.cart;
                self.cart = *cart;
            }
            Came::Login => {
                self.logged_out = true;
                self.cart_lost |= self.cart > 0;
                self.cart = 0;
            }
            Came::Failed => {}
        }
    }
}

/// A click: a POST with a name of its own, or a GET.
pub(crate) fn click(user: &mut Browser, post: Option<&str>) -> Came {
    let request = match post {
        Some(key) => Request::form("/clicks/", &[("key", key)]),
        None => Request::get("/clicks/"),
    };
    user.send(&request).map_or(Came::Failed, |answer| came(&answer))
}

/// Opens the page, and signs in where it asks for that.
pub(crate) fn sign_in(user: &mut Browser) -> Came {
    let first = click(user, None);
    if first != Came::Login {
        return first;
    }
    let form = [("j_username", "ada"), ("j_password", "lovelace")];
    let answer = user.follow(&Request::form("/clicks/j_security_check", &form));
    answer.map_or(Came::Failed, |answer| came(&answer))
}

fn came(answer: &Answer) -> Came {
    let text = answer.text();
    if answer.status != 200 || !answer.complete {
        return Came::Failed;
    }
    if text == "login" {
        return Came::Login;
    }
    let facts: BTreeMap<&str, &str> = text
        .split_whitespace()
        .filter_map(|fact| fact.split_once('='))
        .collect();
    let cart = facts.get("cart").and_then(|cart| cart.parse().ok());
    match (cart, facts.get("node")) {
        (Some(cart), Some(node)) => Came::Page {
            cart,
            node: (*node).to_owned(),
        },
        _ => Came::Failed,
    }
}

/// What users and the harness say to each other while a round is played.
#[derive(Debug)]
struct Stage {
    front: SocketAddr,
    round: usize,
    /// What comes counts.
    counting: AtomicBool,
    /// Answers that come are timed: the kill is about to come.
    killed: AtomicBool,
    over: AtomicBool,
    /// Pages that each user has seen.
    clicks: [AtomicUsize; USERS],
    /// Who was answered by the dying one last.
    at_dying: [AtomicBool; USERS],
}

impl Stage {
    /// A user, until it is over.
    fn user(&self, number: usize) -> Seen {
        let mut browser = Browser::new(self.front);
        let mut seen = Seen::default();
        let home = NODES[number % 2];
        let (mut signed_in, mut at_home, mut clicks) = (false, false, 0);
        let pace = PACE + SLOWER * u32::try_from(number).unwrap_or(0);
        while !self.over.load(Ordering::SeqCst) {
            let (began, is_post) = (Instant::now(), signed_in && (clicks + number / 2) % 2 == 1);
            let came = if signed_in {
                let key = format!("{}-{number}-{clicks}", self.round);
                click(&mut browser, is_post.then_some(key.as_str()))
            } else {
                sign_in(&mut browser)
            };
            clicks += 1;
            if self.counting.load(Ordering::SeqCst) {
                seen.see(is_post, &came);
            } else if let Came::Page { cart, .. } = came {
                seen.cart = cart;
            }
            // Read behind the answer: a request that was at work when the kill came is one of those it made wait.
            if self.killed.load(Ordering::SeqCst) {
                seen.slowest = seen.slowest.max(began.elapsed());
            }
            match &came {
                Came::Page { node, .. } if !at_home && node != home => browser = Browser::new(self.front),
                Came::Page { node, .. } => {
                    (signed_in, at_home) = (true, true);
                    self.clicks[number].fetch_add(1, Ordering::SeqCst);
                    self.at_dying[number].store(node == DYING, Ordering::SeqCst);
                }
                Came::Login => signed_in = false,
                Came::Failed => {}
            }
            let _ = holds_for("the pace", pace.saturating_sub(began.elapsed()), || true);
        }
        seen
    }

    /// What befalls them; gives how many lost their Tomcat.
    fn befall(&self, world: &mut World) -> Result<usize> {
        wait_until("all click", START, || {
            let warm = |clicks: &AtomicUsize| clicks.load(Ordering::SeqCst) >= WARM_CLICKS;
            self.clicks.iter().all(warm)
        })?;
        self.counting.store(true, Ordering::SeqCst);
        holds_for("they click", BEFORE, || true)?;
        let at_dying = self.at_dying.iter().filter(|there| there.load(Ordering::SeqCst));
        let bereft = at_dying.count();
        ensure!(bereft > 0, "nobody is at {DYING}");
        self.killed.store(true, Ordering::SeqCst);
        world.tomcat(DYING)?.kill();
        holds_for("they go on", AFTER, || true)?;
        Ok(bereft)
    }
}

/// Plays the story once, behind `front`.
///
/// # Errors
/// When users cannot come.
pub(crate) fn round(world: &mut World, front: SocketAddr, round: usize) -> Result<Losses> {
    let stage = Stage {
        front,
        round,
        counting: AtomicBool::new(false),
        killed: AtomicBool::new(false),
        over: AtomicBool::new(false),
        clicks: [const { AtomicUsize::new(0) }; USERS],
        at_dying: [const { AtomicBool::new(false) }; USERS],
    };
    let mut losses = Losses::default();
    losses.bereft = std::thread::scope(|scope| {
        let stage = &stage;
        let users: Vec<_> = (0..USERS)
            .map(|number| scope.spawn(move || stage.user(number)))
            .collect();
        let bereft = stage.befall(world);
        stage.over.store(true, Ordering::SeqCst);
        for user in users {
            losses.add_user(&user.join().expect("no panic"));
        }
        bereft
    })?;
    losses.posts_twice = ran_twice(world, round)?;
    Ok(losses)
}

/// How many POSTs of a round left more than one mark.
fn ran_twice(world: &World, round: usize) -> Result<usize> {
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    for node in NODES {
        let marks = std::fs::read_to_string(world.signals.directory().join(format!("clicks-{node}")))?;
        for key in marks.lines().filter(|key| key.starts_with(&format!("{round}-"))) {
            *runs.entry(key.to_owned()).or_default() += 1;
        }
    }
    Ok(runs.values().filter(|runs| **runs > 1).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cart: usize) -> Came {
        let node = "n2".to_owned();
        Came::Page { cart, node }
    }

    /// What a user has lost after these clicks: whether he was logged out, whether his cart was lost, GETs and POSTs that failed.
    fn after(clicks: &[(bool, Came)]) -> (bool, bool, usize, usize) {
        let mut seen = Seen::default();
        for (is_post, came) in clicks {
            seen.see(*is_post, came);
        }
        (
            seen.logged_out,
            seen.cart_lost,
            seen.gets_failed,
            seen.posts_failed,
        )
    }

    #[test]
    fn a_cart_that_grows_is_no_loss() {
        let grows = [
            (false, page(0)),
            (true, page(1)),
            (true, page(2)),
            (false, page(2)),
        ];
        assert_eq!(after(&grows), (false, false, 0, 0));
    }

    #[test]
    fn a_purchase_without_an_answer_may_have_been_made() {
        let (made, not) = (page(2), page(1));
        for next in [made, not] {
            let clicks = [(true, page(1)), (true, Came::Failed), (false, next)];
            assert_eq!(after(&clicks), (false, false, 0, 1));
        }
    }

    #[test]
    fn a_cart_that_shrinks_is_lost() {
        assert!(after(&[(true, page(1)), (true, page(2)), (false, page(1))]).1);
        // Ran on a copy that lacked the second piece, and shows as many as before.
        assert!(after(&[(true, page(1)), (true, page(2)), (true, page(2))]).1);
    }

    #[test]
    fn who_meets_the_login_page_is_logged_out_and_has_lost_what_he_had() {
        let full = [(true, page(1)), (false, Came::Login), (false, page(0))];
        assert_eq!(after(&full), (true, true, 0, 0));
        assert_eq!(
            after(&[(false, page(0)), (false, Came::Login)]),
            (true, false, 0, 0)
        );
    }

    #[test]
    fn only_whole_pages_are_answers() {
        let answer = |status, text: &str, complete| Answer {
            status,
            fields: Vec::new(),
            body: text.into(),
            complete,
            took: Duration::ZERO,
        };
        let text = "clicks cart=7 node=n2 user=ada";
        assert_eq!(came(&answer(200, text, true)), page(7));
        assert_eq!(came(&answer(200, "login", true)), Came::Login);
        for (status, text, complete) in [(200, text, false), (503, text, true), (200, "oops", true)] {
            assert_eq!(came(&answer(status, text, complete)), Came::Failed);
        }
    }

    #[test]
    fn losses_add_up_and_are_told_with_what_they_are_of() {
        let mut losses = Losses::default();
        let seen = Seen {
            logged_out: true,
            gets: 10,
            gets_failed: 1,
            posts: 9,
            slowest: Duration::from_millis(1_234),
            ..Seen::default()
        };
        losses.add_user(&seen);
        losses.bereft = 1;
        let mut all = losses.clone();
        all.add(&losses);
        let told = ["2 of 2", "0 of 2", "2 of 20", "0 of 18", "0", "1.23 s"];
        assert_eq!(all.cells(), told.map(String::from));
    }
}
