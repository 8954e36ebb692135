//! Threads that accept clients: one single-threaded runtime each, with its own listening sockets and its own
//! connections to the upstreams. What a request shares with those of other threads is the current snapshot (read
//! without waiting), counts (each thread's in cells of its own), and the writer of the access log (which takes many lines at
//! a time). What a connection shares is the room for clients (`room`), when it comes and when it ends.
//!
//! Invariants: nobody is accepted before all threads are there and the process says so · on stop, clients are told, then those
//! that are already in the accept queue are served, then the sockets close, and what is there ends as `ending` says.
//!
//! Left out on purpose: what connections are secured with (`tls`), and who may have the sockets after this process (`handover`).

mod acceptor;
mod addresses;
mod clients;
mod ending;
mod listening;
mod preamble;
mod room;
mod securing;
mod seldom;
mod slots;

use std::io;
use std::net::TcpListener as Socket;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use remora_policy::ToHttps;
use remora_process::exit::Failure;
use remora_process::ops::bind_failure;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use crate::access_log::AccessLog;
use crate::config::{ListenConfig, Networks};
use crate::connections::SWEEP_EVERY;
use crate::deadline::Deadline;
use crate::directory::Directory;
use crate::handover::Inherited;
use crate::metrics;
use crate::naming::ProcessName;
use crate::site::Site;
use crate::tally::Thread;
use crate::tls::{Gate, Gates};
use acceptor::Acceptor;
use acceptor::refuse;
use clients::Clients;
pub(crate) use clients::Ticket;
use ending::Stage;
pub use ending::{Grace, Queues};
use room::Room;
pub(crate) use seldom::Seldom;

/// Clients that may wait in the kernel for an accept, per thread and address: what a second of overload brings.
const ACCEPT_QUEUE: i32 = 1024;

/// Bound addresses, not yet served.
pub struct Server {
    /// One set of sockets per thread.
    sockets: Vec<Vec<Listening>>,
    /// All sockets, each once.
    all: Vec<Socket>,
}

/// One bound address, for one thread.
struct Listening {
    socket: Socket,
    /// Where connections begin with a PROXY header: whose.
    balancers: Option<Networks>,
    /// What connections are secured with, unless they are in clear.
    gate: Option<Arc<Gate>>,
    /// Where clients are sent, unless they are served.
    redirect: Option<Arc<ToHttps>>,
}

/// The threads at work.
pub struct Workers {
    stage: watch::Sender<Stage>,
    ended: mpsc::Receiver<()>,
    /// How many threads are there.
    there: watch::Receiver<usize>,
    threads: usize,
}

impl Server {
    /// Binds every address for each of `threads` threads, or takes the sockets that were handed down for it.
    ///
    /// # Errors
    /// A sentence that says which address could not be bound, and why.
    pub fn bind(
        listeners: &[ListenConfig],
        threads: usize,
        gates: &Gates,
        inherited: &mut Inherited,
    ) -> Result<Self, Failure> {
        let mut sockets: Vec<Vec<Listening>> = (0..threads).map(|_| Vec::new()).collect();
        let mut all = Vec::new();
        for listener in listeners {
            let address = listener.address;
            let mut bound = listening::sockets(address, threads, inherited.at(address))?;
            let shares = listening::shares(&bound, threads);
            let shares = shares.map_err(|error| bind_failure(address, "listen address", &error))?;
            for (sockets, share) in sockets.iter_mut().zip(shares) {
                sockets.extend(share.into_iter().map(|socket| Listening {
                    socket,
                    balancers: listener.proxy_protocol.clone(),
                    gate: gates.at(address),
                    redirect: listener.redirect.clone(),
                }));
            }
            all.append(&mut bound);
        }
        Ok(Self { sockets, all })
    }

    /// All sockets, for a successor. Whoever holds them at a stop lets nobody in.
    pub fn take_all(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.all)
    }

    /// Starts the threads; they serve when [`Workers::serve`] says so.
    ///
    /// # Errors
    /// The operating system refused a thread or a runtime.
    pub fn start(self, directory: &Directory, log: &AccessLog) -> io::Result<Workers> {
        let threads = self.sockets.len();
        metrics::begin();
        let room = Room::new(threads);
        let (stage, staged) = watch::channel(Stage::Starting);
        let (ended_here, ended) = mpsc::channel(threads);
        let (there, seen) = watch::channel(0);
        let there = Arc::new(there);
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
                there: Arc::clone(&there),
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
            there: seen,
            threads,
        })
    }
}

