//! `remora-proxy`: the composition root. Flags to configuration to parts, then signals until the end.
//!
//! Two kinds of threads: this one runs what concerns the whole process (signals, checks, operators), the
//! [`Server`]'s threads serve clients. They share the directory and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use clap::Parser;
use remora_process::exit::{Failure, finish};
use remora_process::signals::{Signal, Signals};
use remora_process::tls::{Door, Tls};
use remora_process::{logging, ops, reload};
use remora_proxy::{
    AccessLog, Config, Directory, Grace, Server, WishStore, check_upstreams, keys_page,
    make_room_for_sockets, serve_operators,
};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the last lines of the access log may take to be written.
const LOG_CLOSE: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  remora-proxy --config /etc/remora/proxy.toml --check   say what is wrong with the file, or what it means
  remora-proxy --config /etc/remora/proxy.toml           serve; SIGHUP reloads, SIGTERM finishes what is in flight, a second one cuts it

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
    finish("remora-proxy", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = Config::load(&arguments.config)?;
    if arguments.check {
        say(&config.summary());
        return Ok(());
    }
    logging::init("info")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::while_doing("cannot start", &error))?;
    runtime.block_on(serve(arguments, config))
}

#[allow(clippy::print_stdout, reason = "the answer to --check")]
fn say(text: &str) {
    print!("{text}");
}

async fn serve(arguments: &Arguments, config: Config) -> Result<(), Failure> {
    // Before anything counts: what is counted earlier is lost.
    ops::recorder();
    let mut signals = Signals::install()?;
    make_room_for_sockets(&config);
    let (store, wishes) = match &config.state {
        Some(state) => {
            let (store, wishes) = WishStore::open(state).map_err(Failure::Runtime)?;
            (Some(store), wishes)
        }
        None => Default::default(),
    };
    let directory = Directory::with_wishes(&config, wishes);
    let server = Server::bind(&config.listen, config.threads)?;
    let tls = secured(&config)?;
    let control = ops::bind(config.control, "control address").await?;
    let log = open_log(&config)?;
    let accepting = Accepting::default();
    let mut beside = pin!(beside(
        (control, tls.clone()),
        directory.clone(),
        (readiness(&accepting), store)
    ));
    tokio::select! {
        () = directory.first_verdicts() => {}
        ended = &mut beside => return ended,
    }
    let starting = server.start(&directory, &log);
    let mut workers = starting.map_err(|error| Failure::while_doing("cannot start a thread", &error))?;
    let _ = accepting.set(Box::new(workers.accepting()));
    let listen: Vec<SocketAddr> = config.listen.iter().map(|listen| listen.address).collect();
    tracing::info!(?listen, control = %config.control, threads = config.threads, "serving");
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Stop => break,
                Signal::Reload => {
                    if let Some(tls) = &tls {
                        tls.look_again();
                    }
                    load_anew(arguments, &config, &directory, &log);
                }
            },
            () = workers.one_ended() => return Err(Failure::Runtime("a proxy thread ended".to_owned())),
            ended = &mut beside => return ended,
        }
    }
    let grace = Grace::now(&directory);
    tracing::info!(
        ?grace,
        "stopping: clients are told to close, answers in flight go on"
    );
    tokio::select! {
        () = workers.stop(grace, asked_again(&mut signals)) => {}
        ended = &mut beside => ended?,
    }
    if !log.close(LOG_CLOSE) {
        tracing::warn!("the last lines of the access log could not be written in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Completes when an operator asks a second time for a stop.
async fn asked_again(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {
        tracing::warn!("a signal other than SIGTERM comes too late: this process is stopping");
    }
    tracing::warn!("asked again to stop: cutting whoever is left");
}

/// What runs beside the clients for as long as the process lives: checks of the upstreams, and operators' requests.
async fn beside(
    control: (TcpListener, Option<Tls>),
    directory: Directory,
    answers: (ops::Readiness, Option<WishStore>),
) -> Result<(), Failure> {
    tokio::select! {
        () = check_upstreams(directory.clone()) => Ok(()),
        () = directory.keep_deadlines() => Ok(()),
        ended = serve_operators(control, directory.clone(), answers, std::future::pending()) => ended,
    }
}

/// Who is believed at the control address.
fn secured(config: &Config) -> Result<Option<Tls>, Failure> {
    let files = config.control_tls.clone();
    let loaded = files.map(|files| Tls::load(files, Door::Open)).transpose();
    loaded.map_err(|error| Failure::Usage(format!("control.tls: {error}")))
}

/// Takes over what a new file says, if there is nothing wrong with it.
fn load_anew(arguments: &Arguments, running: &Config, directory: &Directory, log: &AccessLog) {
    log.reopen();
    let read = Config::load(&arguments.config);
    if let Some(new) = reload::taken(read, |new| running.fixed_differences(new)) {
        make_room_for_sockets(&new);
        directory.reload(&new);
    }
}

fn open_log(config: &Config) -> Result<AccessLog, Failure> {
    let failure = |error: std::io::Error| Failure::while_doing("cannot open the access log", &error);
    let (log, writer) = AccessLog::open(&config.access_log).map_err(failure)?;
    if let Some(writer) = writer {
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
