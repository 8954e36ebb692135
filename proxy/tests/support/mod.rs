//! Real sockets around a real `remora-proxy` process: a scripted upstream, a byte-exact client, and the process itself.
//!
//! Nothing here sleeps for a guess: reads have a deadline, conditions are polled until they hold.
#![allow(dead_code, reason = "each test file uses its part of the support")]
#![allow(clippy::print_stdout, reason = "a failing test shows the log of its proxy")]

pub(crate) mod client;
pub(crate) mod console;
pub(crate) mod http2;
pub(crate) mod operator;
pub(crate) mod process;
pub(crate) mod secured;
pub(crate) mod tls;
pub(crate) mod upstream;

use std::time::{Duration, Instant};

/// Longest wait for anything in a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `condition` holds, at most [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < PATIENCE,
            "still not so after {PATIENCE:?}: {what}"
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The end of a message head in `bytes`, behind its empty line.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Fields of a head, names in lower case.
pub(crate) fn fields_of(head: &str) -> Vec<(String, String)> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

/// All values of a field.
pub(crate) fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|(own, _)| own == name)
        .map(|(_, value)| value.as_str())
        .collect()
}
