//! Replicas that apply the same entries never diverge, wherever a snapshot falls, and what the table counts is so.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::registry::announces;
use super::stage::restored;
use crate::{
    Attribute, Command, Epoch, Formats, HEARS_ITS_END, Killed, Label, LeaverKey, Limit, ListFilter,
    ListStart, LocalAttribute, Login, Outcome, OverLimit, Proposal, RegistryView, RemoveReason, RequestId,
    Save, Session, SessionKey, SessionTable, Stamp, Tidings, Touched, Version, Wish,
};

/// Commands of each seed.
const COMMANDS: u64 = 2_000;

/// Seeds tried; each is a different bad day.
const SEEDS: u64 = 20;

/// A linear congruential generator (Knuth's MMIX constants): the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn key(number: u64) -> SessionKey {
    let mut key = [0; 16];
    key[15] = u8::try_from(number).unwrap();
    SessionKey {
        application: "shop".into(),
        key,
    }
}

/// A command whose epochs and versions are near what the table holds, so that all rules are met.
fn command(dice: &mut Dice, table: &SessionTable) -> Command {
    let session = key(dice.below(8));
    let known = table.reader().get(&session);
    let epoch = match dice.below(4) {
        0 => Epoch(0),
        1 => known
            .as_ref()
            .map_or(Epoch(dice.below(50)), |session| session.previous_epoch),
        _ => known.as_ref().map_or(Epoch(0), |session| session.epoch),
    };
    let version = known
        .as_ref()
        .map_or(table.reader().version(), |session| session.version);
    let base = Version(version.0.saturating_sub(dice.below(4)));
    let created_version = known
        .as_ref()
        .map_or(Version(1), |session| session.created_version);
    match dice.below(13) {
        0..6 => Command::Save(save(dice, session, epoch, base)),
        6 => Command::Claim { session },
        7 => Command::Rename {
            session,
            new_key: key(dice.below(8)).key,
            epoch,
        },
        8 => {
            let reason = if dice.below(2) == 0 {
                RemoveReason::Logout
            } else {
                RemoveReason::Expiry
            };
            Command::Remove {
                session,
                created_version,
                epoch,
                reason,
            }
        }
        9 => Command::Release { session, epoch },
        10 => Command::Touch {
            sessions: vec![Touched {
                session,
                epoch,
                last_access_ms: dice.below(1_000),
            }],
        },
        11 => about_registry(dice, table),
        _ if dice.below(3) == 0 => Command::Kill {
            sessions: vec![Killed {
                session,
                created_version,
            }],
        },
        _ if dice.below(2) == 0 => bury(dice, table, session),
        _ => Command::Sweep {
            limit: 3,
            leavers_bytes_max: 1 + dice.below(3_000),
        },
    }
}

/// What servers and operators ask of the registry, of few names, so that all rules are met.
fn about_registry(dice: &mut Dice, table: &SessionTable) -> Command {
    let one_of =
        |dice: &mut Dice, words: [&str; 3]| words[usize::try_from(dice.below(3)).unwrap()].to_owned();
    match dice.below(5) {
        0 => Command::Announce(announces(&one_of(dice, ["http://h", "http://i", "http://j"]))),
        1 => Command::Retire,
        2 => Command::RetireNode {
            node: one_of(dice, ["n1", "n2", "n9"]).into(),
            instance: (dice.below(2) == 0).then(|| 1 + dice.below(3)),
        },
        _ => Command::Wish {
            wish: Wish {
                of: one_of(dice, ["route n1", "route n2", "pool shop"]).into(),
                said: one_of(dice, ["", "drain", "weight"]).into(),
                who: "ada".into(),
                at_ms: dice.below(2),
                version: Version(0),
            },
            base: (dice.below(2) == 0).then(|| table.reader().registry_version()),
        },
    }
}

/// Buries what waits, or something that may have been buried before.
fn bury(dice: &mut Dice, table: &SessionTable, session: SessionKey) -> Command {
    let after = LeaverKey {
        session,
        created_version: Version(dice.below(2_000)),
    };
    let waiting = table.reader().leavers_behind(Some(&after), 1).pop();
    Command::Bury(waiting.map_or(after, |(leaver, _)| leaver))
}

