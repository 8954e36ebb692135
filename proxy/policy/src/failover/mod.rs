//! Whether a failed attempt may be followed by another.
//!
//! One question decides: *what may have happened on the far side?* ([`Effect`]). An attempt that had none may be
//! repeated whatever the method, and costs nothing; one that may have had one only if the method is idempotent, and from
//! the [`Budget`]: attempts, tokens and time; after an answer that was passed on, or was malformed, nothing may follow. In
//! every case the body must still be there from its first byte.
//!
//! A complete answer is no failure and never comes here, except one that says `Remora-Effect: none`: its upstream
//! did not begin the request and says so ([`Phase::Declined`]).
//!
//! The only loop that acts on a verdict is the proxy's `exchange`.

mod budget;
mod effect;

pub use budget::{Budget, RetryBudget, RetryLimits};
pub use effect::{Cause, Effect, Failure, Phase};

/// What the decision must know of a request, at the moment of the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestShape {
    /// Repeating it changes nothing more than doing it once ([`is_idempotent`]).
    pub idempotent: bool,
    /// The body can be sent from its first byte: it is empty, was not touched yet, or is all in the replay buffer.
    pub replayable: bool,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try the same upstream on a fresh connection: a kept-alive connection was closed under the request, which says
    /// nothing about the upstream, and moving its user would cost a claim.
    SameUpstream,
    /// Try another upstream.
    NextUpstream,
    /// Stop and tell the client.
    GiveUp(GiveUp),
}

/// How an exchange ends without an answer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// 503: no upstream took the request, or none answered what can be asked again.
    Unavailable,
    /// 502: an upstream failed with the request in hand.
    BadGateway,
    /// 504: no response head in time.
    GatewayTimeout,
    /// The answer that declined the request goes to the client.
    PassOn,
    /// The head has left: cut the client's connection, so that a short body cannot look complete.
    Cut,
}

/// Whether repeating a request with this method changes nothing more than sending it once (RFC 9110 section 9.2.2), as
/// the registry of methods at IANA says; `PRI`, which is no request, left out. Methods are case-sensitive; an unknown one is
/// not idempotent.
#[must_use]
pub fn is_idempotent(method: &[u8]) -> bool {
    matches!(
        method,
        b"GET"
            | b"HEAD"
            | b"OPTIONS"
            | b"PUT"
            | b"DELETE"
            | b"TRACE"
            | b"QUERY"
            | b"PROPFIND"
            | b"REPORT"
            | b"SEARCH"
            | b"ACL"
            | b"BASELINE-CONTROL"
            | b"BIND"
            | b"CHECKIN"
            | b"CHECKOUT"
            | b"COPY"
            | b"LABEL"
            | b"LINK"
            | b"MERGE"
            | b"MKACTIVITY"
            | b"MKCALENDAR"
            | b"MKCOL"
            | b"MKREDIRECTREF"
            | b"MKWORKSPACE"
            | b"MOVE"
            | b"ORDERPATCH"
            | b"PROPPATCH"
            | b"REBIND"
            | b"UNBIND"
            | b"UNCHECKOUT"
            | b"UNLINK"
            | b"UPDATE"
            | b"UPDATEREDIRECTREF"
            | b"VERSION-CONTROL"
    )
}

/// What follows this failure.
#[must_use]
pub fn decide(failure: &Failure, shape: RequestShape, budget: &Budget) -> Verdict {
    let allowed = match failure.effect() {
        Effect::None => true,
        Effect::Possible => shape.idempotent,
        Effect::Certain => false,
    };
    if !allowed || !shape.replayable || !budget.allows_another(failure.is_paid()) {
        return Verdict::GiveUp(give_up(failure, shape));
    }
    if failure.is_stale_connection() {
        Verdict::SameUpstream
    } else {
        Verdict::NextUpstream
    }
}

/// How an exchange ends whose last attempt failed like this, when no other can follow.
#[must_use]
pub fn give_up(failure: &Failure, shape: RequestShape) -> GiveUp {
    match (failure.phase, failure.cause) {
        (Phase::Passing, _) => GiveUp::Cut,
        (Phase::Declined, _) => GiveUp::PassOn,
        (Phase::Connecting, _) => GiveUp::Unavailable,
        // Whoever asks again does no harm, and should: somebody may answer by then.
        (Phase::Sending | Phase::Waiting, Cause::Frozen) if shape.idempotent => GiveUp::Unavailable,
        (Phase::Sending | Phase::Waiting, Cause::TimedOut | Cause::Frozen) => GiveUp::GatewayTimeout,
        (Phase::Sending | Phase::Waiting, _) => GiveUp::BadGateway,
    }
}

#[cfg(test)]
mod tests;
