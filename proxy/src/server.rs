//! Threads that accept clients: one single-threaded runtime each, with its own listening sockets and its own
//! connections to the upstreams. What a request shares with those of other threads is the current snapshot (read
//! without waiting), counts (each thread's in cells of its own), and the writer of the access log (which takes many lines at
//! a time). What a connection shares is the room for clients (`room`), when it comes and when it ends.
//!
//! Invariants: a busy address is an error before the first thread starts, although the threads share addresses
//! (SO_REUSEPORT alone would quietly join whoever listens there) · on stop, clients are told, then those that are already
//! in the accept queue are served, then the sockets close, and what is there ends as `ending` says · where a listener names balancers, nobody else is served there.
//!
//! Left out on purpose: TLS (later), and handing sockets over to a successor process.

mod clients;
mod ending;
mod preamble;
mod room;
mod seldom;
mod slots;

use std::io;
use std::net::{SocketAddr, TcpListener as Socket};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use remora_policy::{Peer, Scheme};
use remora_process::exit::Failure;
use remora_process::ops::bind_failure;
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use crate::access_log::AccessLog;
use crate::config::{ListenConfig, Networks};
use crate::connections::SWEEP_EVERY;
use crate::conversation::converse;
use crate::deadline::Deadline;
use crate::directory::Directory;
use crate::exchange::Visitor;
use crate::metrics::REFUSED_CONNECTIONS;
use crate::naming::ProcessName;
use crate::site::Site;
use crate::tally::Thread;
use clients::Clients;
pub(crate) use clients::Ticket;
pub use ending::Grace;
use ending::Stage;
use room::{ClientPlace, Room};

/// Clients that may wait in the kernel for an accept, per thread and address: what a second of overload brings.
const ACCEPT_QUEUE: i32 = 1024;
/// Pause after an accept failed for want of sockets: long enough to let some close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Pause between two ticks of a thread. 100 ms: a person who watches the log must not notice.
const TICK: Duration = Duration::from_millis(100);

/// Bound addresses, not yet served.
pub struct Server {
    /// One set of sockets per thread.
    sockets: Vec<Vec<Listening>>,
}

/// One bound address, for one thread.
struct Listening {
    socket: Socket,
    /// Where connections begin with a PROXY header: whose.
    balancers: Option<Networks>,
}

/// The threads at work.
pub struct Workers {
    stage: watch::Sender<Stage>,
    ended: mpsc::Receiver<()>,
    accepting: Arc<AtomicUsize>,
    threads: usize,
}

impl Server {
    /// Binds every address for each of `threads` threads.
    ///
    /// # Errors
    /// A sentence that says which address could not be bound, and why.
    pub fn bind(listeners: &[ListenConfig], threads: usize) -> Result<Self, Failure> {
        let mut sockets: Vec<Vec<Listening>> = (0..threads).map(|_| Vec::new()).collect();
        for listener in listeners {
            let address = listener.address;
            let failure = |error: io::Error| bind_failure(address, "listen address", &error);
            drop(listen(address, false).map_err(failure)?);
            for sockets in &mut sockets {
                sockets.push(Listening {
                    socket: listen(address, true).map_err(failure)?,
                    balancers: listener.proxy_protocol.clone(),
                });
            }
        }
        Ok(Self { sockets })
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system refused a thread or a runtime.
    pub fn start(self, directory: &Directory, log: &AccessLog) -> io::Result<Workers> {
        let threads = self.sockets.len();
        let room = Room::new(threads);
        let (stage, staged) = watch::channel(Stage::Serving);
        let (ended_here, ended) = mpsc::channel(threads);
        let accepting = Arc::new(AtomicUsize::new(0));
        let name = ProcessName::draw();
        for (index, sockets) in self.sockets.into_iter().enumerate() {
            let worker = Worker {
                thread: Thread(index),
                sockets,
                room: Arc::clone(&room),
                directory: directory.clone(),
                log: log.clone(),
                name,
                stage: staged.clone(),
                accepting: Arc::clone(&accepting),
            };
            let ended = ended_here.clone();
            thread::Builder::new()
                .name(format!("proxy-{index}"))
                .spawn(move || {
                    if let Err(error) = worker.run() {
                        tracing::error!(%error, "a proxy thread could not work");
                    }
                    // Nobody listens any more only when the whole process is about to end.
                    let _nobody_waits = ended.blocking_send(());
                })?;
        }
        Ok(Workers {
            stage,
            ended,
            accepting,
            threads,
        })
    }
}

impl Workers {
    /// Whether all threads accept clients, and none is told to close, for the readiness page.
    pub fn accepting(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (accepting, threads) = (Arc::clone(&self.accepting), self.threads);
        let stage = self.stage.subscribe();
        move || accepting.load(Ordering::Acquire) == threads && !stage.borrow().is_announced()
    }

