//! `remora-proxy`: the composition root. Flags to configuration to parts, then signals until the end.
//!
//! Two kinds of threads: this one runs what concerns the whole process (signals, checks, operators), the
//! [`Server`]'s threads serve clients. They share the directory and nothing else.

use std::net::{SocketAddr, TcpListener as Socket};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use remora_process::exit::{Failure, finish};
use remora_process::signals::{Replacements, Signal, Signals};
use remora_process::tls::{Door, Tls};
use remora_process::{logging, manual, ops, reload, service};
use remora_proxy::{
    AccessLog, Config, Console, Directory, Following, Gates, Grace, Inherited, Keeping, ListenConfig,
    Predecessor, Queues, Replacement, Server, Sockets, Workers, check_upstreams, keys_page,
    make_room_for_sockets, serve_operators,
};
use tokio::net::TcpListener;
use tokio::sync::watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: &str = "remora-proxy";

/// How long the last lines of each place of the access log may take to be written. 2 s: a disk that is slow, not one that is gone.
const LOG_CLOSE: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  remora-proxy --config /etc/remora/proxy.toml --check   say what is wrong with the file, or what it means
  remora-proxy --config /etc/remora/proxy.toml           serve; SIGHUP reloads, SIGUSR2 puts a new process in its
                                                         place, SIGTERM finishes what is in flight, a second one cuts it

A small configuration:
  [[listen]]
  bind = \"127.0.0.1:8080\"
  [pool.tomcat]
  sticky = { session = \"JSESSIONID\" }
  [[pool.tomcat.member]]
  url = \"http://127.0.0.1:8081\"
  route = \"n1\"
  [[route]]
  path = \"/shop\"
  to = \"tomcat/shop\"";

/// The reverse proxy of Remora: sticks users to their Tomcat, and to the next one when it dies.
#[derive(Parser)]
#[command(name = "remora-proxy", version, after_help = EXAMPLES, after_long_help = long_help())]
struct Arguments {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the file, print what it means, and end.
    #[arg(long)]
    check: bool,
}

/// What `--help` says behind the flags; `-h` leaves the keys out.
fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}", keys_page())
}

fn main() -> ExitCode {
    if let Some(written) = manual::asked(Arguments::command(), "8") {
        return finish(PROGRAM, written);
    }
    finish(PROGRAM, run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = Config::load(&arguments.config)?;
    if arguments.check {
        say(&format!("file     {}\n{}", config.fingerprint, config.summary()));
        return Ok(());
    }
    let inherited = Inherited::take()?;
    logging::init("info")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::while_doing("cannot start", &error))?;
    let ended = runtime.block_on(serve(arguments, config, inherited));
    // What still waits for a name or a disk holds up no end.
    runtime.shutdown_background();
    ended
}

#[allow(clippy::print_stdout, reason = "the answer to --check")]
fn say(text: &str) {
    print!("{text}");
}

