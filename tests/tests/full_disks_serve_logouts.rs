//! Promises 1 and 5: disks that are full log nobody out, and keep nobody from logging out.
//!
//! Shown: the disks of all three nodes fill up at the same moment. First new sessions and saves that make a session larger are
//! refused with a sentence; when what is left is the reserve, also saves that leave it as large. From then on users are still
//! taken over by another Tomcat, read, made smaller and logged out, hundreds of times; every node runs on. When there
//! is room again everything is taken, and every session holds what its user was told last.
//! Broken once to see it fail: a check that asks for no room (new sessions are taken on full disks).

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::stores::Stores;
use remora_tests::wait::{SOON, wait_until};
use remora_tests::{Outcome, World, wait_for};

/// Bytes of a cart: a hundred saves fill what is ready beside the reserve.
const CART_BYTES: usize = 400_000;

/// Saves that leave a session as large, at most, before the nodes are down to the reserve.
const SAME_SAVES_MAX: usize = 400;

/// Users who leave while the disks are full.
const LEAVING: usize = 200;

/// A session as its user knows it.
#[derive(Clone, Debug)]
struct User {
    key: v1::SessionKey,
    epoch: u64,
    /// The version of the record, which a claim changes too, and that of the last save.
    version: u64,
    saved: u64,
    created: u64,
    cart: Vec<u8>,
}

impl User {
    fn new(name: &str) -> Self {
        Self {
            key: session_key("full", name),
            epoch: 0,
            version: 0,
            saved: 0,
            created: 0,
            cart: Vec::new(),
        }
    }

    fn with(&self, cart: Vec<u8>) -> v1::SaveRequest {
        v1::SaveRequest {
            session: Some(self.key.clone()),
            epoch: self.epoch,
            base: self.version,
            changed: vec![v1::Attribute {
                name: "cart".into(),
                value: cart.into(),
                ..Default::default()
            }],
            max_idle_seconds: (self.epoch == 0).then_some(1_800),
            ..Default::default()
        }
    }

    /// Takes over what was acknowledged.
    fn saved(&mut self, reply: v1::SaveReply, cart: Vec<u8>) -> Result<()> {
        let Some(v1::save_reply::Outcome::Saved(saved)) = reply.outcome else {
            bail!("expected Saved, got {reply:?}");
        };
        self.created = saved.created_version;
        (self.epoch, self.version, self.saved) = (saved.epoch, saved.version, saved.version);
        self.cart = cart;
        Ok(())
    }

    fn save(&mut self, calls: &mut Calls, cart: Vec<u8>) -> Result<()> {
        let reply = calls.save(&self.with(cart.clone()))?;
        self.saved(reply, cart)
    }

    /// Why a save is refused; none if it is taken.
    fn refusal(&mut self, calls: &mut Calls, cart: Vec<u8>) -> Result<Option<String>> {
        match calls.save_once(&self.with(cart.clone())) {
            Ok(reply) => self.saved(reply, cart).map(|()| None),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    /// Takes the session over, and compares it with what its user was told.
    fn claim(&mut self, calls: &mut Calls) -> Result<()> {
        let reply = calls.claim(&self.key)?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("an acknowledged session is lost: {reply:?}");
        };
        let cart = record.attributes.first().context("it has a cart")?;
        ensure!(
            cart.value == self.cart && cart.version == self.saved,
            "{:?} is not its last save",
            self.key
        );
        (self.epoch, self.version) = (record.epoch, record.version);
        Ok(())
    }
}

/// A client of the leader alone: what is refused there is not asked elsewhere.
fn at_leader(stores: &Stores) -> Result<Calls> {
    let leader = stores.wait_ready()?;
    let at = usize::try_from(leader)? - 1;
    Calls::new(&stores.client_addresses()[at..=at], 77)
}

/// Waits until nothing new is taken.
fn wait_until_short(calls: &mut Calls) -> Result<()> {
    let mut number = 0;
    wait_for("new sessions are refused", SOON, || {
        number += 1;
        let mut newcomer = User::new(&format!("newcomer-{number}"));
        let refused = newcomer.refusal(calls, vec![b'x'; 10]).ok()??;
        refused.contains("no room for a new session").then_some(())
    })
}

/// Saves a session again and again, as large as it is, until that is refused.
fn spend_all_but_the_reserve(calls: &mut Calls, user: &mut User) -> Result<()> {
    for round in 0..SAME_SAVES_MAX {
        let cart = vec![b'a' + u8::try_from(round % 26)?; CART_BYTES];
        if let Some(sentence) = user.refusal(calls, cart)? {
            ensure!(
                sentence.contains("no room for a session that stays as large"),
                "{sentence}"
            );
            return Ok(());
        }
    }
    bail!("{SAME_SAVES_MAX} saves were taken on full disks")
}

#[test]
fn three_disks_are_full_at_the_same_moment() -> Outcome {
    World::plan().faulty_disks().run(|world| {
        let stores = &mut world.stores;
        let mut calls = at_leader(stores)?;
        let mut large = User::new("large");
        large.save(&mut calls, vec![b'x'; CART_BYTES])?;
        let mut users: Vec<User> = (0..LEAVING).map(|at| User::new(&format!("user-{at}"))).collect();
        for user in &mut users {
            user.save(&mut calls, vec![b'x'; 300])?;
        }
        wait_for_reserves(stores)?;
        for id in stores.ids() {
            stores.disk(id)?.fill()?;
        }
        wait_until_short(&mut calls)?;
        let grown = large.refusal(&mut calls, vec![b'x'; CART_BYTES + 1])?;
        let grown = grown.context("a session grew on full disks")?;
        ensure!(grown.contains("no room for a session that grows"), "{grown}");
        spend_all_but_the_reserve(&mut calls, &mut large)?;

        large.claim(&mut calls)?;
        for (nth, user) in users.iter_mut().enumerate() {
            user.claim(&mut calls)?;
            user.save(&mut calls, vec![b'y'; 299])?;
            if nth % 2 == 0 {
                calls.remove(&user.key, user.created)?;
            }
        }
        large.save(&mut calls, vec![b'z'; CART_BYTES / 2])?;
        for id in stores.ids() {
            ensure!(stores.process(id)?.is_running(), "node {id} ended");
        }
        for id in stores.ids() {
            stores.disk(id)?.make_room()?;
        }
        wait_until("new sessions are taken again", SOON, || {
            let mut newcomer = User::new("late");
            newcomer
                .refusal(&mut calls, vec![b'x'; 10])
                .is_ok_and(|refusal| refusal.is_none())
        })?;
        large.save(&mut calls, vec![b'x'; CART_BYTES * 2])?;
        large.claim(&mut calls)?;
        users
            .iter_mut()
            .skip(1)
            .step_by(2)
            .try_for_each(|user| user.claim(&mut calls))
    })
}

/// Waits until every node has the files of its log that it keeps for a full disk.
fn wait_for_reserves(stores: &Stores) -> Result<()> {
    for id in stores.ids() {
        let log = stores.node(id).context("it is a node")?.data.join("log");
        let whole = || {
            let names = std::fs::read_dir(&log).into_iter().flatten().flatten();
            let names = names.map(|file| file.file_name().to_string_lossy().into_owned());
            names
                .filter(|name| name.starts_with("segment-") && !name.ends_with(".aside"))
                .count()
        };
        // One that is written, one that is next, and four.
        wait_until("a node has its reserve", SOON, || whole() >= 6)?;
    }
    Ok(())
}