    /// Completes when a thread has ended, which it does unasked only by a fault of the program.
    pub async fn one_ended(&mut self) {
        self.ended.recv().await;
    }

    /// Ends in steps: tells clients, stops accepting, lets what is there end, and waits for all threads. Whoever is still there
    /// when `cut` completes is cut at once.
    pub async fn stop(mut self, grace: Grace, cut: impl Future<Output = ()>) {
        let Self { stage, ended, .. } = &mut self;
        stage.send_replace(Stage::Announcing);
        let in_steps = async {
            tokio::time::sleep(grace.announce).await;
            stage.send_replace(Stage::Ending(grace));
            while ended.recv().await.is_some() {}
        };
        tokio::select! {
            () = in_steps => return,
            () = cut => {}
        }
        self.stage.send_replace(Stage::Cut);
        while self.ended.recv().await.is_some() {}
    }
}

/// What one thread works with.
struct Worker {
    thread: Thread,
    sockets: Vec<Listening>,
    /// The room that all threads share.
    room: Arc<Room>,
    directory: Directory,
    log: AccessLog,
    name: ProcessName,
    stage: watch::Receiver<Stage>,
    accepting: Arc<AtomicUsize>,
}

impl Worker {
    fn run(self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        runtime.block_on(self.work())
    }

    async fn work(mut self) -> io::Result<()> {
        let directory = self.directory.clone();
        let site = Rc::new(Site::new(self.thread, directory, &self.log, self.name));
        let clients = Rc::new(Clients::new(self.room.clone(), self.thread, self.stage.clone()));
        let keeper = Rc::clone(&clients);
        let keeping = spawn_local(async move { keeper.keep().await });
        let ticking = spawn_local(tick(Rc::clone(&site)));
        let mut accepting = Vec::new();
        for listening in std::mem::take(&mut self.sockets) {
            let acceptor = Acceptor {
                listener: TcpListener::from_std(listening.socket)?,
                balancers: listening.balancers,
                site: Rc::clone(&site),
                clients: Rc::clone(&clients),
                stage: self.stage.clone(),
            };
            accepting.push(spawn_local(acceptor.run()));
        }
        self.accepting.fetch_add(1, Ordering::AcqRel);
        let mut stage = self.stage.clone();
        tokio::select! {
            () = in_steps(&mut self.stage, accepting, &clients) => {}
            // Without whoever says what to do there is nothing to be done.
            _ = stage.wait_for(|stage| *stage == Stage::Cut) => {}
        }
        keeping.abort();
        ticking.abort();
        Ok(())
    }
}

/// Follows what the process does, until nobody is left.
async fn in_steps(stage: &mut watch::Receiver<Stage>, accepting: Vec<JoinHandle<()>>, clients: &Clients) {
    if stage.wait_for(Stage::is_announced).await.is_ok() {
        clients.stop();
    }
    let closed = stage.wait_for(Stage::is_closed).await.map(|stage| *stage);
    for task in accepting {
        // A task that panicked has been reported by the panic itself.
        let _reported = task.await;
    }
    if let Ok(Stage::Ending(grace)) = closed {
        ending::end(clients, grace).await;
    }
}

/// Accepts clients on one socket.
struct Acceptor {
    listener: TcpListener,
    balancers: Option<Networks>,
    site: Rc<Site>,
    clients: Rc<Clients>,
    stage: watch::Receiver<Stage>,
}

impl Acceptor {
    async fn run(self) {
        let mut stage = self.stage.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stage.wait_for(Stage::is_closed) => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    // Clients that never leave must not hold up a stop: then who waits is served like who is in the queue.
                    let place = tokio::select! {
                        biased;
                        _ = stage.wait_for(Stage::is_closed) => self.clients.squeeze_in(),
                        place = self.clients.place(|| self.most()) => place,
                    };
                    self.welcome(stream, client, place);
                }
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.welcome_queued();
    }

