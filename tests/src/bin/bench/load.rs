//! The one load for all stores: how clients are driven, and the row that comes of it.
//!
//! A closed loop as a busy site makes it: every client asks, waits for the answer, and asks again. Or a steady rate: what
//! falls due is counted from that moment on, so a client that is still waiting makes the next one late, and that shows. The
//! clients live on one thread, which shares the machine with what is measured, so the processor time per save says more
//! than the rate.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use remora_tests::table::Table;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cpu::{Usage, ratio, written};

/// Size of the value that each save changes and each read brings.
pub(crate) const VALUE_BYTES: usize = 1_024;

/// Size of a session of which each change touches a part, and
const SESSION_BYTES: usize = 2_000;

/// how many parts it has, for those who know of parts: attributes.
pub(crate) const CHANGED_PARTS: usize = 10;

/// Whoever loads a million sessions takes its time.
pub(crate) const SERVES_WITHIN: Duration = Duration::from_secs(120);

/// How long each row is measured, after a warm-up of a fifth of it.
const MEASURE: Duration = Duration::from_secs(6);

/// Moments that wait for a client that is late: a second's worth for each of 64 clients at 2,000 a second.
const LATE_TURNS: usize = 32;

/// Three processes, each with a directory of its own on the same disk.
pub(crate) trait Rival: Sized {
    /// One of its clients.
    type Client: Client;

    /// As the table calls it.
    const NAME: &'static str;

    /// What a reader must know about its reads.
    const READS: &'static str;

    /// Starts all three and waits until they serve.
    fn start(directory: &Path) -> Result<Self>;

    /// Kills all three and starts them again; how long until they serve what they held.
    fn restart(&mut self) -> Result<Duration>;

    /// The processes, whose processor time counts.
    fn pids(&mut self) -> Result<Vec<u32>>;

    /// Clients that share a connection, if the protocol lets them.
    fn connect(&self, number: usize, slots: usize) -> impl Future<Output = Result<Vec<Self::Client>>>;
}

/// Somebody with one key and one request on its way.
pub(crate) trait Client: Send + 'static {
    /// Turns to another session, by its number, which it has not saved before.
    fn choose(&mut self, session: u64);

    /// Asks, and returns when the answer is there; whatever is not a success is an error.
    fn ask(&mut self, ask: Ask) -> impl Future<Output = Result<()>> + Send;
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Changes the value; answered when a second process has it.
    Save,
    /// Changes a tenth of a session; who does not know of parts saves it whole.
    Change,
    /// Gets the value.
    Read,
}

impl Ask {
    /// Bytes that a session then holds.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Ask::Save | Ask::Read => VALUE_BYTES,
            Ask::Change => SESSION_BYTES,
        }
    }
}

/// What a row measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// What the clients ask.
    pub(crate) ask: Ask,
    /// Connections, where the protocol lets clients share them.
    pub(crate) connections: usize,
    /// Clients on each.
    pub(crate) slots: usize,
    /// Asked each second by all together; none: as often as they are answered.
    pub(crate) rate: Option<u32>,
}

impl Load {
    /// Saves as fast as they are answered.
    pub(crate) fn saves(connections: usize, slots: usize) -> Load {
        Load {
            ask: Ask::Save,
            connections,
            slots,
            rate: None,
        }
    }
}

/// Starts a rival anew, loads it and adds the row.
///
/// # Errors
/// When it does not start, or anything was not answered with a success.
pub(crate) fn measure<R: Rival>(table: &mut Table, load: Load) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut rival = R::start(directory.path()).with_context(|| format!("start {}", R::NAME))?;
    on(&mut rival, table, load, directory.path(), "")
}

/// Loads a rival that runs in this directory and adds the row; `with` says what it holds.
///
/// # Errors
/// When anything was not answered with a success.
pub(crate) fn on<R: Rival>(
    rival: &mut R,
    table: &mut Table,
    load: Load,
    directory: &Path,
    with: &str,
) -> Result<()> {
    let pids = rival.pids()?;
    let driven = runtime()?.block_on(drive(rival, &pids, load, directory));
    let mut measured = driven.with_context(|| format!("load {}", R::NAME))?;
    add_row::<R>(table, load, with, &mut measured);
    Ok(())
}

/// What came of a load.
struct Measured {
    /// Of each answer, in microseconds.
    latencies: Vec<u64>,
    /// By the processes.
    used: Usage,
    /// Bytes that the disk was given, where that is known. On a machine that does nothing else, by those processes.
    written: Option<u64>,
}

/// Where clients live: on one thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().context("start a runtime")
}

