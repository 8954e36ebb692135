//! The life of a request without a transport: a node of one, its desk, and who visits it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use remora_proto::v1::refusal::Reason;
use remora_table::{Formats, Limits, Session};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::metrics::{Answers, Streams};
use crate::raft::{DiskPatience, EventSink, Leadership, Settings, SnapshotPolicy, Timers, start};
use crate::rpc::GrpcLinks;
use crate::rpc::convert::Asker;
use crate::rpc::desk::Phase;
use crate::rpc::hub::{Hub, OwnerSaid, Patience, Registration};
use crate::rpc::outbox::Outbox;
use crate::runtime;

/// Long enough that no answer goes because of it while a test runs.
const PATIENCE: Patience = Patience {
    trust: Duration::from_secs(600),
    handover: Duration::from_secs(1_200),
};

const LIMITS: Limits = Limits {
    session_bytes_max: 1 << 20,
    attributes_max: 100,
    sessions_max: 1_000,
    table_bytes_max: 1 << 30,
};

pub(in crate::rpc) struct Store {
    pub(in crate::rpc) desk: Arc<Desk>,
    phase: watch::Sender<Phase>,
    _directory: TempDir,
}

impl Store {
    pub(in crate::rpc) async fn of_one() -> Store {
        let hub = Arc::new(Hub::new(PATIENCE, Streams::new()));
        let directory = TempDir::new().unwrap();
        let began = runtime::now();
        let settings = Settings {
            node: 1,
            cluster: BTreeMap::new(),
            join: Vec::new(),
            peer_address: "127.0.0.1:1".to_owned(),
            client_address: "127.0.0.1:1".to_owned(),
            data_dir: directory.path().join("1"),
            await_restore: false,
            understands: Formats::OURS,
            timers: Timers::default(),
            patience: DiskPatience::default(),
            snapshots: SnapshotPolicy::default(),
            links: Arc::new(GrpcLinks::default()),
            clock: Clock::driven(move || began),
            events: Arc::clone(&hub) as Arc<dyn EventSink>,
            leavers_bytes_max: Arc::new(|| u64::MAX),
            starting: watch::Sender::default(),
        };
        let raft = start(settings).await.unwrap();
        raft.leadership().wait_for(Leadership::leads).await.unwrap();
        let (phase, phase_seen) = watch::channel(Phase::Serving);
        let desk = Desk {
            node: 1,
            raft,
            hub,
            limits: watch::Sender::new(LIMITS).subscribe(),
            phase: phase_seen,
            answers: Answers::new(),
        };
        Store {
            desk: Arc::new(desk),
            phase,
            _directory: directory,
        }
    }

