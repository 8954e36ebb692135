//! The life of a request without a transport: a node of one, its desk, and who visits it.

use std::collections::BTreeMap;
use std::pin::pin;

use bytes::Bytes;
use remora_proto::v1::refusal::Reason;
use remora_table::{Formats, Limits, Stamp};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::metrics::Answers;
use crate::raft::{Leadership, Settings, SnapshotPolicy, Timers, start};
use crate::rpc::convert::Asker;
use crate::rpc::desk::Phase;
use crate::rpc::hub::EVICTED_WITHIN;
use crate::rpc::outbox::Outbox;
use crate::rpc::{Events, GrpcLinks};

struct Store {
    desk: Arc<Desk>,
    phase: watch::Sender<Phase>,
    _directory: TempDir,
}

impl Store {
    async fn of_one() -> Store {
        let events = Events::new();
        let directory = TempDir::new().unwrap();
        let settings = Settings {
            node: 1,
            cluster: BTreeMap::new(),
            peer_address: "127.0.0.1:1".to_owned(),
            client_address: "127.0.0.1:1".to_owned(),
            data_dir: directory.path().join("1"),
            understands: Formats::OURS,
            timers: Timers::default(),
            snapshots: SnapshotPolicy::default(),
            links: Arc::new(GrpcLinks),
            stamp: Arc::new(|| Stamp(1)),
            events: events.sink(),
        };
        let raft = start(settings).await.unwrap();
        raft.leadership().wait_for(Leadership::leads).await.unwrap();
        let (phase, phase_seen) = watch::channel(Phase::Serving);
        let desk = Desk {
            node: 1,
            raft,
            hub: events.0,
            limits: Limits {
                session_bytes_max: 1 << 20,
                attributes_max: 100,
                sessions_max: 1_000,
                table_bytes_max: 1 << 30,
            },
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

    /// A session of instance 1, which hears of it and acknowledges nothing.
    async fn owned(&self, session: u8) -> (Arc<Outbox>, impl Sized + use<>) {
        let saved = Visit::alone(&self.desk, save(1, session)).await;
        assert!(matches!(saved, Answer::Save(_)), "{saved:?}");
        let outbox = Arc::new(Outbox::default());
        let registration = self.desk.hub.register(1, Arc::clone(&outbox));
        (outbox, registration)
    }
}

fn key(session: u8) -> Option<v1::SessionKey> {
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

fn claim(instance: u64, session: u8) -> Asked {
    let claim = v1::ClaimRequest {
        session: key(session),
        ..v1::ClaimRequest::default()
    };
    asked(instance, u64::from(session), v1::request::Ask::Claim(claim))
}

#[tokio::test]
async fn an_answer_alone_or_of_many_waits_for_the_previous_owner() {
    let store = Store::of_one().await;
    let mut proven = [false; 2];
    for session in 1..=u8::MAX {
        let (outbox, _stream) = store.owned(session).await;
        let alone = session % 2 == 0;
        let began = Instant::now();
        let mut visit = Visit::new(Arc::clone(&store.desk));
        let mut lone = pin!(Visit::alone(&store.desk, claim(2, session)));
        if alone {
            assert!((&mut lone).now_or_never().is_none());
        } else {
            visit.begin(std::iter::once(claim(2, session)));
        }
        store.answered().await;
        let (early, answered) = if alone {
            let early = (&mut lone).now_or_never();
            let push = outbox.take().pushes.pop_front().unwrap();
            store.desk.hub.acknowledged(1, push.id);
            let answered = early.clone();
            (
                early,
                if let Some(answer) = answered {
                    answer
                } else {
                    lone.await
                },
            )
        } else {
            visit.collect();
            let early = visit.due.pop_front().and_then(|reply| reply.answer);
            let push = outbox.take().pushes.pop_front().unwrap();
            store.desk.hub.acknowledged(1, push.id);
            while early.is_none() && visit.due.is_empty() {
                visit.advance().await;
            }
            let late = visit.due.pop_front().and_then(|reply| reply.answer);
            (early.clone(), early.or(late).unwrap())
        };
        assert!(matches!(answered, Answer::Claim(_)), "{answered:?}");
        // On a machine that stood still meanwhile the owner's time was up: that says nothing.
        if began.elapsed() < EVICTED_WITHIN {
            assert_eq!(
                early, None,
                "answered before the previous owner acknowledged, alone: {alone}"
            );
            proven[usize::from(alone)] = true;
        }
        if proven == [true; 2] {
            return;
        }
    }
    panic!("no try was quick enough: {proven:?}");
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