impl Workers {
    /// Waits until all threads are there; false if one has ended instead.
    pub async fn are_there(&mut self) -> bool {
        tokio::select! {
            // Threads hold the senders.
            there = self.there.wait_for(|there| *there == self.threads) => there.is_ok(),
            _ = self.ended.recv() => false,
        }
    }

    /// Lets all threads accept clients.
    pub fn serve(&self) {
        self.stage.send_replace(Stage::Serving);
    }

    /// Whether clients are accepted, and none is told to close, for the readiness page.
    pub fn accepting(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let stage = self.stage.subscribe();
        move || *stage.borrow() == Stage::Serving
    }

    /// Completes when a thread has ended, which it does unasked only by a fault of the program.
    pub async fn one_ended(&mut self) {
        self.ended.recv().await;
    }

    /// Ends in steps: tells clients, stops accepting, lets what is there end, and waits for all threads. Whoever is still there
    /// when `cut` completes is cut at once.
    pub async fn stop(mut self, grace: Grace, queues: Queues, cut: impl Future<Output = ()>) {
        let Self { stage, ended, .. } = &mut self;
        let in_steps = async {
            // The sockets are a successor's already: nobody has to be told before they are closed.
            if queues == Queues::Own {
                stage.send_replace(Stage::Announcing);
                tokio::time::sleep(grace.announce).await;
            }
            stage.send_replace(Stage::Ending(grace, queues));
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
    there: Arc<watch::Sender<usize>>,
}

impl Worker {
    fn run(self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        let ended = runtime.block_on(self.work());
        // Names that are being looked up are not waited for: nobody is left who asked.
        runtime.shutdown_background();
        ended
    }

    async fn work(mut self) -> io::Result<()> {
        let directory = self.directory.clone();
        let site = Rc::new(Site::new(self.thread, directory, &self.log, self.name));
        let clients = Rc::new(Clients::new(self.room.clone(), self.thread, self.stage.clone()));
        let keeper = Rc::clone(&clients);
        let upkeep = upkeep(Rc::clone(&site));
        let keeping = spawn_local(async move { keeper.keep(upkeep).await });
        let mut accepting = Vec::new();
        for listening in std::mem::take(&mut self.sockets) {
            let acceptor = Acceptor {
                listener: TcpListener::from_std(listening.socket)?,
                balancers: listening.balancers,
                gate: listening.gate,
                redirect: listening.redirect,
                site: Rc::clone(&site),
                clients: Rc::clone(&clients),
                stage: self.stage.clone(),
            };
            accepting.push(spawn_local(acceptor.run()));
        }
        self.there.send_modify(|there| *there += 1);
        let mut stage = self.stage.clone();
        tokio::select! {
            () = in_steps(&mut self.stage, accepting, &clients) => {}
            // Without whoever says what to do there is nothing to be done.
            _ = stage.wait_for(|stage| *stage == Stage::Cut) => {}
        }
        keeping.abort();
        Ok(())
    }
}

/// Follows what the process does, until nobody is left.
async fn in_steps(stage: &mut watch::Receiver<Stage>, accepting: Vec<JoinHandle<()>>, clients: &Clients) {
    if stage.wait_for(Stage::is_announced).await.is_ok() {
        clients.say_close();
    }
    let closed = stage.wait_for(Stage::is_closed).await.map(|stage| stage.clone());
    clients.stop();
    for task in accepting {
        // A task that panicked has been reported by the panic itself.
        let _reported = task.await;
    }
    if let Ok(Stage::Ending(grace, _)) = closed {
        ending::end(clients, grace).await;
    }
}

/// What is done with each tick of a thread: hands over what was logged, shows what is counted, and closes idle upstream connections in time.
fn upkeep(site: Rc<Site>) -> impl FnMut() {
    let mut sweep = Deadline::within(SWEEP_EVERY);
    move || {
        site.log.flush();
        site.show(Instant::now());
        if sweep.has_passed() {
            let limits = site.current().snapshot.limits;
            site.connections.sweep(limits.upstream_idle);
            sweep = Deadline::within(SWEEP_EVERY);
        }
    }
}
