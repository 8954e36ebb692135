//! Checks against real sockets: what each behaviour of an upstream is taken for, and how soon.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;

use remora_policy::Belief;
use remora_process::config::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::config::Config;
use crate::tally::{Counters, Thread};

/// How long a test waits for what it expects: several times what is promised, because the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(10);

/// What an upstream does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Answers(u16),
    /// Until it has other manners; then it answers.
    Waits,
    IsSilent,
    HangsUp,
    TalksNonsense,
}

/// An upstream whose manners can be changed, and what it was asked.
struct Stub {
    address: String,
    manner: Rc<Cell<Manner>>,
    connections: Rc<Cell<u32>>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Stub {
    async fn start(manner: Manner) -> (Stub, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Stub {
            address: listener.local_addr().unwrap().to_string(),
            manner: Rc::new(Cell::new(manner)),
            connections: Rc::default(),
            asked: Rc::default(),
        };
        let (manner, connections, asked) =
            (stub.manner.clone(), stub.connections.clone(), stub.asked.clone());
        let serving = async move {
            let mut clients = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.set(connections.get() + 1);
                        clients.push(serve(stream, manner.clone(), asked.clone()));
                    }
                    Some(_) = clients.next() => {}
                }
            }
        };
        (stub, serving)
    }

    fn directory(&self, health: &str) -> Directory {
        directory(&self.address, health)
    }
}

async fn serve(
    mut stream: TcpStream,
    manner: Rc<Cell<Manner>>,
    asked: Rc<RefCell<Vec<String>>>,
) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        asked
            .borrow_mut()
            .push(String::from_utf8_lossy(&head).into_owned());
        while manner.get() == Manner::Waits {
            tokio::task::yield_now().await;
        }
        match manner.get() {
            Manner::Answers(status) => {
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
                stream.write_all(answer.as_bytes()).await?;
            }
            Manner::Waits | Manner::IsSilent => std::future::pending().await,
            Manner::HangsUp => return Ok(()),
            Manner::TalksNonsense => stream.write_all(b"\x15\x03\x01 no HTTP at all\r\n\r\n").await?,
        }
    }
}

fn directory(address: &str, health: &str) -> Directory {
    let text = format!(
        "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n[pool.p]\nhealth = {{ {health} }}\n\
         [[pool.p.member]]\nurl = \"http://{address}\"\nroute = \"n1\"\n"
    );
    Directory::of_file(&text)
}

fn upstream(directory: &Directory) -> Upstream {
    directory.current().snapshot.upstreams.pools[0].members[0].clone()
}

fn counted(directory: &Directory) -> Arc<Counters> {
    Arc::clone(directory.current().tally.upstream(upstream(directory).id))
}

/// Lets the prober and the upstream run until the test's own steps are done.
async fn beside<T>(
    directory: &Directory,
    serving: impl Future<Output = ()>,
    steps: impl Future<Output = T>,
) -> T {
    tokio::select! {
        () = run(directory.clone()) => panic!("the prober never ends"),
        () = serving => panic!("the upstream never ends"),
        done = tokio::time::timeout(DEADLINE, steps) => done.expect("in time"),
    }
}

async fn becomes(directory: &Directory, belief: Belief) -> Duration {
    let began = Instant::now();
    let mut changes = directory.changes();
    while upstream(directory).health.belief() != belief {
        changes.changed().await.unwrap();
    }
    began.elapsed()
}