async fn drive<R: Rival>(rival: &R, pids: &[u32], load: Load, directory: &Path) -> Result<Measured> {
    let mut clients = Vec::new();
    for number in 0..load.connections {
        clients.extend(rival.connect(number, load.slots).await?);
    }
    // What is read must be there.
    for client in &mut clients {
        let first = if load.ask == Ask::Change {
            load.ask
        } else {
            Ask::Save
        };
        client.ask(first).await?;
    }
    let window = Window::after_warm_up();
    let tasks = match load.rate {
        None => clients
            .into_iter()
            .map(|client| tokio::spawn(closed(client, load.ask, window)))
            .collect(),
        Some(rate) => steady(clients, load.ask, rate, window),
    };
    tokio::time::sleep_until(window.start.into()).await;
    let (before, unwritten) = (Usage::of(pids)?, written(directory));
    tokio::time::sleep_until(window.end.into()).await;
    let used = Usage::of(pids)?.since(before);
    let written = written(directory)
        .zip(unwritten)
        .map(|(after, before)| after - before);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.context("a client ended early")??);
    }
    Ok(Measured {
        latencies,
        used,
        written,
    })
}

/// When answers count.
#[derive(Clone, Copy)]
struct Window {
    begun: Instant,
    start: Instant,
    end: Instant,
}

impl Window {
    fn after_warm_up() -> Window {
        let begun = Instant::now();
        let start = begun + MEASURE / 5;
        Window {
            begun,
            start,
            end: start + MEASURE,
        }
    }

    fn holds(&self, moment: Instant) -> bool {
        moment >= self.start && moment < self.end
    }
}

/// A client that always has something on its way; what was answered within the window.
async fn closed(mut client: impl Client, ask: Ask, window: Window) -> Result<Vec<u64>> {
    let mut taken = Vec::new();
    while Instant::now() < window.end {
        let sent = Instant::now();
        client.ask(ask).await?;
        let answered = Instant::now();
        if window.holds(answered) {
            taken.push(microseconds(answered - sent)?);
        }
    }
    Ok(taken)
}

/// Clients who take turns at a steady rate.
fn steady<C: Client>(
    clients: Vec<C>,
    ask: Ask,
    rate: u32,
    window: Window,
) -> Vec<JoinHandle<Result<Vec<u64>>>> {
    let mut turns = Vec::new();
    let mut tasks = Vec::new();
    for client in clients {
        let (turn, due) = mpsc::channel(LATE_TURNS);
        turns.push(turn);
        tasks.push(tokio::spawn(paced(client, ask, due, window)));
    }
    // The runtime's timer counts milliseconds, which is as long as a save takes; a thread that sleeps wakes on time.
    std::thread::spawn(move || pace(&turns, rate, window));
    tasks
}

/// A client that asks when its turn comes; what fell due within the window.
async fn paced(
    mut client: impl Client,
    ask: Ask,
    mut turns: mpsc::Receiver<Instant>,
    window: Window,
) -> Result<Vec<u64>> {
    let mut taken = Vec::new();
    while let Some(due) = turns.recv().await {
        client.ask(ask).await?;
        if window.holds(due) {
            taken.push(microseconds(due.elapsed())?);
        }
    }
    Ok(taken)
}

/// Gives the clients their turns until the window ends, or one of them has failed.
fn pace(clients: &[mpsc::Sender<Instant>], rate: u32, window: Window) {
    for (turn, client) in (0..).zip(clients.iter().cycle()) {
        let due = window.begun + Duration::from_secs(1) * turn / rate;
        if due >= window.end {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "a steady rate is made of pauses")]
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if client.blocking_send(due).is_err() {
            return;
        }
    }
}

fn microseconds(time: Duration) -> Result<u64> {
    u64::try_from(time.as_micros()).context("a time that fits")
}

fn add_row<R: Rival>(table: &mut Table, load: Load, with: &str, measured: &mut Measured) {
    let Measured {
        latencies,
        used,
        written,
    } = measured;
    latencies.sort_unstable();
    let count = latencies.len() as u64;
    let percentile = |hundredth: usize| {
        let micros = latencies
            .get(latencies.len() * hundredth / 100)
            .copied()
            .unwrap_or(0);
        format!("{:.2} ms", ratio(micros, 1_000))
    };
    let written = || {
        let each = written.map(|bytes| format!("; {:.0} bytes to disk each", ratio(bytes, count)));
        each.unwrap_or_default()
    };
    let (what, about) = match load.ask {
        Ask::Save => ("durable 1 KiB saves", written()),
        Ask::Change => ("durable 200-byte changes of 2 KB", written()),
        Ask::Read => ("1 KiB reads", R::READS.to_owned()),
    };
    let pace = load.rate.map_or_else(String::new, |rate| format!(" at {rate}/s"));
    table.row([
        format!("{what}{pace}{with}, 3 nodes"),
        format!("{}, {} x {}", R::NAME, load.connections, load.slots),
        format!("{:.0}/s", ratio(count, MEASURE.as_secs())),
        format!("{:.1} us", used.microseconds_each(count)),
        format!("{:.2}", used.sleeps_each(count)),
        format!("p50 {}, p99 {}{about}", percentile(50), percentile(99)),
    ]);
}