fn save(dice: &mut Dice, session: SessionKey, epoch: Epoch, base: Version) -> Save {
    let name = ["cart", "user", "note"][usize::try_from(dice.below(3)).unwrap()];
    let removes = dice.below(4) == 0;
    let turned = if name == "cart" { "note" } else { "cart" };
    let value = Bytes::from(vec![b'x'; usize::try_from(dice.below(20)).unwrap()]);
    let attribute = Attribute {
        name: name.into(),
        version: Version(0),
        type_tag: if dice.below(3) == 0 { HEARS_ITS_END } else { 1 },
        value,
    };
    let login = Login {
        principal: if dice.below(2) == 0 { "ada" } else { "" }.into(),
        ..Login::default()
    };
    Save {
        session,
        epoch,
        base,
        changed: if removes { Vec::new() } else { vec![attribute] },
        removed: if removes { vec![name.into()] } else { Vec::new() },
        local: (dice.below(6) == 0).then(|| local(turned)).into_iter().collect(),
        login: (dice.below(5) == 0).then_some(login),
        labels: (dice.below(5) == 0).then(|| vec![label(name)]),
        max_idle_seconds: (dice.below(3) == 0).then_some(20),
        late: dice.below(2) == 0,
        limit: limit(dice),
        created_ms: 0,
        last_access_ms: 0,
    }
}

fn local(name: &str) -> LocalAttribute {
    LocalAttribute {
        name: name.into(),
        class: "Socket".into(),
    }
}

fn label(value: &str) -> Label {
    Label {
        name: "principal".into(),
        value: value.into(),
    }
}

fn limit(dice: &mut Dice) -> Option<Limit> {
    let then = [OverLimit::Refuse, OverLimit::End][usize::try_from(dice.below(2)).unwrap()];
    let label = ["principal", "oidc.sid"][usize::try_from(dice.below(8) / 7).unwrap()].into();
    let sessions = 1 + u32::try_from(dice.below(3)).unwrap();
    (dice.below(2) == 0).then_some(Limit {
        label,
        sessions,
        then,
    })
}

fn bytes_of(table: &SessionTable) -> Vec<u8> {
    table.image().into_chunks().flatten().collect()
}

/// What one of three Tomcats asks.
fn proposal(dice: &mut Dice, serial: u64, table: &SessionTable) -> Proposal {
    let instance = 1 + dice.below(3);
    Proposal {
        request_id: Some(RequestId { instance, serial }),
        node: format!("n{instance}").into(),
        command: command(dice, table),
    }
}

#[test]
fn replicas_agree_wherever_a_snapshot_falls() {
    let mut buried = 0;
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let (mut leader, mut follower) = (SessionTable::new(), SessionTable::new());
        let mut stamp = 0;
        let mut last: Option<Proposal> = None;
        let mut firsts = BTreeMap::new();
        for serial in 1..=COMMANDS {
            stamp += dice.below(3_000);
            let repeated = last.take().filter(|_| dice.below(10) == 0);
            let proposal = repeated.unwrap_or_else(|| proposal(&mut dice, serial, &leader));
            let (mut here, mut there) = (Tidings::default(), Tidings::default());
            leader.begin_entry(Stamp(stamp));
            follower.begin_entry(Stamp(stamp));
            let brings = brings_its_label(&proposal, &leader);
            let view = leader.reader().registry();
            let told = leader.apply(&proposal, &mut here);
            assert_eq!(
                told,
                follower.apply(&proposal, &mut there),
                "seed {seed}, {proposal:?}"
            );
            assert_eq!(here, there, "seed {seed}, {proposal:?}");
            check_outcome(&proposal, &told, &leader);
            check_burial(&proposal, &told, &mut firsts);
            check_limit(&proposal, &told, &leader, brings);
            check_view(&view, &leader.reader().registry(), &proposal);
            last = Some(proposal);
            if dice.below(50) == 0 {
                follower = restored(&follower).unwrap();
            }
        }
        buried += firsts.len();
        assert_eq!(bytes_of(&leader), bytes_of(&follower), "seed {seed}");
        check_counters(&leader, seed);
        check_labels(&leader, seed);
        check_labels(&follower, seed);
    }
    assert!(buried > 0, "nobody was ever the first");
}

