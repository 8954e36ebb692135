//! Claim: a warm exchange costs the proxy's thread four system calls on sockets: two reads and two writes.
//!
//! What a clock would say of speed hangs on the machine; this does not. Needs `strace` and the permission to trace, and
//! says so where there is none.
#![allow(clippy::print_stdout, reason = "says what was counted")]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::client::Client;
use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// What moves bytes through sockets.
const DATA_CALLS: &str =
    "trace=read,readv,recvfrom,recvmsg,recvmmsg,write,writev,sendto,sendmsg,sendmmsg,sendfile,splice";

/// Exchanges that are counted; what a start or an end adds is then below a hundredth.
const EXCHANGES: usize = 400;

/// Exchanges before, after which all connections stand and buffers have grown.
const WARM_UP: usize = 40;

/// Clients that take turns.
const CLIENTS: usize = 4;

/// Calls of an exchange at most: four, and one more for five exchanges where a read finds nothing.
const CALLS_MAX: f64 = 4.2;

/// Calls of all exchanges that may go uncounted: of the last one, if the tracer leaves while it ends.
const UNSEEN: usize = 4;

/// A tracer at work on one thread.
struct Strace(Child);

impl Strace {
    /// Traces that thread into `output` once this returns; nothing if that is not permitted or possible here.
    fn attach(thread: u32, output: &Path) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(["-yy", "-e", DATA_CALLS, "-p", &thread.to_string(), "-o"]);
        command.arg(output).stderr(Stdio::null());
        let mut strace = Self(command.spawn().ok()?);
        let mut ended = false;
        wait_until("the tracer is attached or ends", || {
            ended = strace.0.try_wait().expect("a child").is_some();
            ended || is_traced(thread)
        });
        (!ended).then_some(strace)
    }

    /// Leaves the thread alone, and what was seen is in the file.
    fn detach(mut self) {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        assert!(told.expect("kill exists").success());
        self.0.wait().expect("a child");
    }
}

fn is_traced(thread: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

/// How often each call was made on a TCP socket, and how often it found nothing to do.
fn counts(trace: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        let Some((call, arguments)) = line.split_once('(') else {
            continue;
        };
        let descriptor = arguments.split(',').next().unwrap_or_default();
        if !descriptor.contains("<TCP") {
            continue;
        }
        let vain = if line.contains("EAGAIN") { " in vain" } else { "" };
        *counts.entry(format!("{call}{vain}")).or_default() += 1;
    }
    counts
}

fn ask(clients: &mut [Client], exchanges: usize) {
    for number in 0..exchanges {
        let turn = number % clients.len();
        assert_eq!(clients[turn].get("/page", "").status, 200);
    }
}

#[test]
fn a_warm_exchange_costs_four_calls() {
    let page = "x".repeat(1_024);
    let upstream = Upstream::start(move |_| Act::text(&page));
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    let proxy = Proxy::start(&Config::new(&[&upstream]).one_thread().access_log(&log));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| proxy.client()).collect();
    ask(&mut clients, WARM_UP);

    let trace = directory.path().join("trace");
    let thread = proxy.thread("proxy-0");
    let Some(strace) = Strace::attach(thread, &trace) else {
        let told = writeln!(
            std::io::stderr(),
            "NOTHING WAS COUNTED: strace is not installed here, or not permitted to trace"
        );
        return told.expect("somebody listens");
    };
    ask(&mut clients, EXCHANGES);
    strace.detach();

    let counts = counts(&std::fs::read_to_string(trace).unwrap());
    let calls: usize = counts.values().sum();
    #[expect(clippy::cast_precision_loss, reason = "some thousands at most")]
    let each = calls as f64 / EXCHANGES as f64;
    println!("{each:.2} calls for each of {EXCHANGES} exchanges: {counts:?}");
    assert!(
        calls + UNSEEN >= 4 * EXCHANGES,
        "an exchange cannot do with less, so not all was counted: {counts:?}"
    );
    assert!(
        each <= CALLS_MAX,
        "{each:.2} calls an exchange, more than {CALLS_MAX}: {counts:?}"
    );
}
