//! Promise 5: a dead store majority does not take the site down: each Tomcat serves on with the sessions that it owns and
//! with new ones, and hands over what changed when the store is back (`onStoreLoss="serve"`, the default).
//!
//! Shown: two of three store nodes are killed for half a minute while users of two Tomcats change and read. From the moment
//! at which the outage is known until the nodes return every request is answered, and every answer of all the time has the
//! right value; what was in the air before may be refused, and its user keeps the session. Meanwhile users begin sessions, sign
//! in with new and with old sessions, get other ids, and sign out; a change of an id that was in the air when the outage
//! became known is made, too. A session of the other Tomcat is refused at once, with effect none, so that a proxy may ask
//! the other. When the store is back, the other Tomcat shows all of it: last values, carts, logins under their new ids; the
//! old ids open nothing, and the sessions that were ended are gone.
//! Broken once to see it fail, each in the adapter: a request that waits for a check when the store goes away is not decided
//! anew (the change of an id that was in the air is a 503); owed renames are not repeated (a login is not found under its
//! new id); an owed removal is forgotten (what was ended lives on at the other Tomcat).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use remora_tests::http::{Answer, Browser};
use remora_tests::probe::{Caller, change};
use remora_tests::tomcat::Version;
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, World, wait_for, wait_until};

/// How long the majority is away.
const OUTAGE: Duration = Duration::from_secs(30);

/// Half of `storeTimeout`: a refusal that waits for the store takes all of it.
const AT_ONCE: Duration = Duration::from_millis(2_500);

/// How far into the outage ids are changed: late enough that the outage becomes known before these calls give up.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Users who click all the time, at each Tomcat.
const USERS: usize = 3;

/// Between two clicks of a user.
const THINK: Duration = Duration::from_millis(50);

/// How the outage stands, for users who click through it.
#[derive(Default)]
struct Site {
    /// Both Tomcats have been seen to serve without the store: while that holds nothing may be refused.
    known: AtomicBool,
    over: AtomicBool,
    /// Refusals of before, and answers after.
    refused: AtomicU64,
    served: AtomicU64,
}

impl Site {
    /// Clicks until all is over; gives the last value.
    fn click_on(&self, user: &mut Caller) -> Result<u64> {
        let mut last = 0;
        let mut next = 1;
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            let known = self.known.load(Ordering::SeqCst);
            let answer = user.browser.send(&change("set.jsp", "n", &next.to_string()))?;
            let changed = self.counts(&answer, known)?;
            let known = self.known.load(Ordering::SeqCst);
            let answer = user.browser.get("/probe/get.jsp")?;
            if self.counts(&answer, known)? {
                let text = answer.text();
                let shown = text.lines().find_map(|line| line.strip_prefix("attribute.n="));
                let shown: u64 = shown.unwrap_or("0").parse()?;
                ensure!(
                    shown == next || !changed && shown >= last,
                    "after {last} came {next}, and {shown} is shown: {text}"
                );
                last = shown;
            } else if changed {
                last = next;
            }
            next += 1;
            wait_until("the next click", SOON, || began.elapsed() > THINK)?;
        }
        Ok(last)
    }

    /// Whether a click was answered; a refusal is a fault once the outage was known when it began.
    fn counts(&self, answer: &Answer, known: bool) -> Result<bool> {
        if answer.status == 200 {
            self.served.fetch_add(u64::from(known), Ordering::SeqCst);
            return Ok(true);
        }
        ensure!(
            !known && answer.status == 503 && answer.field("set-cookie").is_none(),
            "known {known}, and a click is answered {}",
            told(answer)
        );
        self.refused.fetch_add(1, Ordering::SeqCst);
        Ok(false)
    }
}

/// What happens at one Tomcat while the store is away, and must be found at the other after.
struct Story {
    home: SocketAddr,
    other: SocketAddr,
    shopper: Visitor,
    leaver: Visitor,
    passer_by: Visitor,
    newcomer: Visitor,
    renamed: Caller,
    ended: Caller,
    cut_off: Caller,
    begun: Caller,
    old_ids: Vec<(String, &'static str)>,
}

impl Story {
    /// What is there before the outage.
    fn before(home: SocketAddr, other: SocketAddr) -> Result<Self> {
        let signed_in = |user, password| -> Result<Visitor> {
            let mut visitor = Visitor::new(home);
            visitor.sign_in(user, password)?;
            visitor.add("mask")?;
            Ok(visitor)
        };
        let caller = || -> Result<Caller> {
            let mut caller = Caller::new(home);
            caller.set("color", "blue")?;
            // Compiles the page that it will need.
            rotate(&mut caller)?;
            Ok(caller)
        };
        let passer_by = || -> Result<Visitor> {
            let mut visitor = Visitor::new(home);
            ensure!(visitor.is_signed_out()?, "the shop shows its login page");
            Ok(visitor)
        };
        Ok(Self {
            home,
            other,
            shopper: made(|| signed_in("ada", "lovelace"))?,
            leaver: made(|| signed_in("grace", "hopper"))?,
            passer_by: made(passer_by)?,
            newcomer: Visitor::new(home),
            renamed: made(caller)?,
            ended: made(caller)?,
            cut_off: made(caller)?,
            begun: Caller::new(home),
            old_ids: Vec::new(),
        })
    }

