//! How an attempt failed, and what may have happened on the far side.
//!
//! A failure is three facts: how far the attempt had come ([`Phase`]), why it ended ([`Cause`]), and whether its
//! connection had served before. The phase gives the effect, and a malformed answer proves it; phase, cause and connection give what the failure
//! says of the upstream's health.
//!
//! Invariants: the doubt is never settled in our favour (a byte that may have been written was) · nothing that a client
//! does, and nothing that an application writes into an answer, is a sign against an upstream · our own want of
//! sockets is none either.
//!
//! Left out on purpose: what follows a failure (`decide`, one file up), and how a failure was noticed.

use crate::upstream::Observation;

/// How far an attempt had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No byte of the request was written: no connection, or one that was found closed at checkout.
    Connecting,
    /// At least one byte was written (or may have been), the request was not yet sent whole.
    Sending,
    /// The request was sent whole; no complete response head was seen.
    Waiting,
    /// A complete answer said `Remora-Effect: none`: the application did not run.
    Declined,
    /// The response head was passed on to the client.
    Passing,
}

impl Phase {
    /// The word for it in logs and figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Sending => "sending",
            Phase::Waiting => "waiting",
            Phase::Declined => "declined",
            Phase::Passing => "passing",
        }
    }
}

/// Why an attempt failed. Faults of the client (its body broke off, it went away) are not failures of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Connect refused, or no route.
    Refused,
    /// TLS did not come about: the upstream's certificate is not accepted, or it refused ours.
    Unverified,
    /// The limit of this phase passed: connect limit, deadline until the head, idle limit of the body.
    TimedOut,
    /// The connection was closed or reset, or the upstream's name not found.
    Broken,
    /// The proxy had no socket, port or memory for a connection.
    Ours,
    /// What came back was not HTTP, framed inconsistently, or had too long a head.
    Malformed,
    /// The prober found the upstream frozen while the request waited on it.
    Frozen,
    /// The upstream answered, but did not begin the request.
    Declined,
}

impl Cause {
    /// All there are.
    pub const ALL: [Cause; 8] = [
        Cause::Refused,
        Cause::Unverified,
        Cause::TimedOut,
        Cause::Broken,
        Cause::Ours,
        Cause::Malformed,
        Cause::Frozen,
        Cause::Declined,
    ];

    /// The word for it in logs and figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Refused => "refused",
            Cause::Unverified => "unverified",
            Cause::TimedOut => "timed-out",
            Cause::Broken => "broken",
            Cause::Ours => "ours",
            Cause::Malformed => "malformed",
            Cause::Frozen => "frozen",
            Cause::Declined => "declined",
        }
    }
}

/// What may have happened on the far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Nothing, everything or a part.
    Possible,
    /// It happened: something was answered.
    Certain,
}

impl Effect {
    /// The word for it in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::None => "none",
            Effect::Possible => "possible",
            Effect::Certain => "certain",
        }
    }
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How far it had come.
    pub phase: Phase,
    /// Why it failed.
    pub cause: Cause,
    /// Whether the connection had served an exchange before.
    pub reused: bool,
}

impl Failure {
    /// An attempt that failed on a fresh connection, or without one.
    #[must_use]
    pub fn new(phase: Phase, cause: Cause) -> Failure {
        Failure {
            phase,
            cause,
            reused: false,
        }
    }

    /// What may have happened on the far side.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match (self.phase, self.cause) {
            (Phase::Connecting | Phase::Declined, _) => Effect::None,
            // Whoever answers has read the request, whatever the answer is worth.
            (Phase::Sending | Phase::Waiting, Cause::Malformed) => Effect::Certain,
            (Phase::Sending | Phase::Waiting, _) => Effect::Possible,
            (Phase::Passing, _) => Effect::Certain,
        }
    }

    /// Whether another attempt after this one is paid for from the budget.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        self.effect() != Effect::None
    }

    /// Whether the upstream broke the request while it may have been at work on it. Two of them in a row speak against
    /// the request, unless one is down.
    #[must_use]
    pub fn is_break(&self) -> bool {
        self.effect() == Effect::Possible && self.cause == Cause::Broken && !self.is_stale_connection()
    }

    /// Whether a kept-alive connection was closed under the request, as happens when the upstream's idle limit passes
    /// at that moment. It says nothing about the upstream.
    #[must_use]
    pub fn is_stale_connection(&self) -> bool {
        self.reused && self.cause == Cause::Broken && self.phase != Phase::Passing
    }

    /// What it says about the upstream's health, if anything.
    #[must_use]
    pub fn observation(&self) -> Option<Observation> {
        match (self.phase, self.cause) {
            (Phase::Declined, _) | (_, Cause::Declined) => Some(Observation::Answered),
            // Malformed: applications write heads, too long ones among them, and one page must not take every upstream
            // down that it is tried at. Whether an upstream speaks HTTP at all is for the check to judge.
            (_, Cause::Frozen | Cause::Ours | Cause::Malformed) => None,
            (_, Cause::Refused) => Some(Observation::Refused),
            (_, Cause::Unverified) => Some(Observation::Unverified),
            (Phase::Connecting, Cause::TimedOut) => Some(Observation::ConnectTimedOut),
            (Phase::Sending | Phase::Waiting, Cause::TimedOut) => Some(Observation::TimedOut),
            (Phase::Passing, Cause::TimedOut) => None,
            (_, Cause::Broken) if self.is_stale_connection() => None,
            (_, Cause::Broken) => Some(Observation::Broken),
        }
    }
}
