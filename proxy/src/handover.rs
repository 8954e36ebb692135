//! Replacing this process by a new one that nobody notices: who is handed what, in which order.
//!
//! At SIGUSR2 the program at this process's own path is started anew, with every listening socket, the control socket and, over a
//! wire between the two, the lock of the wishes. Sockets come as a service manager hands them down (LISTEN_FDS from 3 on,
//! LISTEN_FDNAMES), so one that starts the proxy is the same case. The states of the old one, and what it does in each:
//!
//! | state | clients | wishes | a signal |
//! |---|---|---|---|
//! | alone | served | kept | SIGUSR2 starts a successor |
//! | **replacing**: the successor starts | served | kept; the successor reads them later | SIGUSR2 changes nothing; SIGHUP is obeyed, and passed on with the word to go; SIGTERM ends the successor, then itself |
//! | **handing over**: it said ready | served | refused, to be repeated: it reads them now | wait until it has the word to go |
//! | **replaced** | those that are there end | the successor's | the first SIGTERM is noted, the second cuts |
//!
//! Invariants: a successor accepts nobody before it has the word to go, so one that fails, is killed or takes too long has
//! changed nothing · no socket is closed while its queue may hold a client: whoever holds a socket alone serves its queue first, and
//! one that both hold the successor serves · wishes have one writer at a time, and the lock never rests · a predecessor that dies
//! in the middle is no reason to stop: then the successor goes on as if it had been told to.
//!
//! Left out on purpose: connections and what is known of upstreams. The successor asks for itself; whoever is connected
//! ends where he is.

mod inherited;
mod predecessor;
mod replacement;
mod successor;

use std::net::TcpListener;

pub use inherited::Inherited;
pub use predecessor::Predecessor;
pub use replacement::Replacement;

/// The name, among those of handed down sockets, of the wire between the two.
const WIRE: &str = "handover";
/// What is said on the wire first, with the lock of the wishes if there is one. The number is the version of all that follows.
const GREETING: &str = "remora-handover 1\n";
/// Bytes of a line on the wire. 16 KiB: some hundred addresses.
const LINE_BYTES: usize = 16 * 1024;

/// What a successor is handed, but for the wishes.
pub struct Sockets {
    /// Where clients are accepted.
    pub listen: Vec<TcpListener>,
    /// Where operators are.
    pub control: TcpListener,
}
