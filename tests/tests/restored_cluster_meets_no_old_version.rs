//! Promise 3, over the loss of a whole cluster: what was saved before a backup is there again, and nothing that a Tomcat still
//! knows of the lost cluster passes for something that the restored one gave out.
//!
//! Shown: writers save while a backup is taken, and go on; then all nodes and their disks are gone. A cluster of three, and one
//! of one, is restored from the file, with every save that was acknowledged before the backup began. Every version and epoch
//! that it gives out is above all that were seen before. Each writer goes on as if nothing had happened, also as one that is
//! late: fenced; with the new epoch and its old base: a conflict. A session that was logged out stays out. A node of the lost
//! cluster that comes back ends, and says so, and the restored cluster goes on. A file that was cut or damaged is refused, and
//! nothing has happened then.
//! Broken once to see it fail: `Session::begin_anew` in `store/table/src/types.rs` without a new epoch (a writer
//! that goes on is taken for the owner, and meets a conflict by its base alone).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_proto::v1::claim_reply::Outcome as Claimed;
use remora_proto::v1::save_reply::Outcome as Saved;
use remora_tests::calls::{Calls, session_key};
use remora_tests::stores::Stores;
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// In flight at every moment.
const WRITERS: u64 = 4;

/// The node that awaits the backup: any may, so not the one that forms a cluster otherwise.
const AWAITS: u64 = 2;

/// The node of which the disk is found again later.
const FOUND_AGAIN: u64 = 3;

/// What a writer was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    value: u64,
    epoch: u64,
    version: u64,
}

