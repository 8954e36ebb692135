//! Threads that accept clients: one single-threaded runtime each, with its own listening sockets and its own
//! connections to the upstreams. What a request shares with those of other threads is the current snapshot (read
//! without waiting), counts (each thread's in cells of its own), and the writer of the access log (which takes many lines at
//! a time). What a connection shares is the room for clients (`room`), when it comes and when it ends.
//!
//! Invariants: a busy address is an error before the first thread starts, although the threads share addresses
//! (SO_REUSEPORT alone would quietly join whoever listens there) · on stop, clients are told, then those that are already
//! in the accept queue are served, then the sockets close, and what is there ends as `ending` says.
//!
//! Left out on purpose: TLS (later), and handing sockets over to a successor process.

mod acceptor;
mod addresses;
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

use remora_process::exit::Failure;
use remora_process::ops::bind_failure;
use socket2::{Domain, Protocol, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use crate::access_log::AccessLog;
use crate::config::{ListenConfig, Networks};
use crate::connections::SWEEP_EVERY;
use crate::deadline::Deadline;
use crate::directory::Directory;
use crate::naming::ProcessName;
use crate::site::Site;
use crate::tally::Thread;
use acceptor::Acceptor;
use clients::Clients;
pub(crate) use clients::Ticket;
pub use ending::Grace;
use ending::Stage;
use room::Room;

/// Clients that may wait in the kernel for an accept, per thread and address: what a second of overload brings.
const ACCEPT_QUEUE: i32 = 1024;
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
