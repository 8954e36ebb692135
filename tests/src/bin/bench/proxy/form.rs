//! The forms of the bench: what is asked, how often at a time, and who shares a core with whom.
//!
//! A form is a row here. What each is for stands in its sentence, which is printed above its table.
//!
//! Left out on purpose: who is measured, which is the same in all.

/// What the clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A page of 1 KiB, on connections that are kept.
    Page,
    /// The same, each time on a new connection.
    NewConnection,
    /// A page of 100 KiB.
    LargePage,
    /// A POST of 64 KiB, answered with the page of 1 KiB once it has come whole.
    Upload,
}

impl Ask {
    /// What is asked for.
    pub(super) fn path(self) -> &'static str {
        match self {
            Ask::Page | Ask::NewConnection => "/page",
            Ask::LargePage => "/large",
            Ask::Upload => "/upload",
        }
    }
}

/// How the clients are spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// HTTP/1.1 in clear.
    Clear,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS; each client asks so much at a time.
    Http2(usize),
}

/// Size of the usual page.
pub(super) const PAGE_BYTES: usize = 1_024;

/// Size of the large page: more than a proxy reads at once.
pub(super) const LARGE_PAGE_BYTES: usize = 100 * 1_024;

/// Size of an upload: as much as ours keeps for a repeat.
pub(super) const UPLOAD_BYTES: usize = 64 * 1_024;

/// One way to measure.
#[derive(Debug)]
pub(super) struct Form {
    /// What FORMS calls it.
    pub(super) name: &'static str,
    /// What it is, and what it is for.
    pub(super) says: &'static str,
    /// What is asked.
    pub(super) ask: Ask,
    /// How.
    pub(super) over: Over,
    /// Clients that ask at a time.
    pub(super) clients: usize,
    /// Threads of the proxy, and of the load.
    pub(super) threads: usize,
    /// Cores of the proxy, as `taskset` is told.
    pub(super) proxy: &'static str,
    /// Cores of each process of the backend.
    pub(super) backends: &'static [&'static str],
    /// Cores of the load.
    pub(super) load: &'static str,
}

/// Many for two cores, so that no proxy under test waits for work of its own making.
const CLIENTS: usize = 64;

/// A form in which the proxy has no time to sleep, from which the others differ in what is asked.
const BUSY: Form = Form {
    name: "saturated",
    says: "GET of 1 KiB, 64 clients; the backend on the proxy's core: how much a core can carry",
    ask: Ask::Page,
    over: Over::Clear,
    clients: CLIENTS,
    threads: 1,
    proxy: "0",
    backends: &["0"],
    load: "1",
};

/// All of them, in this order.
pub(super) const FORMS: [Form; 10] = [
    Form {
        name: "project",
        says: "GET of 1 KiB, 64 clients; backend and load on the other core: the proxy sleeps where it is quick",
        backends: &["1"],
        ..BUSY
    },
    BUSY,
    Form {
        name: "connections",
        says: "GET of 1 KiB, each on a new connection of its client, 64 at a time; the backend on the proxy's core; the times begin when the connection stands",
        ask: Ask::NewConnection,
        ..BUSY
    },
    Form {
        name: "large",
        says: "GET of 100 KiB, 64 clients; the backend on the proxy's core",
        ask: Ask::LargePage,
        ..BUSY
    },
    Form {
        name: "uploads",
        says: "POST of 64 KiB, 64 clients; the backend on the proxy's core. nginx takes a body whole before it sends it on (here into \
               memory; by itself into a file from 16 KiB on), the others pass it on as it comes; ours keeps up to 64 KiB of it for a repeat",
        ask: Ask::Upload,
        ..BUSY
    },
    Form {
        name: "two",
        says: "GET of 1 KiB, 128 clients; two threads on two cores, which backend and load share",
        clients: 2 * CLIENTS,
        threads: 2,
        proxy: "0,1",
        backends: &["0,1", "0,1"],
        load: "0,1",
        ..BUSY
    },
    Form {
        name: "tls",
        says: "GET of 1 KiB over TLS 1.3, 64 clients; the backend, in clear, on the proxy's core",
        over: Over::Tls,
        ..BUSY
    },
    Form {
        name: "tls-large",
        says: "GET of 100 KiB over TLS 1.3, 64 clients; the backend, in clear, on the proxy's core",
        ask: Ask::LargePage,
        over: Over::Tls,
        ..BUSY
    },
    Form {
        name: "handshakes",
        says: "GET of 1 KiB, each after a full TLS 1.3 handshake (ECDSA over P-256), 64 clients; the times begin when the connection stands",
        ask: Ask::NewConnection,
        over: Over::Tls,
        ..BUSY
    },
    Form {
        name: "http2",
        says: "GET of 1 KiB over HTTP/2 and TLS 1.3, 16 clients with 10 requests at a time each; the backend, over HTTP/1.1 in clear, on the proxy's core",
        over: Over::Http2(10),
        clients: 16,
        ..BUSY
    },
];