    /// What users do while the store is away.
    fn during(&mut self, foreigner: &Caller) -> Outcome {
        let answer = foreigner.at(self.home).browser.get("/probe/get.jsp")?;
        ensure!(
            answer.status == 503
                && answer.field("remora-effect") == Some("none")
                && answer.field("set-cookie").is_none()
                && answer.took < AT_ONCE,
            "a session of the other Tomcat is refused at once: {}",
            told(&answer)
        );
        ensure!(self.shopper.add("fins")?.cart == "mask:1,fins:1", "a cart grows");
        ensure!(self.leaver.sign_out()?, "a logout ends on the login page");
        self.old_ids.push((id(&self.passer_by.browser)?, "/shop"));
        self.passer_by.sign_in("alan", "turing")?;
        self.passer_by.add("lamp")?;
        self.newcomer.sign_in("grace", "hopper")?;
        self.newcomer.add("mug")?;
        self.begun.set("color", "green")?;
        self.old_ids.push((rotate(&mut self.renamed)?, "/probe"));
        self.renamed.set("color", "red")?;
        let answer = self.ended.browser.get("/probe/invalidate.jsp")?;
        ensure!(answer.status == 200, "a session ends: {}", told(&answer));
        ensure!(!self.ended.held()?.live, "and is over here at once");
        Ok(())
    }

    /// What users do when the store has gone and nobody knows it yet: it takes until that is known.
    fn cut_off(&mut self) -> Outcome {
        let answer = std::thread::scope(|scope| {
            let ending = scope.spawn(|| self.cut_off.browser.get("/probe/invalidate.jsp"));
            let rotated = rotate(&mut self.renamed);
            let ended = ending.join().map_err(|_| anyhow!("a user panicked"))?;
            self.old_ids.push((rotated?, "/probe"));
            ended
        })?;
        ensure!(answer.status == 200, "a session ends: {}", told(&answer));
        Ok(())
    }

    /// What the other Tomcat shows when all is handed over.
    fn after(&self) -> Outcome {
        let shoppers = [
            ("ada", "mask:1,fins:1", &self.shopper),
            ("alan", "lamp:1", &self.passer_by),
            ("grace", "mug:1", &self.newcomer),
        ];
        for (user, cart, visitor) in shoppers {
            wait_until(&format!("{user} with {cart} at the other Tomcat"), SOON, || {
                // Anew for each look: who comes before a new id is handed over is nobody there, and gets another cookie.
                let mut visitor = Visitor {
                    browser: visitor.browser.at(self.other),
                };
                let page = visitor.look();
                page.is_ok_and(|page| page.user == user && page.cart == cart)
            })?;
        }
        for (color, caller) in [("red", &self.renamed), ("green", &self.begun)] {
            shows(&mut caller.at(self.other), "color", color)?;
        }
        let mut leaver = Visitor {
            browser: self.leaver.browser.at(self.other),
        };
        wait_until("the end of what was signed out", SOON, || {
            leaver.is_signed_out().unwrap_or(false)
        })?;
        for caller in [&self.ended, &self.cut_off] {
            let ended = |address| caller.at(address).held().is_ok_and(|held| !held.live);
            wait_until("the end of what was ended", SOON, || ended(self.other))?;
            ensure!(ended(self.home) && ended(self.other), "what has ended stays so");
        }
        self.old_ids_open_nothing()
    }