    /// How many clients there may be at a time.
    fn most(&self) -> usize {
        self.site.current().snapshot.limits.connections
    }

    /// Takes over who is in the accept queue, room or not. Asks the kernel itself: tokio may not have been told of them
    /// yet. Takes no more than the queue holds, so that a rush of new clients cannot hold up the stop.
    fn welcome_queued(self) {
        let Self {
            listener,
            balancers,
            site,
            clients,
            stage,
        } = self;
        let Ok(socket) = listener.into_std() else { return };
        let Ok(listener) = socket.try_clone().and_then(TcpListener::from_std) else {
            return;
        };
        let acceptor = Self {
            listener,
            balancers,
            site,
            clients,
            stage,
        };
        for _ in 0..ACCEPT_QUEUE {
            let Ok((stream, client)) = socket.accept() else {
                break;
            };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                acceptor.welcome(stream, client, acceptor.clients.squeeze_in());
            }
        }
    }

    fn welcome(&self, stream: TcpStream, client: SocketAddr, place: ClientPlace) {
        let limits = self.site.current().snapshot.limits;
        // Without these the connection works all the same: later packets, or a dead client noticed later.
        let _later_packets = stream.set_nodelay(true);
        let _noticed_later = SockRef::from(&stream).set_tcp_user_timeout(Some(limits.idle));
        let announces = self.balancers.as_ref().map(|known| known.include(client.ip()));
        if announces == Some(false) {
            refuse(client, "not from a balancer that listen.proxy_protocol names");
            return;
        }
        let (site, ticket) = (Rc::clone(&self.site), self.clients.enter(place));
        spawn_local(async move {
            ticket.here().await;
            serve(stream, (client, announces.is_some()), site, ticket).await;
        });
    }
}

/// Serves a connection until it ends or is cut; a balancer's begins with whom it `announces`.
async fn serve(
    mut stream: TcpStream,
    (client, announces): (SocketAddr, bool),
    site: Rc<Site>,
    ticket: Ticket,
) {
    let mut address = client.ip();
    if announces {
        match preamble::read(&mut stream).await {
            Ok(announced) => address = announced.unwrap_or(address),
            Err(why) => return refuse(client, why),
        }
    }
    let scheme = Scheme::Http;
    let peer = Peer { address, scheme };
    let visitor = Visitor { site, peer, ticket };
    visitor.ticket.until_cut(converse(stream, &visitor)).await;
}

/// A connection ends before a request is read from it.
fn refuse(client: SocketAddr, why: &'static str) {
    metrics::counter!(REFUSED_CONNECTIONS, "reason" => why).increment(1);
    tracing::debug!(%client, why, "a connection was refused");
}

/// Hands over what was logged and closes idle upstream connections, in time, for ever.
async fn tick(site: Rc<Site>) {
    let mut sweep = Deadline::within(SWEEP_EVERY);
    loop {
        tokio::time::sleep(TICK).await;
        site.log.flush();
        if sweep.has_passed() {
            let limits = site.current().snapshot.limits;
            site.connections.sweep(limits.upstream_idle);
            sweep = Deadline::within(SWEEP_EVERY);
        }
    }
}

/// A listening socket; `shared` ones let other threads listen at the same address.
fn listen(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier process that linger in the kernel do not count as somebody who listens.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
