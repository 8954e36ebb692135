//! Names that are drawn: of this process, by which a request is recognised that comes round to it, and of requests.
//!
//! Invariants: a process has one name for life, all its threads use it · no two requests have the same, of whatever thread
//! or process: a thread draws 64 bits and counts on. Neither is a secret.

use std::cell::Cell;

use rand::RngExt;
use remora_h1::Version;

/// The name of a process, as other proxies see it in `Via`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessName(u64);

impl ProcessName {
    /// A name that nobody has.
    pub(crate) fn draw() -> Self {
        Self(rand::rng().random())
    }
}

/// Names for the requests of one thread.
pub(crate) struct Naming {
    process: String,
    /// `Via` for requests over HTTP/1.1 and 1.0.
    via: [String; 2],
    drawn: u64,
    next: Cell<u64>,
}

impl Naming {
    /// Nothing is named yet.
    pub(crate) fn new(process: ProcessName) -> Self {
        let name = format!("remora-{:016x}", process.0);
        Self {
            via: ["1.1", "1.0"].map(|version| format!("{version} {name}")),
            process: name,
            drawn: rand::rng().random(),
            next: Cell::new(0),
        }
    }

    /// The name of the process.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    /// What an upstream is told of us in `Via`.
    pub(crate) fn via(&self, version: Version) -> &str {
        match version {
            Version::Http11 => &self.via[0],
            Version::Http10 => &self.via[1],
        }
    }

    /// A request's name that no other has.
    pub(crate) fn request(&self) -> String {
        let number = self.next.get();
        self.next.set(number + 1);
        format!("{:016x}-{number:x}", self.drawn)
    }
}
