//! Promise 1, where it ends: after a majority of the disks is lost for good, one node that is left goes on with all that it holds,
//! and with nothing of the others.
//!
//! Shown: writers save; then two of three nodes are gone. The third serves nobody, tells what would be given up, and does nothing
//! without being told twice. Told so, it starts again as a cluster of one, with another id: every session is there as its writer
//! left it, whoever goes on with what it held before is fenced, and versions are above all of before. A node of the lost
//! cluster that comes back is refused, and the recovered one goes on. While a majority answers, nothing is recovered.
//! Broken once to see it fail: `everything` in `store/src/raft/recover.rs` without the log behind the image (the node
//! finds no membership, and does not start).

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_proto::v1::claim_reply::Outcome as Claimed;
use remora_proto::v1::save_reply::Outcome as Saved;
use remora_tests::calls::{Calls, session_key};
use remora_tests::process::ending;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// The node that is left.
const LEFT: u64 = 3;

/// The nodes that are gone.
const GONE: [u64; 2] = [1, 2];

const SESSIONS: u64 = 20;

fn save(number: u64, (epoch, base): (u64, u64)) -> v1::SaveRequest {
    let attribute = v1::Attribute {
        name: "n".into(),
        value: number.to_string().into_bytes().into(),
        ..Default::default()
    };
    v1::SaveRequest {
        session: Some(session_key("claims", &format!("s{number}"))),
        epoch,
        base,
        changed: vec![attribute],
        max_idle_seconds: (epoch == 0).then_some(1800),
        ..Default::default()
    }
}

/// Saves every session; gives version and epoch of each.
fn save_all(calls: &mut Calls) -> Result<Vec<v1::Saved>> {
    let saved = |number| match calls.save(&save(number, (0, 0)))?.outcome {
        Some(Saved::Saved(saved)) => Ok(saved),
        other => bail!("s{number}: {other:?}"),
    };
    (0..SESSIONS).map(saved).collect()
}

/// The one address of the node that is left.
fn recover(world: &World, more: &[&str]) -> Result<(bool, String)> {
    let port = world.stores.node(LEFT).context("it is a node")?.ports.client;
    let address = remora_tests::stores::loopback(port).to_string();
    let mut command = std::process::Command::new(remora_tests::place::program("remora")?);
    command.args(["--store", &address, "recover", "--force-new-cluster"]);
    let output = command.args(more).output().context("run remora")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.success(), said))
}

/// All that was saved is there, and nothing that is known of it from before passes.
fn is_kept(world: &World, saved: &[v1::Saved]) -> Outcome {
    let highest = saved.iter().map(|saved| saved.version).max().unwrap_or(0);
    let port = world.stores.node(LEFT).context("it is a node")?.ports.client;
    let address = remora_tests::stores::loopback(port);
    let (mut before, mut after) = (Calls::new(&[address], 7)?, Calls::new(&[address], 8)?);
    for (number, saved) in (0..).zip(saved) {
        let reply = before.save(&save(number, (saved.epoch, saved.version)))?.outcome;
        ensure!(matches!(reply, Some(Saved::Fenced(_))), "s{number}: {reply:?}");
        let key = session_key("claims", &format!("s{number}"));
        let Some(Claimed::Claimed(record)) = after.claim(&key)?.outcome else {
            bail!("s{number} is lost");
        };
        let value = &record.attributes.first().context("it has its attribute")?.value;
        ensure!(*value == number.to_string(), "s{number} holds {value:?}");
        ensure!(record.epoch > highest && record.version > highest, "{record:?}");
    }
    Ok(())
}

#[test]
fn with_all_that_its_disk_holds() -> Outcome {
    World::plan().run(|world| {
        let saved = save_all(&mut world.stores.calls(7)?)?;
        world.stores.wait_caught_up(LEFT)?;
        let cluster = world.stores.status(LEFT)?.cluster;
        let (done, said) = recover(world, &["--yes"])?;
        ensure!(
            !done && said.contains("every voter of this cluster answers"),
            "{said}"
        );
        for id in GONE {
            world.stores.kill(id)?;
        }
        wait_until("what would be given up", SOON, || {
            recover(world, &[]).is_ok_and(|(done, said)| !done && said.contains("repeat with --yes"))
        })?;
        ensure!(world.stores.status(LEFT)?.cluster == cluster, "nothing was done");

        let (done, said) = recover(world, &["--yes"])?;
        ensure!(done, "{said}");
        let now = world.stores.status(LEFT)?;
        ensure!(now.cluster != cluster && now.members.len() == 1, "{now:?}");
        is_kept(world, &saved)?;

        // One of the lost comes back: with the other one it would be the lost cluster again, alone it is nothing.
        world.stores.launch(GONE[0])?;
        wait_until("the node that comes back is told so", SOON, || {
            let told = world.stores.process(GONE[0]).map(|process| process.output());
            told.is_ok_and(|told| told.contains(&format!("to cluster {cluster}")))
        })?;
        let status = world.stores.process(LEFT)?.stop(SOON)?;
        ensure!(status.success(), "it ended with {}", ending(status));
        world.stores.launch(LEFT)?;
        wait_until("it serves again", SOON, || world.stores.is_ready(LEFT))?;
        let again = world.stores.status(LEFT)?;
        ensure!(
            again.cluster == now.cluster && again.sessions == SESSIONS,
            "{again:?}"
        );
        Ok(())
    })
}
