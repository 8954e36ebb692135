//! Promise 1, durable before spoken: a restart of one store node, or of all, keeps every acknowledged save, the
//! ownership and the tombstones.
//!
//! Shown: sessions are saved, one is logged out; then all nodes stop (once by SIGKILL, once by SIGTERM) and start
//! again from their disks. Values, versions and epochs are as before, the removed session is still refused, and the
//! cluster goes on counting versions above the old ones.
//! Broken once to see it fail: commands replayed from the log in `store/src/raft` taken for blank ones (s0 is then
//! lost).

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::process::ending;
use remora_tests::{Outcome, World};

/// A graceful stop hands over and flushes; it needs no election timeout.
const STOP: Duration = Duration::from_secs(15);

const SESSIONS: usize = 200;

fn create(calls: &mut Calls, id: &str, value: &str) -> Result<v1::Saved> {
    let attribute = v1::Attribute {
        name: "cart".into(),
        value: value.to_owned().into_bytes().into(),
        ..Default::default()
    };
    let login = v1::Login {
        principal: "ada".into(),
        roles: vec!["customer".into()],
        auth_type: "FORM".into(),
    };
    let request = v1::SaveRequest {
        session: Some(session_key("claims", id)),
        changed: vec![attribute],
        login: Some(login),
        max_idle_seconds: Some(1800),
        ..Default::default()
    };
    match calls.save(&request)?.outcome {
        Some(v1::save_reply::Outcome::Saved(saved)) => Ok(saved),
        other => bail!("create {id}: {other:?}"),
    }
}

fn everything_is_kept(stop_all: impl FnOnce(&mut World) -> Outcome) -> Outcome {
    World::plan().run(|world| {
        let mut calls = world.stores.calls(7)?;
        let mut saved = Vec::new();
        for number in 0..SESSIONS {
            saved.push(create(
                &mut calls,
                &format!("s{number}"),
                &format!("value {number}"),
            )?);
        }
        let gone = create(&mut calls, "gone", "x")?;
        calls.remove(&session_key("claims", "gone"), gone.created_version)?;

        stop_all(world)?;
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        world.stores.wait_ready()?;

        check(world, &saved)
    })
}

fn check(world: &World, saved: &[v1::Saved]) -> Outcome {
    let mut reader = world.stores.calls(8)?;
    let highest = saved
        .iter()
        .map(|saved| saved.version)
        .max()
        .context("there were saves")?;
    for (number, saved) in saved.iter().enumerate() {
        let reply = reader.claim(&session_key("claims", &format!("s{number}")))?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("s{number} is lost: {reply:?}")
        };
        let attribute = record.attributes.first().context("it has its attribute")?;
        assert_eq!(attribute.value, format!("value {number}"));
        assert_eq!(attribute.version, saved.version);
        assert_eq!(record.created_version, saved.created_version);
        assert_eq!(
            record.login.as_ref().map(|login| login.principal.as_str()),
            Some("ada")
        );
        ensure!(
            record.epoch > highest,
            "a claim after the restart begins an epoch above all that was: {record:?}"
        );
    }
    let reply = reader.claim(&session_key("claims", "gone"))?;
    ensure!(
        matches!(&reply.outcome, Some(v1::claim_reply::Outcome::Gone(gone)) if gone.tombstone > 0),
        "the removed session left a tombstone that survives: {reply:?}"
    );
    Ok(())
}

#[test]
fn after_sigkill_of_all_nodes() -> Outcome {
    everything_is_kept(|world| {
        for id in world.stores.ids() {
            world.stores.kill(id)?;
        }
        Ok(())
    })
}

#[test]
fn after_a_graceful_stop_of_all_nodes() -> Outcome {
    everything_is_kept(|world| {
        for id in world.stores.ids() {
            let status = world.stores.process(id)?.stop(STOP)?;
            ensure!(status.success(), "store {id} ended with {}", ending(status));
        }
        Ok(())
    })
}

#[test]
fn rolling_restart_loses_nothing_and_serves_on() -> Outcome {
    World::plan().run(|world| {
        let mut calls = world.stores.calls(7)?;
        let mut saved = Vec::new();
        for id in world.stores.ids() {
            for _ in 0..20 {
                let number = saved.len();
                saved.push(create(
                    &mut calls,
                    &format!("s{number}"),
                    &format!("value {number}"),
                )?);
            }
            let status = world.stores.process(id)?.stop(STOP)?;
            ensure!(status.success(), "store {id} ended with {}", ending(status));
            let number = saved.len();
            saved.push(create(
                &mut calls,
                &format!("s{number}"),
                &format!("value {number}"),
            )?);
            world.stores.launch(id)?;
            world.stores.wait_caught_up(id)?;
        }
        let gone = create(&mut calls, "gone", "x")?;
        calls.remove(&session_key("claims", "gone"), gone.created_version)?;
        check(world, &saved)
    })
}