/// Of all who bury a leaver, one is the first.
fn check_burial(proposal: &Proposal, outcome: &Outcome, firsts: &mut BTreeMap<LeaverKey, RequestId>) {
    if let (Command::Bury(leaver), Outcome::Buried { first: true }) = (&proposal.command, outcome) {
        let id = proposal.request_id.unwrap();
        assert_eq!(*firsts.entry(leaver.clone()).or_insert(id), id, "{leaver:?}");
    }
}

/// What a view says beside versions.
fn content(view: &RegistryView) -> impl PartialEq + use<> {
    let mut servers = view.servers.clone();
    let mut wishes = view.wishes.clone();
    servers
        .iter_mut()
        .for_each(|entry| Arc::make_mut(entry).version = Version(0));
    wishes
        .iter_mut()
        .for_each(|wish| Arc::make_mut(wish).version = Version(0));
    let retired: Vec<_> = view.retired.iter().map(|mark| mark.server.clone()).collect();
    (servers, wishes, retired)
}

/// A view that differs is a later one, and none says of anybody that it stands and that it was taken out.
fn check_view(before: &RegistryView, after: &RegistryView, proposal: &Proposal) {
    let risen = before.version < after.version;
    assert!(before == after || risen, "{proposal:?}");
    assert!(
        !risen || content(before) != content(after),
        "for nothing: {proposal:?}"
    );
    for mark in &after.retired {
        assert!(mark.version <= after.version, "{after:?}");
        let mut standing = after.servers.iter();
        assert!(!standing.any(|entry| entry.server == mark.server), "{after:?}");
    }
}

/// What a caller may rely on after each answer.
fn check_outcome(proposal: &Proposal, outcome: &Outcome, table: &SessionTable) {
    let (Command::Save(save), Outcome::Saved(saved)) = (&proposal.command, outcome) else {
        return;
    };
    let session = table.reader().get(&save.session);
    // A repeat, or a save through a key that was given up, may be answered from a record that went on.
    if let Some(session) = session.filter(|session| session.version == saved.version) {
        assert_eq!(session.epoch, saved.epoch);
        for attribute in &save.changed {
            assert_eq!(session.attribute(&attribute.name).unwrap().version, saved.version);
        }
        for local in &save.local {
            assert!(session.attribute(&local.name).is_none() && session.local.contains(local));
        }
    }
}

/// However sessions came to their labels, they are found by them, and none else is.
fn check_labels(table: &SessionTable, seed: u64) {
    let reader = table.reader();
    let list = |filter: &ListFilter| reader.list(filter, &ListStart::default(), usize::MAX);
    let all = list(&ListFilter::default()).sessions;
    for value in ["cart", "user", "note"] {
        let labels = vec![label(value)];
        let walked = all.iter().filter(|(_, session)| session.labels[..] == labels[..]);
        let walked: Vec<_> = walked.map(|(key, _)| key).collect();
        let filter = ListFilter {
            labels: labels.clone(),
            ..ListFilter::default()
        };
        let found = list(&filter);
        let found: Vec<_> = found.sessions.iter().map(|(key, _)| key).collect();
        assert_eq!(found, walked, "seed {seed}, {value}");
    }
}

/// Whether a save is about a session that does not carry the label yet for which it names a limit. What a repeat asks was
/// decided before.
fn brings_its_label(proposal: &Proposal, table: &SessionTable) -> bool {
    let Command::Save(save) = &proposal.command else {
        return false;
    };
    let current = table.reader().standing(&save.session);
    let known = |session: &Session| {
        let seen = session.last_change.map(|change| change.id);
        let late = session.late_change.as_ref().map(|late| late.id);
        [seen, late].contains(&proposal.request_id)
    };
    let carries = |session: &Session| {
        save.labels
            .iter()
            .flatten()
            .any(|label| session.labels.contains(label))
    };
    current.is_none_or(|session| !known(&session) && !carries(&session))
}