    /// Waits until the proposer has answered all that it was given.
    async fn answered(&self) {
        while self.desk.raft.status().proposals_waiting > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// A session of instance 1, which has a stream and acknowledges nothing by itself.
    pub(in crate::rpc) async fn owned(&self, session: u8) -> Owned {
        let saved = Visit::alone(&self.desk, save(1, session)).await;
        let created = match saved {
            Answer::Save(v1::SaveReply {
                outcome: Some(v1::save_reply::Outcome::Saved(saved)),
            }) => saved.created_version,
            other => panic!("{other:?}"),
        };
        Owned {
            created,
            stream: self.stream(1),
        }
    }

    /// A stream of an instance, which acknowledges nothing by itself.
    fn stream(&self, instance: u64) -> Stream {
        let outbox = Arc::new(Outbox::default());
        Stream {
            registration: self.desk.hub.register(instance, None, true, Arc::clone(&outbox)),
            outbox,
        }
    }

    /// The record of a session as it stands.
    fn record(&self, session: u8) -> Arc<Session> {
        let key = SessionKey {
            application: Arc::from("localhost/shop"),
            key: [session; 16],
        };
        self.desk.raft.table().get(&key).unwrap()
    }
}

pub(in crate::rpc) struct Owned {
    pub(in crate::rpc) created: u64,
    stream: Stream,
}

struct Stream {
    registration: Registration,
    outbox: Arc<Outbox>,
}

impl Stream {
    /// Acknowledges what was told last.
    fn acknowledge(&self) {
        let push = self.outbox.take().pushes.pop_back().unwrap();
        self.registration.heard(OwnerSaid {
            acknowledged: &[push.id],
            ..OwnerSaid::default()
        });
    }
}

pub(in crate::rpc) fn key(session: u8) -> Option<v1::SessionKey> {
    Some(v1::SessionKey {
        application: "localhost/shop".to_owned(),
        key: Bytes::from(vec![session; 16]),
    })
}

fn asked(instance: u64, serial: u64, ask: v1::request::Ask) -> Asked {
    let ask = Some(ask);
    convert::asked(&Asker::new(instance, "n1").unwrap(), v1::Request { serial, ask })
}

fn save(instance: u64, session: u8) -> Asked {
    let save = v1::SaveRequest {
        session: key(session),
        max_idle_seconds: Some(1_800),
        ..v1::SaveRequest::default()
    };
    asked(instance, u64::from(session), v1::request::Ask::Save(save))
}

pub(in crate::rpc) fn claim(instance: u64, session: u8) -> Asked {
    let claim = v1::ClaimRequest {
        session: key(session),
        ..v1::ClaimRequest::default()
    };
    asked(instance, u64::from(session), v1::request::Ask::Claim(claim))
}

pub(in crate::rpc) fn logout(instance: u64, session: u8, created: u64) -> Asked {
    let remove = v1::RemoveRequest {
        session: key(session),
        created_version: created,
        reason: v1::remove_request::Reason::Logout.into(),
        ..v1::RemoveRequest::default()
    };
    asked(instance, u64::from(session), v1::request::Ask::Remove(remove))
}

pub(in crate::rpc) async fn answer(visit: &mut Visit) -> Answer {
    while visit.due.is_empty() {
        let advanced = tokio::time::timeout(Duration::from_secs(20), visit.advance()).await;
        advanced.expect("no answer came");
    }
    visit.due.pop_front().and_then(|reply| reply.answer).unwrap()
}

#[tokio::test]
async fn an_answer_alone_or_of_many_waits_for_the_previous_owner() {
    let store = Store::of_one().await;
    for (session, logs_out) in [(1, false), (2, true)] {
        let owned = store.owned(session).await;
        let take = |session, created| match logs_out {
            true => logout(2, session, created),
            false => claim(2, session),
        };
        let mut lone = pin!(Visit::alone(&store.desk, take(session, owned.created)));
        assert!((&mut lone).now_or_never().is_none());
        store.answered().await;
        let early = (&mut lone).now_or_never();
        assert_eq!(early, None, "the previous owner has not acknowledged");
        owned.stream.acknowledge();
        let taken = tokio::time::timeout(Duration::from_secs(20), lone).await;
        let taken = taken.expect("no answer came");
        assert!(matches!(taken, Answer::Claim(_) | Answer::Remove(_)), "{taken:?}");

        let session = session + 10;
        let owned = store.owned(session).await;
        let mut visit = Visit::new(Arc::clone(&store.desk));
        visit.begin(std::iter::once(take(session, owned.created)));
        store.answered().await;
        visit.collect();
        assert!(visit.due.is_empty(), "the previous owner has not acknowledged");
        owned.stream.acknowledge();
        let taken = answer(&mut visit).await;
        assert!(matches!(taken, Answer::Claim(_) | Answer::Remove(_)), "{taken:?}");
    }
}

/// A login that ends the oldest of two sessions of one user.
fn login(instance: u64, session: u8) -> Asked {
    let principal = v1::Label {
        name: "principal".to_owned(),
        value: "ada".to_owned(),
    };
    let save = v1::SaveRequest {
        session: key(session),
        max_idle_seconds: Some(1_800),
        labels: Some(v1::Labels {
            labels: vec![principal],
        }),
        limit: Some(v1::Limit {
            label: "principal".to_owned(),
            sessions: 2,
            then: v1::limit::Then::End.into(),
        }),
        ..v1::SaveRequest::default()
    };
    asked(instance, u64::from(session), v1::request::Ask::Save(save))
}

/// With the visit not asking what ended, the third login was answered while the first session could still be shown.
#[tokio::test]
async fn a_login_that_ends_others_waits_for_their_owners_and_so_does_its_repeat() {
    let store = Store::of_one().await;
    let others = store.stream(1);
    for session in [1, 2] {
        let alone = Visit::alone(&store.desk, login(1, session)).await;
        assert!(matches!(alone, Answer::Save(_)), "{alone:?}: within the limit");
    }
    let mut lone = pin!(Visit::alone(&store.desk, login(2, 3)));
    assert!((&mut lone).now_or_never().is_none());
    store.answered().await;
    let early = (&mut lone).now_or_never();
    assert_eq!(early, None, "the owner of what ended has not acknowledged");
    others.acknowledge();
    let taken = tokio::time::timeout(Duration::from_secs(20), lone).await;
    let taken = taken.expect("no answer came");
    assert!(matches!(taken, Answer::Save(_)), "{taken:?}");

    let mut repeat = pin!(Visit::alone(&store.desk, login(2, 3)));
    assert!((&mut repeat).now_or_never().is_none());
    store.answered().await;
    let early = (&mut repeat).now_or_never();
    assert_eq!(early, None, "nobody remembers what it ended");
}

#[tokio::test]
async fn a_logout_by_the_owner_waits_for_nobody() {
    let store = Store::of_one().await;
    let owned = store.owned(1).await;
    let mut lone = pin!(Visit::alone(&store.desk, logout(1, 1, owned.created)));
    assert!((&mut lone).now_or_never().is_none());
    store.answered().await;
    assert!((&mut lone).now_or_never().is_some());
}

#[tokio::test]
async fn a_claim_tells_the_record_as_it_stands_when_it_is_answered() {
    let store = Store::of_one().await;
    let owned = store.owned(1).await;
    let mut visit = Visit::new(Arc::clone(&store.desk));
    visit.begin(std::iter::once(claim(2, 1)));
    store.answered().await;
    let claimed = store.record(1);

    let change = v1::SaveRequest {
        session: key(1),
        epoch: claimed.epoch.0,
        base: claimed.version.0,
        ..v1::SaveRequest::default()
    };
    let changed = Visit::alone(&store.desk, asked(2, 2, v1::request::Ask::Save(change))).await;
    assert!(matches!(changed, Answer::Save(_)), "{changed:?}");
    let changed = store.record(1);
    assert!(changed.version > claimed.version);
    owned.stream.acknowledge();
    match answer(&mut visit).await {
        Answer::Claim(v1::ClaimReply {
            outcome: Some(v1::claim_reply::Outcome::Claimed(told)),
        }) => assert_eq!((told.version, told.epoch), (changed.version.0, claimed.epoch.0)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_claim_that_was_superseded_before_its_answer_is_stale() {
    let store = Store::of_one().await;
    let owned = store.owned(1).await;
    let mut visit = Visit::new(Arc::clone(&store.desk));
    visit.begin(std::iter::once(claim(2, 1)));
    store.answered().await;
    let superseded = store.stream(2);
    visit.begin(std::iter::once(claim(3, 1)));
    store.answered().await;
    superseded.acknowledge();
    owned.stream.acknowledge();
    let told = [answer(&mut visit).await, answer(&mut visit).await];
    let outcomes = told.map(|told| match told {
        Answer::Claim(v1::ClaimReply { outcome }) => outcome.unwrap(),
        other => panic!("{other:?}"),
    });
    let stale = |outcome: &v1::claim_reply::Outcome| matches!(outcome, v1::claim_reply::Outcome::Stale(_));
    assert_eq!(
        outcomes.iter().filter(|outcome| stale(outcome)).count(),
        1,
        "{outcomes:?}"
    );
    let claimed = outcomes.iter().find_map(|outcome| match outcome {
        v1::claim_reply::Outcome::Claimed(record) => record.owner.clone(),
        _ => None,
    });
    assert_eq!(claimed.map(|owner| owner.instance), Some(3));
}

#[tokio::test]
async fn an_answer_that_may_be_the_repeat_of_what_another_leader_decided_waits() {
    let store = Store::of_one().await;
    let wait = |version| Wait {
        session: SessionKey {
            application: Arc::from("localhost/shop"),
            key: [1; 16],
        },
        asks: 2,
        version,
    };
    let saved = Visit::alone(&store.desk, save(1, 1)).await;
    assert!(matches!(saved, Answer::Save(_)), "{saved:?}");
    let now = store.record(1).version;
    // Nothing was given a version before this node was elected.
    assert!(
        store.desk.hub.due(wait(Version(0))).is_some(),
        "nobody told of the election"
    );
    assert!(store.desk.hub.due(wait(now)).is_none(), "decided here");
}

#[tokio::test]
async fn the_end_answers_everything_once_and_tells_apart_what_may_have_happened() {
    let store = Store::of_one().await;
    let mut visit = Visit::new(Arc::clone(&store.desk));
    // A claim of a key without a record is a read.
    visit.begin(vec![save(1, 1), claim(1, 2)].into_iter());
    visit.end(&status::refusal(Reason::Overloaded, "because"));
    let ended: Vec<_> = visit.due.drain(..).collect();
    assert!(
        matches!(
            ended.as_slice(),
            [
                v1::Reply { serial: 1, answer: Some(Answer::Unknown(_)) },
                v1::Reply { serial: 2, answer: Some(Answer::Refusal(refusal)) },
            ] if refusal.message == "because"
        ),
        "{ended:?}"
    );
    store.answered().await;
    visit.collect();
    assert_eq!((visit.in_flight(), visit.due.len()), (0, 0), "answered twice");
}

#[tokio::test]
async fn a_lone_request_does_not_outlive_consensus() {
    let store = Store::of_one().await;
    let mut lone = pin!(Visit::alone(&store.desk, save(1, 1)));
    // Nothing else runs on this runtime until the test waits: the proposer has not seen it yet.
    assert!((&mut lone).now_or_never().is_none());
    store.phase.send_replace(Phase::Closed);
    let answer = (&mut lone).now_or_never();
    assert!(matches!(answer, Some(Answer::Unknown(_))), "{answer:?}");
    let late = Visit::alone(&store.desk, save(1, 2)).await;
    assert!(
        matches!(&late, Answer::Refusal(refusal) if refusal.reason() == Reason::Stopping),
        "{late:?}"
    );
}