    fn old_ids_open_nothing(&self) -> Outcome {
        for (old, path) in &self.old_ids {
            for address in [self.other, self.home] {
                if *path == "/shop" {
                    let mut visitor = Visitor::new(address);
                    visitor.browser.set_cookie("JSESSIONID", old, path);
                    ensure!(visitor.is_signed_out()?, "an old id opens a login at {address}");
                } else {
                    let mut caller = Caller::new(address);
                    caller.browser.set_cookie("JSESSIONID", old, path);
                    let held = caller.held()?;
                    ensure!(!held.live, "an old id opens a session: {held:?}");
                }
            }
        }
        Ok(())
    }
}

/// Makes what is there before the outage: on a machine that starves its stores a majority may be silent for seconds.
fn made<T>(mut make: impl FnMut() -> Result<T>) -> Result<T> {
    wait_for("a session before the outage", START, || make().ok())
}

/// Gives a session another id, and gives the old one.
fn rotate(caller: &mut Caller) -> Result<String> {
    let old = id(&caller.browser)?;
    let answer = caller.browser.get("/probe/rotate.jsp")?;
    ensure!(answer.status == 200, "a change of an id: {}", told(&answer));
    ensure!(id(&caller.browser)? != old, "the id changes: {}", told(&answer));
    Ok(old)
}

fn id(browser: &Browser) -> Result<String> {
    let id = browser.cookie("JSESSIONID").context("no session cookie")?;
    Ok(id.to_owned())
}

fn shows(caller: &mut Caller, name: &str, value: &str) -> Outcome {
    let mut last = String::new();
    let waited = wait_until(&format!("{name}={value} at the other Tomcat"), SOON, || {
        let held = caller.held();
        last = format!("{held:?}");
        held.is_ok_and(|held| held.attributes.get(name).is_some_and(|shown| shown == value))
    });
    waited.with_context(|| format!("the last answer was {last}"))?;
    Ok(())
}

/// Kills a majority, and gives who was killed.
fn kill_majority(world: &mut World) -> Result<Vec<u64>> {
    let leader = world.stores.wait_ready()?;
    let follower = world.stores.ids().into_iter().find(|id| *id != leader);
    let killed: Vec<u64> = [leader].into_iter().chain(follower).collect();
    for id in &killed {
        world.stores.kill(*id)?;
    }
    Ok(killed)
}

/// Everything but the clicking, in order.
fn outage(world: &mut World, site: &Site, stories: &mut [Story], witnesses: &mut [Caller]) -> Outcome {
    let killed = kill_majority(world)?;
    let since = Instant::now();
    wait_until("the outage to be on", SOON, || since.elapsed() > CUT_OFF)?;
    std::thread::scope(|scope| -> Outcome {
        let cut_off: Vec<_> = stories
            .iter_mut()
            .map(|story| scope.spawn(|| story.cut_off()))
            .collect();
        for witness in &mut *witnesses {
            wait_until("a Tomcat that serves without the store", SOON, || {
                witness.set("seen", "serving").is_ok()
            })?;
        }
        for story in cut_off {
            story.join().map_err(|_| anyhow!("a user panicked"))??;
        }
        Ok(())
    })?;
    site.known.store(true, Ordering::SeqCst);
    for (story, foreigner) in stories.iter_mut().zip(witnesses.iter().rev()) {
        story.during(foreigner)?;
    }
    wait_until("the end of the outage", OUTAGE * 2, || {
        since.elapsed() > OUTAGE || site.over.load(Ordering::SeqCst)
    })?;
    // From here on a starved machine's store may fall silent again.
    site.known.store(false, Ordering::SeqCst);
    for id in killed {
        world.stores.launch(id)?;
    }
    world.stores.wait_ready()?;
    for story in stories.iter() {
        story.after()?;
    }
    Ok(())
}

#[test]
fn and_hands_over_after() -> Outcome {
    World::plan().tomcats(&[Version::V10, Version::V10]).run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let homes = [(first, second), (second, first)];
        let (mut stories, mut witnesses, mut users) = (Vec::new(), Vec::new(), Vec::new());
        for (home, other) in homes {
            stories.push(Story::before(home, other)?);
            let caller = |name| {
                made(|| {
                    let mut caller = Caller::new(home);
                    caller.set(name, "0").and(Ok(caller))
                })
            };
            witnesses.push(caller("seen")?);
            for _ in 0..USERS {
                users.push((caller("n")?, other));
            }
        }
        let site = Site::default();
        let (clicked, went) = std::thread::scope(|scope| {
            let clicking: Vec<_> = (users.iter_mut())
                .map(|(user, _)| {
                    scope.spawn(|| {
                        let last = site.click_on(user);
                        // The first fault ends the outage early.
                        site.over.fetch_or(last.is_err(), Ordering::SeqCst);
                        last
                    })
                })
                .collect();
            let went = outage(world, &site, &mut stories, &mut witnesses);
            site.over.store(true, Ordering::SeqCst);
            let clicked: Vec<_> = clicking.into_iter().map(|user| user.join()).collect();
            (clicked, went)
        });
        let mut last = Vec::new();
        for user in clicked {
            last.push(user.map_err(|_| anyhow!("a user panicked"))??);
        }
        went?;
        for ((user, other), last) in users.iter().zip(last) {
            shows(&mut user.at(*other), "n", &last.to_string())?;
        }
        ensure!(site.served.load(Ordering::SeqCst) > 0, "users click through it");
        Ok(())
    })
}