#[tokio::test]
async fn tomcat_is_asked_without_an_application_over_a_connection_that_is_kept() {
    let (stub, serving) = Stub::start(Manner::Answers(200)).await;
    let directory = stub.directory("every = \"100ms\"");
    beside(&directory, serving, async {
        while stub.asked.borrow().len() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(
        stub.asked
            .borrow()
            .iter()
            .all(|head| head.starts_with("OPTIONS * HTTP/1.1\r\n")),
        "{:?}",
        stub.asked
    );
    assert_eq!(stub.connections.get(), 1);
    assert_eq!(upstream(&directory).health.belief(), Belief::Up);
}

#[tokio::test]
async fn a_configured_path_is_asked_with_get_and_judged_by_its_status() {
    let (stub, serving) = Stub::start(Manner::Answers(503)).await;
    let directory = stub.directory("every = \"100ms\", path = \"/healthz\"");
    beside(&directory, serving, async {
        becomes(&directory, Belief::Down).await;
        assert_eq!(
            upstream(&directory).health.reason(),
            "a check was answered with status 503, accepted are 200-399 (health.status)"
        );
        stub.manner.set(Manner::Answers(200));
        becomes(&directory, Belief::Up).await;
        stub.manner.set(Manner::Answers(404));
        becomes(&directory, Belief::Leaving).await;
        assert_eq!(upstream(&directory).health.reason(), "a check's page is gone");
        stub.manner.set(Manner::Answers(302));
        becomes(&directory, Belief::Up).await;
    })
    .await;
    assert!(
        stub.asked
            .borrow()
            .iter()
            .all(|head| head.starts_with("GET /healthz HTTP/1.1\r\n")),
        "{:?}",
        stub.asked
    );
}

#[tokio::test]
async fn a_connect_proves_nothing_and_an_answer_lets_back() {
    let (stub, serving) = Stub::start(Manner::IsSilent).await;
    let directory = stub.directory("every = \"100ms\", timeout = \"100ms\"");
    beside(&directory, serving, async {
        becomes(&directory, Belief::Down).await;
        assert_eq!(
            upstream(&directory).health.reason(),
            "a check was not answered in time"
        );
        let seen = stub.connections.get();
        while stub.connections.get() < seen + 3 {
            tokio::task::yield_now().await;
            assert_eq!(
                upstream(&directory).health.belief(),
                Belief::Down,
                "connects are accepted all the time"
            );
        }
        stub.manner.set(Manner::Answers(200));
        becomes(&directory, Belief::Up).await;
    })
    .await;
}

#[tokio::test]
async fn broken_answers_and_nonsense_mark_an_upstream() {
    for manner in [Manner::HangsUp, Manner::TalksNonsense] {
        let (stub, serving) = Stub::start(manner).await;
        let directory = stub.directory("every = \"100ms\"");
        beside(&directory, serving, becomes(&directory, Belief::Down)).await;
        assert_eq!(
            upstream(&directory).health.reason(),
            "a check's connection failed"
        );
    }
}

#[tokio::test]
async fn nobody_listening_is_seen_at_the_first_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let directory = directory(&address, "every = \"100ms\"");
    beside(
        &directory,
        std::future::pending(),
        becomes(&directory, Belief::Down),
    )
    .await;
    assert_eq!(upstream(&directory).health.reason(), "a check could not connect");
}

#[tokio::test]
async fn a_connect_that_nobody_answers_is_one_strike_and_no_refusal() {
    let full = FullQueue::new();
    let directory = directory(&full.address, "every = \"100ms\", timeout = \"100ms\"");
    beside(&directory, std::future::pending(), async {
        becomes(&directory, Belief::Down).await;
    })
    .await;
    assert_eq!(
        upstream(&directory).health.reason(),
        "a check was not answered in time"
    );
}

/// A listener that accepts nobody and whose queue is full, so that the kernel drops every SYN.
struct FullQueue {
    address: String,
    _listener: socket2::Socket,
    _queued: Vec<socket2::Socket>,
}

impl FullQueue {
    fn new() -> FullQueue {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let connected = client.connect_timeout(&address, Duration::from_millis(200));
            queued.push(client);
            if connected.is_err() {
                break;
            }
        }
        FullQueue {
            address: address.as_socket().unwrap().to_string(),
            _listener: listener,
            _queued: queued,
        }
    }
}

