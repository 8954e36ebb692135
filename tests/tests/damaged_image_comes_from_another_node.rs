//! Promise 1: a node whose table image is damaged, and whose log begins behind it, has another node's instead, and nothing that
//! was acknowledged is lost.
//!
//! Shown: a large session is saved until a node has purged its log. All nodes are killed, and a byte of each of that node's
//! images is flipped. Started alone, it runs, says that it asks the other nodes for an image, and is not ready. With one of them, which
//! has no majority by itself, it gets that; the two elect a leader, and the session holds what was acknowledged last.
//! Broken once to see it fail: the gap between image and log not looked at (the node ends: consensus finds its entries purged).

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::http::Browser;
use remora_tests::stores::Stores;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// Bytes of the session's cart: below the most that a session may hold.
const CART_BYTES: usize = 900_000;

/// Bytes of log between two images; a node keeps 64 MiB of log behind the newest.
const SNAPSHOT_BYTES: usize = 8 << 20;

/// Saves after which a log has long been purged.
const SAVES_MAX: usize = 2_000;

/// The node that loses its image, one that has its own, and one that is away.
const LOSES: u64 = 1;
const HAS: u64 = 2;
const AWAY: u64 = 3;

fn said(stores: &Stores, id: u64, path: &str) -> Result<String> {
    let node = stores.node(id).context("it is a node")?;
    Ok(Browser::new(node.ports.at(node.ports.ops)).get(path)?.text())
}

/// Whether a node's log was purged since it began: then it has written more in all than since a purge.
fn was_purged(stores: &Stores, id: u64) -> Result<bool> {
    let metrics = said(stores, id, "/metrics")?;
    let named = |name: &str| {
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        value.unwrap_or_default()
    };
    Ok(named("remora_store_log_bytes_since_purge ") < named("remora_store_log_bytes_total "))
}

/// Saves one session again and again until a log was purged; gives the number that it holds.
fn save_until_purged(stores: &Stores, calls: &mut Calls, key: &v1::SessionKey) -> Result<u8> {
    let (mut last, mut is_purged) = (v1::Saved::default(), false);
    for number in 1..=SAVES_MAX {
        let is_first = number == 1;
        let number = u8::try_from(number % usize::from(u8::MAX))?;
        let reply = calls.save(&v1::SaveRequest {
            session: Some(key.clone()),
            epoch: last.epoch,
            base: last.version,
            changed: vec![v1::Attribute {
                name: "cart".into(),
                value: vec![number; CART_BYTES].into(),
                ..Default::default()
            }],
            max_idle_seconds: is_first.then_some(1_800),
            ..Default::default()
        })?;
        let Some(v1::save_reply::Outcome::Saved(saved)) = reply.outcome else {
            bail!("expected Saved, got {reply:?}");
        };
        // What is durable in the log is so with all that came before it, a purge too.
        if is_purged {
            return Ok(number);
        }
        last = saved;
        is_purged = was_purged(stores, LOSES)?;
    }
    bail!("{SAVES_MAX} saves, and no log was purged")
}

/// Flips a byte in the middle of each image: one that was being replaced when its node was killed has its successor beside it.
fn damage(stores: &Stores) -> Result<()> {
    let directory = stores.node(LOSES).context("it is a node")?.data.join("snapshots");
    let paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut images = paths.collect::<Result<Vec<PathBuf>>>()?;
    images.retain(|path| path.extension().is_some_and(|ends| ends == "image"));
    ensure!(!images.is_empty(), "it has an image");
    for image in images {
        let mut bytes = fs::read(&image)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(image, bytes).context("damage the image")?;
    }
    Ok(())
}

#[test]
fn while_nobody_leads() -> Outcome {
    let plan = World::plan().store_flag("snapshot-bytes", &SNAPSHOT_BYTES.to_string());
    plan.run(|world| {
        let stores = &mut world.stores;
        stores.wait_ready()?;
        let key = session_key("claims", "large");
        let mut calls = stores.calls(7)?;
        let held = save_until_purged(stores, &mut calls, &key)?;
        for id in stores.ids() {
            stores.kill(id)?;
        }
        damage(stores)?;

        stores.launch(LOSES)?;
        let asks = "asks the other nodes for one, and takes no part until it has it";
        wait_until("it says that it asks", SOON, || {
            said(stores, LOSES, "/readyz").is_ok_and(|answer| answer.contains(asks))
        })?;
        ensure!(!stores.is_ready(LOSES), "it is ready without its sessions");

        stores.launch(HAS)?;
        stores.wait_ready()?;
        let output = stores.process(LOSES)?.output();
        ensure!(
            output.contains("another node's table image is in place of the one that is lost"),
            "it says {output}"
        );
        let reply = stores.calls(8)?.claim(&key)?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("an acknowledged session is lost: {reply:?}");
        };
        let cart = record.attributes.first().context("it has a cart")?;
        ensure!(
            cart.value == vec![held; CART_BYTES],
            "it is not what was saved last"
        );
        stores.launch(AWAY)?;
        stores.wait_caught_up(AWAY)?;
        Ok(())
    })
}
