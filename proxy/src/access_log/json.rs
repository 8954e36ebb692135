//! A line that is one JSON object (RFC 8259). Pure.
//!
//! Invariants: a line is one line and parses, whatever bytes a client sent · names are those of docs/log.md, for good; what is
//! not known is absent · numbers are numbers, times are seconds with six digits, moments as in RFC 3339.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Moment;
use super::entry::{Attempts, Entry, Fate, Tried};
use super::pen::Pen;

/// Writes the line, with its newline.
pub(super) fn write(text: &mut Vec<u8>, entry: &Entry<'_>, (begun, ended): (&Moment, &Moment)) {
    let mut line = Object::begin(text);
    line.moment("begun", begun);
    line.moment("ended", ended);
    line.address("client", Some(entry.client));
    line.address("peer", entry.peer);
    line.word("tls", entry.tls);
    line.word("scheme", entry.scheme);
    line.text("host", entry.host, entry.parameters);
    line.text("method", entry.method, entry.parameters);
    if !entry.method.is_empty() {
        line.url("target", entry.target, entry.parameters);
        line.word("protocol", entry.version);
    }
    if entry.status > 0 {
        line.number("status", entry.status.into());
    }
    line.number("received", entry.received);
    line.number("sent", entry.sent);
    line.url("referer", entry.referer.unwrap_or_default(), entry.parameters);
    line.text("agent", entry.agent.unwrap_or_default(), entry.parameters);
    line.word("pool", entry.pool);
    line.word("route", entry.route());
    line.word("pick", entry.pick);
    line.attempts(&entry.attempts);
    line.seconds("read_seconds", entry.read);
    line.seconds("head_seconds", entry.head);
    line.seconds("total_seconds", Some(entry.total));
    line.word("end", entry.end.as_str());
    line.word("reason", entry.reason);
    line.word("id", entry.request_id);
    line.word("trace", entry.trace.unwrap_or_default());
    line.end();
    text.push(b'\n');
}

/// An object that is being written.
struct Object<'a> {
    pen: Pen<'a>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn begin(text: &'a mut Vec<u8>) -> Self {
        text.push(b'{');
        Self {
            pen: Pen(text),
            empty: true,
        }
    }

    fn end(mut self) {
        self.pen.put(b"}");
    }

    /// What stands before a value. Names are ours and need no escapes.
    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.empty) {
            self.pen.put(b",");
        }
        self.pen.put(b"\"");
        self.pen.put(name.as_bytes());
        self.pen.put(b"\":");
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.pen.number(number);
    }

    fn seconds(&mut self, name: &str, time: Option<Duration>) {
        if let Some(time) = time {
            self.name(name);
            self.pen.seconds(time);
        }
    }

    fn moment(&mut self, name: &str, moment: &Moment) {
        self.name(name);
        self.pen.put(b"\"");
        self.pen.moment(moment);
        self.pen.put(b"\"");
    }

    fn address(&mut self, name: &str, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.name(name);
            self.pen.put(b"\"");
            self.pen.address(address);
            self.pen.put(b"\"");
        }
    }

    /// A word that is ours, or was checked: it needs no escapes.
    fn word(&mut self, name: &str, word: &str) {
        if !word.is_empty() {
            self.name(name);
            self.pen.put(b"\"");
            self.pen.put(word.as_bytes());
            self.pen.put(b"\"");
        }
    }

    /// What a client sent.
    fn text(&mut self, name: &str, text: &[u8], parameters: &[Arc<str>]) {
        if !text.is_empty() {
            self.name(name);
            self.pen.put(b"\"");
            self.pen.without_sessions(text, parameters, Pen::escaped_json);
            self.pen.put(b"\"");
        }
    }

    /// A URL that it sent.
    fn url(&mut self, name: &str, url: &[u8], parameters: &[Arc<str>]) {
        if !url.is_empty() {
            self.name(name);
            self.pen.put(b"\"");
            self.pen.url(url, parameters, Pen::escaped_json);
            self.pen.put(b"\"");
        }
    }

    fn attempts(&mut self, attempts: &Attempts<'_>) {
        self.name("attempts");
        self.pen.put(b"[");
        for (number, tried) in attempts.earlier.iter().chain(attempts.last).enumerate() {
            if number > 0 {
                self.pen.put(b",");
            }
            write_attempt(self.pen.0, tried);
        }
        self.pen.put(b"]");
        if attempts.left_out > 0 {
            self.number("attempts_left_out", attempts.left_out.into());
        }
    }
}

fn write_attempt(text: &mut Vec<u8>, tried: &Tried<'_>) {
    let mut attempt = Object::begin(text);
    attempt.word("route", tried.route);
    attempt.word("upstream", tried.upstream);
    attempt.word("pick", tried.pick);
    match tried.fate {
        Fate::Unfinished => attempt.word("outcome", "unfinished"),
        Fate::Answered => attempt.word("outcome", "answered"),
        Fate::Failed(failure) => {
            attempt.word("outcome", "failed");
            attempt.word("cause", failure.cause.as_str());
            attempt.word("phase", failure.phase.as_str());
            attempt.word("effect", failure.effect().as_str());
        }
    }
    attempt.seconds("connect_seconds", tried.connect);
    attempt.seconds("wait_seconds", tried.wait);
    attempt.seconds("total_seconds", Some(tried.total));
    attempt.end();
}