async fn serve(arguments: &Arguments, config: Config, mut inherited: Inherited) -> Result<(), Failure> {
    // Before anything counts: what is counted earlier is lost.
    ops::recorder();
    let mut signals = Signals::install()?;
    let replacements = Replacements::install()?;
    make_room_for_sockets(&config);
    let opened = Keeping::open(config.state.as_deref(), inherited.lock());
    let (keeping, view) = opened.map_err(Failure::Runtime)?;
    let directory = Directory::with_view(&config, view);
    let gates = Gates::open(&config.listen)?;
    gates.tell(&directory);
    let mut server = Server::bind(&config.listen, config.threads, &gates, &mut inherited)?;
    let tls = secured(&config)?;
    let control = bind_control(config.control, &mut inherited).await?;
    let handed = inherited.rest()?;
    let following = Following::new(config.control.to_string(), directory.clone(), keeping.clone());
    let log = open_log(&config)?;
    let sockets = Sockets {
        listen: server.take_all(),
        control: control.try_clone().map_err(cannot_start)?,
    };
    let (turn, turns) = watch::channel(if handed.is_some() { Turn::Waits } else { Turn::Ours });
    let accepting = Accepting::default();
    let operators = Operators {
        control,
        tls: tls.clone(),
        readiness: readiness(&accepting),
        keeping: keeping.clone(),
        following: following.clone(),
        listen: config.listen.clone(),
        console: Console::open(&config)?,
        turns,
    };
    let mut beside = pin!(beside(operators, directory.clone(), gates.clone()));
    let mut workers = server.start(&directory, &log).map_err(cannot_start)?;
    let _ = accepting.set(Box::new(workers.accepting()));
    let reload = tokio::select! {
        begun = begin(handed, &directory, (&keeping, &following), &mut workers) => begun?,
        () = signals.only_stop() => return Ok(()),
        ended = &mut beside => return ended,
    };
    workers.serve();
    turn.send_replace(Turn::Ours);
    service::ready();
    let listen: Vec<SocketAddr> = config.listen.iter().map(|listen| listen.address).collect();
    tracing::info!(?listen, control = %config.control, threads = config.threads, "serving");
    let mut running = Running {
        arguments,
        config,
        log,
        gates,
        tls,
        signals,
        replacements,
        replacement: Replacement::new(sockets, keeping, directory.clone()),
        following,
        directory,
        workers,
        turn,
    };
    if reload {
        running.reload();
    }
    let log = running.log.clone();
    running.until_end(beside).await?;
    if !log.close(LOG_CLOSE) {
        tracing::warn!("the last lines of the access log could not be written in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Waits until clients may be served: the store has said which Tomcats there are, upstreams have been looked at, and a predecessor has
/// given its word. Says whether the configuration is to be read again.
async fn begin(
    handed: Option<(Predecessor, Vec<SocketAddr>)>,
    directory: &Directory,
    (keeping, following): (&Keeping, &Following),
    workers: &mut Workers,
) -> Result<bool, Failure> {
    directory.first_verdicts().await;
    if !workers.are_there().await {
        return Err(a_thread_ended());
    }
    let Some((predecessor, untaken)) = handed else {
        return Ok(false);
    };
    let again = predecessor.take_over(&untaken).await?;
    reload::taken_with_the_place();
    // It took wishes until now.
    match keeping.take_over().await {
        Ok(Some(kept)) => directory.take_over(kept),
        Ok(None) => {}
        Err(sentence) => tracing::error!(sentence, "wishes hold as they were when this process began"),
    }
    following.take_over();
    Ok(again)
}

/// A proxy that serves, and all that may end it.
struct Running<'a> {
    arguments: &'a Arguments,
    config: Config,
    log: AccessLog,
    /// TLS towards clients.
    gates: Gates,
    /// TLS at the control address.
    tls: Option<Tls>,
    signals: Signals,
    replacements: Replacements,
    replacement: Replacement,
    following: Following,
    directory: Directory,
    workers: Workers,
    turn: watch::Sender<Turn>,
}

impl Running<'_> {
    async fn until_end(
        mut self,
        mut beside: Pin<&mut impl Future<Output = Result<(), Failure>>>,
    ) -> Result<(), Failure> {
        let untaken = loop {
            tokio::select! {
                signal = self.signals.next() => match signal {
                    Signal::Stop => break None,
                    Signal::Reload => self.reload(),
                },
                () = self.replacements.asked() => self.replacement.begin().await,
                untaken = self.replacement.handed_over() => break Some(untaken),
                () = self.workers.one_ended() => return Err(a_thread_ended()),
                ended = &mut beside => return ended,
            }
        };
        let grace = Grace::now(&self.directory);
        let ending = self.end(grace, untaken);
        tokio::select! {
            () = ending => Ok(()),
            ended = beside => ended,
        }
    }

    /// Ends because an operator asks for it, or because a successor serves all but what is `untaken`.
    async fn end(mut self, grace: Grace, untaken: Option<Vec<SocketAddr>>) {
        // With it goes the last hold on sockets that threads close.
        self.replacement.give_up().await;
        match untaken {
            None => {
                tracing::info!(
                    ?grace,
                    "stopping: clients are told to close, answers in flight go on"
                );
                service::stopping();
                let cut = asked_to_cut(&mut self.signals);
                self.workers.stop(grace, Queues::Own, cut).await;
            }
            Some(untaken) => {
                tracing::info!(
                    ?grace,
                    "replaced: a successor serves, answers in flight go on here"
                );
                self.turn.send_replace(Turn::Over);
                let cut = async {
                    self.signals.only_stop().await;
                    tracing::info!(
                        "this process has a successor and is ending already; the next SIGTERM cuts whoever is left"
                    );
                    asked_to_cut(&mut self.signals).await;
                };
                self.workers
                    .stop(grace, Queues::Successor(untaken.into()), cut)
                    .await;
            }
        }
    }

    /// Takes over what a new file says, if there is nothing wrong with it. What that file has no say in comes first: the files of
    /// control.tls, which are looked at every few seconds anyhow, and logs, which a faulty file must not leave with logrotate.
    fn reload(&mut self) {
        if let Some(tls) = &self.tls {
            tls.look_again();
        }
        self.log.reopen();
        self.replacement.reloaded();
        let read = Config::load(&self.arguments.config);
        if let Err(faults) = &read {
            self.directory.chronicle().reload_refused(&faults.to_string());
        }
        if let Some(new) = reload::taken(read, |new| self.config.fixed_differences(new)) {
            make_room_for_sockets(&new);
            self.gates.renew(&new.listen);
            self.directory.reload(&new);
            self.following.reload();
            self.gates.tell(&self.directory);
        }
    }
}

/// Completes when an operator asks a second time for a stop.
async fn asked_to_cut(signals: &mut Signals) {
    signals.only_stop().await;
    tracing::warn!("asked again to stop: cutting whoever is left");
}

/// Who answers at the control address, where two processes have its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// A predecessor still does.
    Waits,
    /// This process.
    Ours,
    /// A successor does.
    Over,
}

