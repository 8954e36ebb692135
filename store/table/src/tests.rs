//! The table's rules as golden scripts, and replicas that must not diverge.
//!
//! A script in `scripts/` is a story: commands, a line `---`, and what the table answered. After a wanted change of a
//! rule, `UPDATE_GOLDENFILES=1 cargo test -p remora-table scripts` writes the answers anew, to be read before they are
//! committed. Every answer passes through [`stage::Stage`], which is the notation's only place. That book and scripts name
//! each other is held by [`rules`].

mod bounds;
mod fuzz;
mod leavers;
mod random;
mod registry;
mod rules;
mod show;
mod stage;
mod words;

use std::path::{Path, PathBuf};

use super::{
    Command, Epoch, Outcome, Proposal, RemoveReason, Save, SessionKey, SessionTable, Stamp, Tidings, Version,
};
use stage::Stage;

/// What one entry moves table time by at most, in milliseconds.
const ENTRY_MS: u64 = 10_000;

#[expect(clippy::disallowed_methods, reason = "the scripts are files beside the crate")]
fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    scripts.sort();
    scripts
}

#[test]
fn scripts_tell_the_rules() {
    let scripts = scripts();
    assert!(scripts.len() > 10, "the scripts are gone");
    for script in scripts {
        let told = goldenscript::run(&mut Stage::new(), &script);
        told.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    }
}

fn session() -> SessionKey {
    SessionKey {
        application: "shop".into(),
        key: [7; 16],
    }
}

/// The save that creates a session with this idle limit.
fn create(session: SessionKey, max_idle_seconds: i32) -> Command {
    Command::Save(saves(session, max_idle_seconds))
}

/// A save of nothing but this idle limit, by whoever owns nothing.
fn saves(session: SessionKey, max_idle_seconds: i32) -> Save {
    Save {
        session,
        epoch: Epoch(0),
        base: Version(0),
        changed: Vec::new(),
        removed: Vec::new(),
        local: Vec::new(),
        login: None,
        labels: None,
        max_idle_seconds: Some(max_idle_seconds),
        late: false,
        limit: None,
        created_ms: 0,
        last_access_ms: 0,
    }
}

/// A sweep of at most so many that leaves leavers all the room they want.
fn sweep(limit: u32) -> Command {
    Command::Sweep {
        limit,
        leavers_bytes_max: u64::MAX,
    }
}

/// What the store itself, which no request names, is answered.
fn ask(table: &mut SessionTable, command: Command) -> Outcome {
    let proposal = Proposal {
        request_id: None,
        node: "n1".into(),
        command,
    };
    table.apply(&proposal, &mut Tidings::default())
}

/// The entries of ten seconds each until a sweep takes away the tombstone of a session with this idle limit.
fn tombstone_lives_entries(max_idle_seconds: i32) -> u64 {
    let session = session();
    let save = create(session.clone(), max_idle_seconds);
    let remove = Command::Remove {
        session,
        created_version: Version(1),
        epoch: Epoch(0),
        reason: RemoveReason::Logout,
    };
    let mut table = SessionTable::new();
    ask(&mut table, save);
    let removed = ask(&mut table, remove);
    assert_eq!(
        removed,
        Outcome::Removed {
            tombstone: Version(2)
        }
    );
    let swept = |entry: &u64| {
        table.begin_entry(Stamp(entry * ENTRY_MS));
        ask(&mut table, sweep(1)) == Outcome::Swept { removed: 1 }
    };
    (1..).find(swept).unwrap()
}

/// With rule 12 asking only whether the base is above the record's version, the save was applied.
#[test]
fn a_base_of_an_older_generation_conflicts_and_is_told_the_whole_record() {
    let mut table = SessionTable::new();
    ask(&mut table, create(session(), 60));
    // As a restore leaves it: the record is of before, and what is done to it from now on is not.
    table.version = Version(1 << 48);
    let claimed = ask(&mut table, Command::Claim { session: session() });
    let Outcome::Claimed(record) = claimed else {
        panic!("{claimed:?}")
    };
    let mut save = |base| {
        let save = Save {
            epoch: record.epoch,
            base,
            ..saves(session(), 30)
        };
        ask(&mut table, Command::Save(save))
    };
    let before = save(Version(5));
    let Outcome::Conflict { version, merged } = before else {
        panic!("{before:?}")
    };
    assert_eq!(version, record.version);
    assert_eq!((merged.removals, merged.max_idle_seconds), (true, Some(60)));
    assert!(matches!(save(record.version), Outcome::Saved(_)));
}

#[test]
fn a_tombstone_lives_for_the_idle_limit_within_an_hour_and_a_day() {
    let hour = 3_600_000 / ENTRY_MS;
    assert_eq!(tombstone_lives_entries(60), hour + 1);
    assert_eq!(tombstone_lives_entries(7_200), 2 * hour + 1);
    assert_eq!(tombstone_lives_entries(7 * 24 * 3_600), 24 * hour + 1);
    assert_eq!(tombstone_lives_entries(0), 24 * hour + 1);
}