/// Writers that save without a pause, and what each was told last.
struct Writers {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<BTreeMap<u64, Told>>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

fn key(writer: u64) -> v1::SessionKey {
    session_key("claims", &format!("writer-{writer}"))
}

/// The save with which a writer goes on.
fn next(writer: u64, told: Told) -> v1::SaveRequest {
    let attribute = v1::Attribute {
        name: "n".into(),
        value: (told.value + 1).to_string().into_bytes().into(),
        ..Default::default()
    };
    v1::SaveRequest {
        session: Some(key(writer)),
        epoch: told.epoch,
        base: told.version,
        changed: vec![attribute],
        max_idle_seconds: (told.epoch == 0).then_some(1800),
        ..Default::default()
    }
}

impl Writers {
    fn start(stores: &Stores) -> Result<Self> {
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut threads = Vec::new();
        for writer in 1..=WRITERS {
            let (mut calls, stop, told) = (stores.calls(writer)?, Arc::clone(&stop), Arc::clone(&told));
            threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    go_on(&mut calls, writer, &told)?;
                }
                Ok(())
            }));
        }
        Ok(Self { stop, told, threads })
    }

    fn told(&self) -> BTreeMap<u64, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until each has begun and ended a save since this was called; gives what all were told.
    fn wait_for_each(&self) -> Result<BTreeMap<u64, Told>> {
        let value = |told: &BTreeMap<u64, Told>, writer| told.get(&writer).map_or(0, |told| told.value);
        let before = self.told();
        wait_until("two saves of every writer", SOON, || {
            let now = self.told();
            let ended = self.threads.iter().any(JoinHandle::is_finished);
            ended || (1..=WRITERS).all(|writer| value(&now, writer) >= value(&before, writer) + 2)
        })?;
        Ok(self.told())
    }

    fn finish(self) -> Result<BTreeMap<u64, Told>> {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        Ok(self.told.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn go_on(calls: &mut Calls, writer: u64, told: &Mutex<BTreeMap<u64, Told>>) -> Result<()> {
    let all = || told.lock().unwrap_or_else(PoisonError::into_inner);
    let last = all().get(&writer).copied().unwrap_or_default();
    match calls.save(&next(writer, last))?.outcome {
        Some(Saved::Saved(saved)) => {
            let now = Told {
                value: last.value + 1,
                epoch: saved.epoch,
                version: saved.version,
            };
            all().insert(writer, now);
            Ok(())
        }
        other => bail!("writer {writer}: {other:?}"),
    }
}

/// What is known of the lost cluster.
struct Lost {
    backup: PathBuf,
    /// What each writer was told before the backup began, and at the end.
    before: BTreeMap<u64, Told>,
    end: BTreeMap<u64, Told>,
    /// A session that was logged out before the backup.
    logged_out: Told,
    cluster: String,
}

/// The directory in which a node's disk is found again.
fn found(data: &Path) -> PathBuf {
    data.with_extension("found")
}

/// Saves, takes a backup under the writers, saves more, and loses all nodes with their disks but for a copy of one.
fn lose_everything(world: &mut World) -> Result<Lost> {
    let mut calls = world.stores.calls(99)?;
    let logged_out = match calls.save(&next(99, Told::default()))?.outcome {
        Some(Saved::Saved(saved)) => Told {
            value: 1,
            epoch: saved.epoch,
            version: saved.version,
        },
        other => bail!("{other:?}"),
    };
    calls.remove(&key(99), logged_out.version)?;
    let writers = Writers::start(&world.stores)?;
    let before = writers.wait_for_each()?;
    let backup = world.directory().join("sessions.backup");
    let said = world.operator(&["-o", "json", "backup", &backup.to_string_lossy()])?;
    ensure!(said.contains("\"sessions\""), "it says what it holds: {said}");
    writers.wait_for_each()?;
    let end = writers.finish()?;
    let ids = world.stores.ids();
    let cluster = world.stores.status(1)?.cluster;
    for id in ids {
        world.stores.kill(id)?;
        let data = world.stores.node(id).context("it is a node")?.data.clone();
        if id == FOUND_AGAIN {
            fs::rename(&data, found(&data))?;
        } else {
            fs::remove_dir_all(&data)?;
        }
    }
    Ok(Lost {
        backup,
        before,
        end,
        logged_out,
        cluster,
    })
}

/// Starts all nodes with new disks, one of which awaits the backup, and restores it.
fn restore(world: &mut World, lost: &Lost, awaits: u64) -> Outcome {
    world.stores.more_flags(awaits, &["--await-restore"])?;
    for id in world.stores.ids() {
        world.stores.launch(id)?;
    }
    wait_until("the node that waits for the backup", SOON, || {
        let status = world.stores.status(awaits);
        status.is_ok_and(|status| status.role == "awaiting restore")
    })?;
    refuses_what_is_not_whole(world, lost)?;
    let file = lost.backup.to_string_lossy().into_owned();
    wait_until("the restore", SOON, || {
        let restored = world.operator(&["restore", &file]);
        // Until all others have answered it says for whom it waits.
        restored.is_ok_and(|said| said.contains("backup of cluster"))
    })?;
    world.stores.wait_ready()?;
    let cluster = world.stores.status(awaits)?.cluster;
    ensure!(cluster != lost.cluster, "it is another cluster");
    Ok(())
}

/// A file that was cut, or of which a byte changed, begins nothing.
fn refuses_what_is_not_whole(world: &mut World, lost: &Lost) -> Outcome {
    let whole = fs::read(&lost.backup)?;
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    for (what, bytes) in [("cut", &whole[..middle]), ("changed", &changed[..])] {
        let file = world.directory().join(what);
        fs::write(&file, bytes)?;
        let file = file.to_string_lossy().into_owned();
        wait_until(&format!("the refusal of a {what} file"), SOON, || {
            let refused = world.operator(&["restore", &file]);
            refused.is_err_and(|error| error.to_string().contains("the backup cannot be restored"))
        })?;
    }
    Ok(())
}

/// What was acknowledged before the backup is there, and nothing of the lost cluster is met again.
fn goes_on_in_another_generation(world: &World, lost: &Lost) -> Outcome {
    let told = lost.end.values();
    let highest = told.map(|told| told.version.max(told.epoch)).max().unwrap_or(0);
    for (writer, before) in &lost.before {
        let end = lost.end.get(writer).copied().unwrap_or_default();
        let mut calls = world.stores.calls(*writer)?;
        for late in [false, true] {
            let save = v1::SaveRequest {
                late,
                ..next(*writer, end)
            };
            let reply = calls.save(&save)?.outcome;
            ensure!(
                matches!(reply, Some(Saved::Fenced(_))),
                "writer {writer} goes on, late {late}: {reply:?}"
            );
        }
        let Some(Claimed::Claimed(record)) = calls.claim(&key(*writer))?.outcome else {
            bail!("the session of writer {writer} is lost");
        };
        let value = record.attributes.first().context("it has its attribute")?;
        let value: u64 = String::from_utf8_lossy(&value.value).parse()?;
        ensure!(
            (before.value..=end.value).contains(&value),
            "writer {writer} was told {} before the backup and {} at the end, and finds {value}",
            before.value,
            end.value
        );
        ensure!(
            record.epoch > highest && record.version > highest,
            "nothing above {highest}: {record:?}"
        );
        let old_base = Told {
            epoch: record.epoch,
            ..end
        };
        let reply = calls.save(&next(*writer, old_base))?.outcome;
        ensure!(
            matches!(reply, Some(Saved::Conflict(_))),
            "writer {writer} with an old base: {reply:?}"
        );
        let now = Told {
            value,
            epoch: record.epoch,
            version: record.version,
        };
        let reply = calls.save(&next(*writer, now))?.outcome;
        ensure!(
            matches!(&reply, Some(Saved::Saved(saved)) if saved.version > highest),
            "writer {writer} as it should: {reply:?}"
        );
    }
    let mut calls = world.stores.calls(99)?;
    let reply = calls.claim(&key(99))?.outcome;
    ensure!(
        matches!(&reply, Some(Claimed::Gone(gone)) if gone.tombstone > lost.logged_out.version),
        "a session that was logged out stays out: {reply:?}"
    );
    Ok(())
}

#[test]
fn in_a_cluster_of_three() -> Outcome {
    World::plan().run(|world| {
        let lost = lose_everything(world)?;
        restore(world, &lost, AWAITS)?;
        goes_on_in_another_generation(world, &lost)?;

        // A member of the lost cluster, in the place of one of the restored.
        let data = world
            .stores
            .node(FOUND_AGAIN)
            .context("it is a node")?
            .data
            .clone();
        world.stores.kill(FOUND_AGAIN)?;
        fs::rename(&data, data.with_extension("restored"))?;
        fs::rename(found(&data), &data)?;
        world.stores.launch(FOUND_AGAIN)?;
        wait_until("the node of the lost cluster ends", SOON, || {
            let process = world.stores.process(FOUND_AGAIN);
            process.is_ok_and(|process| !process.is_running())
        })?;
        let said = world.stores.process(FOUND_AGAIN)?.output();
        ensure!(
            said.contains(&format!("to cluster {}", lost.cluster)),
            "it says: {said}"
        );

        // Its own disk serves on, and so does what was told to wait for a backup, once it has it.
        fs::remove_dir_all(&data)?;
        fs::rename(data.with_extension("restored"), &data)?;
        world.stores.launch(FOUND_AGAIN)?;
        world.stores.kill(AWAITS)?;
        world.stores.launch(AWAITS)?;
        world.stores.wait_ready()?;
        let mut calls = world.stores.calls(WRITERS + 1)?;
        let reply = calls.claim(&key(1))?.outcome;
        ensure!(matches!(reply, Some(Claimed::Claimed(_))), "{reply:?}");
        Ok(())
    })
}

#[test]
fn in_a_cluster_of_one() -> Outcome {
    World::plan().stores(1).run(|world| {
        let lost = lose_everything(world)?;
        restore(world, &lost, 1)?;
        goes_on_in_another_generation(world, &lost)
    })
}