/// The side of operators.
struct Operators {
    control: Socket,
    tls: Option<Tls>,
    readiness: ops::Readiness,
    keeping: Keeping,
    following: Following,
    listen: Vec<ListenConfig>,
    console: Option<Console>,
    turns: watch::Receiver<Turn>,
}

impl Operators {
    /// Answers them while it is this process's turn; never ends but by a fault.
    async fn serve(mut self, directory: Directory, gates: Gates) -> Result<(), Failure> {
        let control = TcpListener::from_std(self.control).map_err(cannot_start)?;
        // The sender lives as long as the process.
        let _ = self.turns.wait_for(|turn| *turn != Turn::Waits).await;
        let over = async {
            let _ = self.turns.wait_for(|turn| *turn == Turn::Over).await;
        };
        serve_operators(
            (control, self.tls),
            (directory, gates, self.listen),
            (self.readiness, self.keeping, self.following),
            self.console,
            over,
        )
        .await?;
        std::future::pending().await
    }
}

/// What runs beside the clients for as long as the process lives: checks of the upstreams, a look at certificates, word of the store,
/// and operators' requests.
async fn beside(operators: Operators, directory: Directory, gates: Gates) -> Result<(), Failure> {
    tokio::select! {
        () = operators.following.clone().run() => Ok(()),
        () = check_upstreams(directory.clone()) => Ok(()),
        () = directory.keep_deadlines() => Ok(()),
        () = directory.keep_names() => Ok(()),
        () = gates.clone().keep_telling(directory.clone()) => Ok(()),
        ended = operators.serve(directory.clone(), gates.clone()) => ended,
    }
}

/// The control socket, bound or handed down.
async fn bind_control(address: SocketAddr, inherited: &mut Inherited) -> Result<Socket, Failure> {
    match inherited.at(address).pop() {
        Some(control) => Ok(control),
        None => ops::bind(address, "control address")
            .await?
            .into_std()
            .map_err(cannot_start),
    }
}

/// What it could not do has been logged.
fn a_thread_ended() -> Failure {
    Failure::Runtime("a proxy thread ended".to_owned())
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn cannot_start(error: std::io::Error) -> Failure {
    Failure::while_doing("cannot start", &error)
}

/// Who is believed at the control address.
fn secured(config: &Config) -> Result<Option<Tls>, Failure> {
    let files = config.control_tls.clone();
    let loaded = files.map(|files| Tls::load(files, Door::Open)).transpose();
    loaded.map_err(|error| Failure::Usage(format!("control.tls: {error}")))
}

fn open_log(config: &Config) -> Result<AccessLog, Failure> {
    let failure = |error: std::io::Error| Failure::while_doing("cannot open the access log", &error);
    let (log, writers) = AccessLog::open(&config.access_log).map_err(failure)?;
    for writer in writers {
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run())
            .map_err(failure)?;
    }
    Ok(log)
}

/// Whether clients are accepted; empty until the first verdicts on the upstreams are known.
type Accepting = Arc<OnceLock<Box<dyn Fn() -> bool + Send + Sync>>>;

fn readiness(accepting: &Accepting) -> ops::Readiness {
    let accepting = Arc::clone(accepting);
    Arc::new(move || {
        if accepting.get().is_some_and(|accepting| accepting()) {
            Ok(())
        } else {
            Err("not accepting clients".to_owned())
        }
    })
}