#[tokio::test]
async fn a_frozen_upstream_with_waiting_requests_is_found_in_time_whatever_the_interval() {
    let (stub, serving) = Stub::start(Manner::Answers(200)).await;
    let directory = stub.directory("every = \"60s\"");
    beside(&directory, serving, async {
        stub.manner.set(Manner::IsSilent);
        let counters = counted(&directory);
        let _waiting = counters.of(Thread(0)).wait();
        let took = becomes(&directory, Belief::Down).await;
        assert_eq!(
            upstream(&directory).health.reason(),
            "it accepts but answers nothing"
        );
        assert!(took < Duration::from_millis(1_500), "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn an_idle_upstream_that_pauses_for_a_moment_is_not_marked() {
    let (stub, serving) = Stub::start(Manner::IsSilent).await;
    let directory = stub.directory("every = \"100ms\", timeout = \"100ms\"");
    // An open WebSocket or stream: its answer has begun, and nothing waits.
    let counters = counted(&directory);
    let _streaming = counters.of(Thread(0)).begin();
    beside(&directory, serving, async {
        while stub.asked.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        stub.manner.set(Manner::Answers(200));
        while stub.asked.borrow().len() < 5 {
            tokio::task::yield_now().await;
            assert_ne!(upstream(&directory).health.belief(), Belief::Down);
        }
        assert_eq!(
            stub.connections.get(),
            2,
            "the first check was never answered, the others were, on the next connection"
        );
    })
    .await;
}

#[tokio::test]
async fn a_busy_upstream_that_answers_requests_is_not_called_frozen() {
    let (stub, serving) = Stub::start(Manner::IsSilent).await;
    let directory = stub.directory("every = \"100ms\", timeout = \"100ms\"");
    beside(&directory, serving, async {
        while stub.asked.borrow().len() < 10 {
            counted(&directory).of(Thread(0)).answered(200);
            directory.observe(upstream(&directory).id, &Observation::Answered);
            tokio::task::yield_now().await;
            assert_ne!(upstream(&directory).health.belief(), Belief::Down);
        }
    })
    .await;
}

#[tokio::test]
async fn reloads_are_followed() {
    let (stub, serving) = Stub::start(Manner::Answers(200)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap().to_string();
    drop(listener);
    let directory = directory(&gone, "every = \"100ms\"");
    let text = format!(
        "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n[pool.p.health]\nevery = \"100ms\"\n\
         [[pool.p.member]]\nurl = \"http://{}\"\nroute = \"n2\"\n",
        stub.address
    );
    beside(&directory, serving, async {
        becomes(&directory, Belief::Down).await;
        directory.reload(&Config::read(&Source::from_text("test", &text)).unwrap());
        while stub.asked.borrow().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(upstream(&directory).health.belief(), Belief::Up);
    })
    .await;
}

#[tokio::test]
async fn what_a_check_asks_and_wants_can_be_told() {
    let (stub, serving) = Stub::start(Manner::Answers(401)).await;
    let port = stub.address.rsplit_once(':').unwrap().1;
    let health = format!("path = \"/up\", host = \"shop.test\", port = {port}, status = \"401\"");
    // The member itself is not there: only its connector for checks is.
    let directory = directory("127.0.0.1:1", &health);
    beside(&directory, serving, becomes(&directory, Belief::Up)).await;
    let asked = stub.asked.borrow()[0].clone();
    assert!(
        asked.starts_with("GET /up HTTP/1.1\r\nhost: shop.test\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn an_answer_that_comes_late_counts() {
    let (stub, serving) = Stub::start(Manner::Waits).await;
    let directory = stub.directory("every = \"60s\", timeout = \"100ms\"");
    beside(&directory, serving, async {
        let mut changes = directory.changes();
        while !upstream(&directory).health.is_undecided() {
            changes.changed().await.unwrap();
        }
        stub.manner.set(Manner::Answers(200));
        becomes(&directory, Belief::Up).await;
    })
    .await;
    assert!(stub.connections.get() <= 2, "the first was not given up");
}

#[tokio::test]
async fn doubts_wake_one_check_at_a_time_and_are_settled_by_it() {
    let (stub, serving) = Stub::start(Manner::Answers(200)).await;
    let directory = stub.directory("every = \"60s\"");
    let doubts = Arc::clone(directory.current().tally.doubts(upstream(&directory).id));
    beside(&directory, serving, async {
        becomes(&directory, Belief::Up).await;
        let asked = stub.asked.borrow().len();
        let first = doubts.raise();
        doubts.settled(first).await;
        for _ in 0..100 {
            doubts.raise();
        }
        doubts.settled(doubts.raise()).await;
        assert_eq!(stub.asked.borrow().len(), asked + 2);
    })
    .await;
}

#[tokio::test]
async fn where_nobody_checks_nothing_is_sent() {
    let (stub, serving) = Stub::start(Manner::Answers(200)).await;
    let text = format!(
        "[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n[pool.p]\nhealth = \"off\"\n\
         [[pool.p.member]]\nurl = \"http://{0}\"\nroute = \"n1\"\n[pool.q]\nhealth = {{ path = \"/q\", every = \"100ms\" }}\n\
         [[pool.q.member]]\nurl = \"http://{0}\"\nroute = \"n1\"\n",
        stub.address
    );
    let directory = Directory::of_file(&text);
    beside(&directory, serving, async {
        assert_eq!(
            upstream(&directory).health.belief(),
            Belief::Up,
            "until it is refused"
        );
        while stub.asked.borrow().len() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(stub.asked.borrow().iter().all(|head| head.starts_with("GET /q ")));
}
