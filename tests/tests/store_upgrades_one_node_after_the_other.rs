//! Promise 1, through an upgrade: nodes of two releases serve side by side, and nobody writes what another cannot read.
//!
//! Shown: three nodes of this release; one after the other is stopped and started as a later release that understands
//! one more format, with saves before, between and after. While one node is of the older release, an operator who wants
//! the new format is told which node it waits for, the older node applies everything, and a node that was upgraded can be
//! put back. When the last has come, the format rises at an operator's word, and from then on the older release is
//! refused with a sentence: over the data directory that it left, and as a new disk that wants in.
//! Broken once to see it fail, in `store/table/src/formats.rs`: `lacking` finding nobody and the least that members
//! understand taken for the most (the format rises while node 3 waits); `Formats::hold` true for whatever lies on one side
//! of the range (the older release starts over the later one's directory).

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::process::ending;
use remora_tests::wait::wait_until;
use remora_tests::{Outcome, World};

/// A graceful stop hands over and flushes; it needs no election timeout.
const STOP: Duration = Duration::from_secs(15);

/// How long a refused node may take to say so and end.
const REFUSED: Duration = Duration::from_secs(20);

/// The format that only the later release understands.
const NEXT: u8 = 2;

/// Sessions that were saved, and who saved them.
struct Saves {
    calls: Calls,
    saved: usize,
}

impl Saves {
    fn more(&mut self, count: usize) -> Outcome {
        for number in self.saved..self.saved + count {
            let request = v1::SaveRequest {
                session: Some(session_key("claims", &format!("s{number}"))),
                changed: vec![v1::Attribute {
                    name: "cart".into(),
                    value: format!("value {number}").into_bytes().into(),
                    ..Default::default()
                }],
                max_idle_seconds: Some(1800),
                ..Default::default()
            };
            match self.calls.save(&request)?.outcome {
                Some(v1::save_reply::Outcome::Saved(_)) => self.saved += 1,
                other => bail!("s{number}: {other:?}"),
            }
        }
        Ok(())
    }

    fn are_all_there(&mut self) -> Outcome {
        for number in 0..self.saved {
            let reply = self.calls.claim(&session_key("claims", &format!("s{number}")))?;
            let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
                bail!("s{number} is lost: {reply:?}")
            };
            let attribute = record.attributes.first().context("it has its attribute")?;
            ensure!(
                attribute.value == format!("value {number}"),
                "s{number}: {attribute:?}"
            );
        }
        Ok(())
    }
}

/// Stops a node as an operator does and starts it as another release.
fn replace(world: &mut World, id: u64, newest: Option<u8>) -> Outcome {
    let status = world.stores.process(id)?.stop(STOP)?;
    ensure!(status.success(), "store {id} ended with {}", ending(status));
    world.stores.release(id, newest)?;
    world.stores.launch(id)?;
    world.stores.wait_caught_up(id)?;
    Ok(())
}

/// What `remora nodes upgrade` says.
fn upgrade(world: &mut World) -> Result<serde_json::Value> {
    let told = world.operator(&["-o", "json", "nodes", "upgrade"])?;
    Ok(serde_json::from_str(&told)?)
}

/// How a node of this release ends that is started over what a later one left.
fn refusal(world: &mut World, id: u64) -> Result<String> {
    world.stores.release(id, None)?;
    world.stores.launch(id)?;
    let process = world.stores.process(id)?;
    let status = process.wait_for_end(REFUSED)?;
    ensure!(!status.success(), "store {id} ended well");
    Ok(process.tail())
}

#[test]
fn nodes_of_two_releases_serve_and_the_last_one_opens_the_door() -> Outcome {
    World::plan().run(|world| {
        let mut saves = Saves {
            calls: world.stores.calls(7)?,
            saved: 0,
        };
        saves.more(20)?;
        for id in [1, 2] {
            replace(world, id, Some(NEXT))?;
            saves.more(20)?;
        }
        let refused = world
            .operator(&["nodes", "upgrade", "--now"])
            .err()
            .context("nobody waits")?;
        ensure!(
            refused.to_string().contains("node 3 understands format 1"),
            "{refused}"
        );
        ensure!(
            upgrade(world)?["format"]["writes"] == 1,
            "somebody raised the format"
        );

        // The new release has to go once more.
        replace(world, 2, None)?;
        saves.more(20)?;
        replace(world, 2, Some(NEXT))?;

        replace(world, 3, Some(NEXT))?;
        ensure!(
            upgrade(world)?["format"]["all_understand"] == NEXT,
            "the last one is not heard"
        );
        saves.more(20)?;
        world.operator(&["nodes", "upgrade", "--now"])?;
        ensure!(
            upgrade(world)?["format"]["writes"] == NEXT,
            "the format did not rise"
        );
        saves.more(20)?;
        saves.are_all_there()
    })
}

#[test]
fn an_older_release_is_refused_after_the_rise() -> Outcome {
    World::plan().run(|world| {
        for id in world.stores.ids() {
            replace(world, id, Some(NEXT))?;
        }
        world.operator(&["nodes", "upgrade", "--now"])?;
        let mut saves = Saves {
            calls: world.stores.calls(7)?,
            saved: 0,
        };
        saves.more(20)?;
        let sentence = "writes format 2, and this program";

        let identity = world.stores.node(3).context("three nodes")?.data.join("identity");
        let recorded = || std::fs::read_to_string(&identity).is_ok_and(|text| text.contains("format 2"));
        wait_until("the rise is recorded on node 3", STOP, recorded)?;
        world.stores.process(3)?.stop(STOP)?;
        let told = refusal(world, 3)?;
        ensure!(told.contains(sentence), "over its own directory:\n{told}");

        // As a new disk, under the same id: the cluster would have to add it.
        std::fs::remove_dir_all(identity.parent().context("a file lies in a directory")?)?;
        let told = refusal(world, 3)?;
        ensure!(told.contains(sentence), "as a new disk:\n{told}");

        world.stores.kill(3)?;
        saves.more(20)?;
        saves.are_all_there()
    })
}
