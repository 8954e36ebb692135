//! What stands in the books of what goes on without whoever asked: a kill, and a Tomcat that is taken out of the registry; on a real
//! node. Negative control, run: with the call in the place of a task of its own (`rpc/books.rs`), the first test waits in vain for its
//! line, and the second finds that the call broke off.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::common::{Manager, creation, hello, single, soon, until};
use remora_proto::v1;
use remora_proto::v1::request::Ask;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What stands in the books of all nodes of this process.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes the lines of the books, and no others.
struct Books;

impl Subscriber for Books {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "audit"
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

/// Lines about the sessions of one owner.
fn lines_of(owner: &str) -> Vec<String> {
    books(&format!("owner {owner}\""))
}

/// Lines that hold a text.
pub(crate) fn books(about: &str) -> Vec<String> {
    static OPEN: OnceLock<()> = OnceLock::new();
    OPEN.get_or_init(|| tracing::subscriber::set_global_default(Books).unwrap());
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines
        .iter()
        .filter(|line| line.contains(about))
        .cloned()
        .collect()
}

fn all_of(owner: &str) -> v1::KillSessionsRequest {
    v1::KillSessionsRequest {
        filter: Some(v1::SessionFilter {
            owner: owner.to_owned(),
            ..v1::SessionFilter::default()
        }),
        all: false,
    }
}

#[tokio::test]
async fn a_kill_that_nobody_waits_for_any_more_ends_and_stands_in_the_books() {
    assert!(lines_of("n77").is_empty());
    let (node, _directory) = single().await;
    let mut manager = Manager::open(&node, hello(77)).await.unwrap();
    let create = |serial: u8| (u64::from(serial), Ask::Save(creation(serial, "cart", "apple")));
    manager.send((1..=3).map(create).collect()).await;
    manager.replies(3).await;
    manager.probe(2).await;
    let mut admin = node.admin().await;
    let asked = tokio::spawn(async move { admin.kill_sessions(all_of("n77")).await });
    // Told that they are gone, and silent: the answer waits until it trusts its copies no more.
    assert!(!manager.next().await.pushes.is_empty());
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    until("the kill stands in the books", async || {
        !lines_of("n77").is_empty()
    })
    .await;
    let lines = lines_of("n77");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("audit: done") && lines[0].contains("ended 3 sessions"),
        "{lines:?}"
    );

    // Whoever waits for it finds it there once, not by the gate too.
    let mut admin = node.admin().await;
    let mut ask = Request::new(all_of("n77"));
    ask.metadata_mut().insert("remora-for", "grace".parse().unwrap());
    let answered = admin.kill_sessions(ask).await.unwrap();
    assert_eq!(answered.into_inner().killed, 0);
    let lines = lines_of("n77");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[1].contains("ended 0 sessions") && lines[1].contains("for grace, as anybody says"),
        "{lines:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_tomcat_is_taken_out_and_stands_in_the_books_though_nobody_waits_for_it_any_more() {
    let instance = 0x7e1_u64;
    let (node, _directory) = single().await;
    assert!(books("instance 00000000000007e1").is_empty());
    // Follows, and never says so: the answer waits a second for it.
    let (says, said) = mpsc::channel(1);
    let first = v1::FollowRequest {
        proxy: "p1".to_owned(),
        followed: 0,
    };
    says.send(first).await.unwrap();
    let followed = node.registry().await.follow(ReceiverStream::new(said)).await;
    let mut told = followed.unwrap().into_inner();
    soon("a view", told.message()).await.unwrap().unwrap();
    let mut manager = Manager::open(&node, hello(instance)).await.unwrap();
    let mut registry = node.registry().await;
    let mut ask = Request::new(v1::RetireNodeRequest {
        node: "n2017".to_owned(),
        instance,
    });
    ask.metadata_mut().insert("remora-for", "grace".parse().unwrap());
    let asked = tokio::spawn(async move { registry.retire_node(ask).await });
    // It hears of it as soon as it is so, and whoever asked hears nothing yet.
    manager.end().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    until("it stands in the books", async || {
        !books("instance 00000000000007e1").is_empty()
    })
    .await;
    let lines = books("instance 00000000000007e1");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("audit: done") && lines[0].contains("for grace, as anybody says"),
        "{lines:?}"
    );
    drop(says);
    node.stop().await;
}