/// No save that named a limit and was let through leaves more sessions with its label than that.
fn check_limit(proposal: &Proposal, outcome: &Outcome, table: &SessionTable, brought: bool) {
    let (Command::Save(save), Outcome::Saved(_)) = (&proposal.command, outcome) else {
        return;
    };
    let (Some(limit), Some(labels)) = (save.limit.as_ref().filter(|_| brought), &save.labels) else {
        return;
    };
    let filter = ListFilter {
        labels: labels
            .iter()
            .filter(|label| label.name == limit.label)
            .cloned()
            .collect(),
        ..ListFilter::default()
    };
    let carriers = table.reader().list(&filter, &ListStart::default(), usize::MAX);
    assert!(
        filter.labels.is_empty() || carriers.matching <= limit.sessions.into(),
        "{proposal:?}"
    );
}

fn check_counters(table: &SessionTable, seed: u64) {
    let reader = table.reader();
    let sessions = reader
        .list(&ListFilter::default(), &ListStart::default(), usize::MAX)
        .sessions;
    assert!(sessions.len() as u64 <= reader.sessions(), "seed {seed}");
    let fresh = restored(table).unwrap().reader();
    assert_eq!(
        (fresh.sessions(), fresh.remains(), fresh.bytes()),
        (reader.sessions(), reader.remains(), reader.bytes()),
        "seed {seed}"
    );
    assert_eq!(
        (fresh.leavers(), fresh.leaver_bytes()),
        (reader.leavers(), reader.leaver_bytes()),
        "seed {seed}"
    );
    assert_eq!(fresh.next_deadline(), reader.next_deadline(), "seed {seed}");
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    let mut dice = Dice(7);
    let mut table = SessionTable::new();
    for serial in 1..200 {
        let command = command(&mut dice, &table);
        let request_id = Some(RequestId { instance: 1, serial });
        table.apply(
            &Proposal {
                request_id,
                node: "n1".into(),
                command,
            },
            &mut Tidings::default(),
        );
    }
    let whole = bytes_of(&table);
    for _ in 0..5_000 {
        let mut damaged = whole.clone();
        let at = usize::try_from(dice.below(whole.len() as u64)).unwrap();
        damaged[at] ^= u8::try_from(1 + dice.below(255)).unwrap();
        damaged.truncate(whole.len() - usize::try_from(dice.below(3)).unwrap());
        let mut decoder = crate::ImageDecoder::new(Formats::OURS);
        // Either is fine: an image that differs in a value, or an error. A panic fails the test.
        let _ = decoder.push(&damaged).and_then(|()| decoder.finish().map(drop));
    }
}

#[test]
fn an_image_that_announces_more_than_it_holds_is_never_whole() {
    const SLOTS_AT: usize = 1 + 4 * 8;
    const SERVERS_AT: usize = SLOTS_AT + 2 * 8;
    let mut header = bytes_of(&SessionTable::new());
    header[SLOTS_AT..SLOTS_AT + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    header[SERVERS_AT..SERVERS_AT + 8].copy_from_slice(&1_u64.to_le_bytes());
    let mut decoder = crate::ImageDecoder::new(Formats::OURS);
    decoder.push(&header).unwrap();
    assert!(decoder.finish().is_err());
}

#[test]
fn what_is_ready_has_one_form() {
    let header = bytes_of(&SessionTable::new());
    let ready_at = header.len() - 9;
    for (format, since) in [(0, 1), (1, 0), (1, 1)] {
        let mut header = header.clone();
        header[ready_at] = format;
        header[ready_at + 1] = since;
        let mut decoder = crate::ImageDecoder::new(Formats::OURS);
        assert!(decoder.push(&header).is_err(), "format {format} since {since}");
    }
}
