//! What a connection that is kept open and idle takes of a proxy's memory.
//!
//! Each of ten thousand clients asks for the page once, reads it, and stays. What the proxy's processes then have in use
//! above what they had before, warm, is divided by the clients.
//!
//! Left out on purpose: the kernel's part, some KiB for each socket, which is the same for all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::place::free_port;
use remora_tests::stores::loopback;
use remora_tests::table::Table;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::contender::{Contender, Place, answers};
use super::form::{Over, PAGE_BYTES};
use super::identity::Identity;
use super::nginx;
use crate::cpu::{memory, ratio};
use crate::say;
use crate::wrk::Wrk;

/// What FORMS calls it.
pub(super) const NAME: &str = "idle";

/// Clients that stay: as many as an application's users on a usual day.
const CLIENTS: usize = 10_000;

/// Files of this process and of a proxy beside those of the clients.
const FILES_BESIDE: usize = 512;

/// How long an answer may take; nobody else asks at the time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Connections that warm a proxy up, and for how long.
const WARM_UP: (usize, u64) = (64, 1);

/// Measures these contenders, and prints the table.
///
/// # Errors
/// When the limit on open files is too low, one of them does not start, or does not answer somebody.
pub(super) fn measure(contenders: &[Contender]) -> Result<()> {
    make_room()?;
    let mut table = Table::of(["who", "each", "PSS before", "PSS with all", "RSS with all"]);
    for contender in contenders {
        let directory = tempfile::tempdir()?;
        let backend = loopback(free_port()?);
        let identity = Identity::draw(directory.path())?;
        let _backends = nginx::backends(directory.path(), backend, &["1"])?;
        answers(backend)?;
        let running = contender.start(Place {
            directory: directory.path(),
            backend,
            threads: 1,
            cores: "0",
            clients: CLIENTS,
            identity: &identity,
        })?;
        let (connections, seconds) = WARM_UP;
        Wrk::new(seconds, connections).load(&running.url(Over::Clear, "/page"))?;
        let used = || {
            let each = running
                .pids()
                .into_iter()
                .map(memory)
                .collect::<Result<Vec<_>>>()?;
            let sum =
                |(rss, pss): (u64, u64), (more_rss, more_pss): (u64, u64)| (rss + more_rss, pss + more_pss);
            anyhow::Ok(each.into_iter().fold((0, 0), sum))
        };
        let (_, before) = used()?;
        let stay = (0..CLIENTS)
            .map(|_| visit(running.clear()))
            .collect::<Result<Vec<_>>>();
        let stay = stay.with_context(|| format!("clients of {}", contender.name()))?;
        let (rss, pss) = used()?;
        drop(stay);
        let mebibytes = |bytes: u64| format!("{:.1} MiB", ratio(bytes, 1 << 20));
        table.row([
            contender.name().into(),
            format!(
                "{:.2} KiB",
                ratio(pss.saturating_sub(before), CLIENTS as u64) / 1_024.0
            ),
            mebibytes(before),
            mebibytes(pss),
            mebibytes(rss),
        ]);
    }
    say(&format!(
        "\n### {NAME}: {CLIENTS} clients that asked once and stay; the proxy's memory for each, without the kernel's. nginx has set some \
         424 bytes aside for each from its start\n"
    ))?;
    say(&table.to_string())
}

/// A client that asks once; its connection.
fn visit(at: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    stream.write_all(b"GET /page HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4 * PAGE_BYTES];
    let whole = |answer: &[u8]| {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        end.is_some_and(|end| answer.len() == end + 4 + PAGE_BYTES)
    };
    while !whole(&answer) {
        let read = stream.read(&mut chunk)?;
        ensure!(
            read > 0,
            "the connection ended after {} bytes of an answer",
            answer.len()
        );
        answer.extend_from_slice(&chunk[..read]);
    }
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "an answer that is no success"
    );
    Ok(stream)
}

/// Raises the limit on open files, for this process and those that it starts.
fn make_room() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let needed = (CLIENTS + FILES_BESIDE) as u64;
    ensure!(
        limit.maximum.is_none_or(|most| most >= needed),
        "{needed} open files are needed for {NAME}, and at most {} are allowed (ulimit -Hn)",
        limit.maximum.unwrap_or_default()
    );
    let current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, ..limit })?)
}
