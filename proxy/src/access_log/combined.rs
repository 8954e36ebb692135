//! A line in httpd's combined format, and behind it what the proxy decided. Pure.
//!
//! Invariants: a line is one line of visible ASCII, whatever a client sent · what is not known is a dash, no field of ours has
//! a space in it, and times are seconds with six digits, so that the fields can be told apart by machines · new fields stand
//! behind httpd's, which log readers count from the left.

use std::time::Duration;

use super::clock::Moment;
use super::entry::{Attempts, Entry, Fate, Tried};
use super::pen::Pen;

/// Writes the line, with its newline. Its time is that of the begin, as httpd has it.
pub(super) fn write(text: &mut Vec<u8>, entry: &Entry<'_>, begun: &Moment) {
    let mut line = Pen(text);
    line.address(entry.client);
    line.put(b" - - [");
    line.put(begun.second());
    line.put(b"] \"");
    line.request(entry);
    line.put(b"\" ");
    line.number(entry.status.into());
    line.put(b" ");
    line.number(entry.sent);
    line.put(b" \"");
    line.url(entry.referer.unwrap_or(b"-"), entry.parameters, Pen::escaped);
    line.put(b"\" \"");
    line.without_sessions(entry.agent.unwrap_or(b"-"), entry.parameters, Pen::escaped);
    line.put(b"\" host=");
    let host = if entry.host.is_empty() { b"-" } else { entry.host };
    line.without_sessions(host, entry.parameters, Pen::escaped_word);
    line.put(b" peer=");
    match entry.peer {
        Some(peer) => line.address(peer),
        None => line.put(b"-"),
    }
    line.field(b" tls=", entry.tls);
    line.field(b" scheme=", entry.scheme);
    line.put(b" received=");
    line.number(entry.received);
    line.field(b" pool=", entry.pool);
    line.field(b" route=", entry.route());
    line.field(b" pick=", entry.pick);
    line.attempts(&entry.attempts);
    let last = entry.attempts.last;
    line.time(b" connect=", last.and_then(|last| last.connect));
    line.time(b" wait=", last.and_then(|last| last.wait));
    line.time(b" read=", entry.read);
    line.time(b" head=", entry.head);
    line.time(b" total=", Some(entry.total));
    line.field(b" end=", entry.end.as_str());
    line.field(b" reason=", entry.reason);
    line.field(b" id=", entry.request_id);
    line.field(b" trace=", entry.trace.unwrap_or_default());
    line.put(b"\n");
}

impl Pen<'_> {
    /// A value of our own words; a dash if there is none.
    fn field(&mut self, name: &[u8], value: &str) {
        self.put(name);
        self.put(if value.is_empty() { b"-" } else { value.as_bytes() });
    }

    fn time(&mut self, name: &[u8], time: Option<Duration>) {
        self.put(name);
        match time {
            Some(time) => self.seconds(time),
            None => self.put(b"-"),
        }
    }

    fn request(&mut self, entry: &Entry<'_>) {
        if entry.method.is_empty() {
            return self.put(b"-");
        }
        self.without_sessions(entry.method, entry.parameters, Pen::escaped);
        self.put(b" ");
        self.url(entry.target, entry.parameters, Pen::escaped);
        self.put(b" ");
        self.put(entry.version.as_bytes());
    }

    /// How many, and each as `ROUTE:OUTCOME:SECONDS`.
    fn attempts(&mut self, attempts: &Attempts<'_>) {
        self.put(b" attempts=");
        self.number(attempts.count());
        self.put(b" tried=");
        let Some(last) = attempts.last else {
            return self.put(b"-");
        };
        for tried in attempts.earlier {
            self.tried(tried);
            self.put(b",");
        }
        if attempts.left_out > 0 {
            self.put(b"...,");
        }
        self.tried(last);
    }

    fn tried(&mut self, tried: &Tried<'_>) {
        self.put(tried.route.as_bytes());
        self.put(b":");
        match tried.fate {
            Fate::Unfinished => self.put(b"unfinished"),
            Fate::Answered => self.put(b"answered"),
            Fate::Failed(failure) => {
                self.put(failure.cause.as_str().as_bytes());
                self.put(b"/");
                self.put(failure.effect().as_str().as_bytes());
            }
        }
        self.put(b":");
        self.seconds(tried.total);
    }
}
