//! The answers that the proxy gives itself: small, readable, and never with a cookie.
//!
//! Invariants: an error answer names no upstream and nothing that the request carried; it never replaces or removes a
//! session cookie, because the session is not at fault.

use bytes::Bytes;
use remora_policy::GiveUp;

use crate::http::strict::Refusal;
use crate::http::{Body, BodyError, ResponseHead};

/// Seconds after which a client may ask again when nobody could serve it: about what a failover takes.
const RETRY_AFTER_SECONDS: &str = "1";

/// An answer of ours: status, body, and what the access log says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnAnswer {
    /// The status code.
    pub(crate) status: u16,
    /// Why, in a word for figures and logs.
    pub(crate) reason: &'static str,
    /// One sentence for people.
    pub(crate) sentence: &'static str,
    /// Whether the connection ends with it, because what follows could be misread.
    pub(crate) close: bool,
}

impl OwnAnswer {
    /// For a request that is refused by its head.
    #[must_use]
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self {
            status: refusal.status,
            reason: "head",
            sentence: refusal.reason,
            close: true,
        }
    }

    /// For a path that is malformed or ambiguous.
    #[must_use]
    pub(crate) fn bad_path(sentence: &'static str) -> Self {
        Self {
            status: 400,
            reason: "path",
            sentence,
            close: true,
        }
    }

    /// For a request that has been here before.
    #[must_use]
    pub(crate) fn came_round() -> Self {
        Self {
            status: 508,
            reason: "came-round",
            sentence: "This request came back to the proxy that had sent it on.",
            close: false,
        }
    }

    /// For a path that no route has.
    #[must_use]
    pub(crate) fn no_route() -> Self {
        Self {
            status: 404,
            reason: "no-route",
            sentence: "There is nothing at this address.",
            close: false,
        }
    }

    /// For a client whose body ended early.
    #[must_use]
    pub(crate) fn no_body(error: BodyError) -> Self {
        let (status, sentence) = match error {
            BodyError::Broken | BodyError::Stalled => (408, "The rest of the request did not arrive."),
            BodyError::Malformed => (400, "The body of the request is framed wrongly."),
        };
        Self {
            status,
            reason: "body",
            sentence,
            close: true,
        }
    }

    /// For an exchange that found no answer.
    #[must_use]
    pub(crate) fn gave_up(how: GiveUp) -> Self {
        let (status, sentence) = match how {
            GiveUp::Unavailable | GiveUp::PassOn => {
                (503, "No server could take this request. Please try again.")
            }
            GiveUp::BadGateway | GiveUp::Cut => (
                502,
                "The server failed while it worked on this request. It may or may not have been carried out.",
            ),
            GiveUp::GatewayTimeout => (
                504,
                "The server did not answer in time. The request may or may not have been carried out.",
            ),
        };
        Self {
            status,
            reason: "gave-up",
            sentence,
            close: false,
        }
    }

    /// The response; `request_id` is what the client may ask about.
    #[must_use]
    pub(crate) fn into_response(self, request_id: &str) -> (ResponseHead, Body) {
        let mut head = ResponseHead::new(self.status);
        head.fields.push(b"x-request-id", request_id.as_bytes());
        head.fields.push(b"content-type", b"text/plain; charset=utf-8");
        head.fields.push(b"cache-control", b"no-store");
        if self.status == 503 {
            head.fields.push(b"retry-after", RETRY_AFTER_SECONDS.as_bytes());
        }
        if self.status == 405 {
            head.fields
                .push(b"allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
        }
        if self.close {
            head.fields.push(b"connection", b"close");
        }
        let text = format!("{} {}\n", self.status, self.sentence);
        (head, Body::whole(Bytes::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_of_ours_touches_a_cookie() {
        for how in [GiveUp::Unavailable, GiveUp::BadGateway, GiveUp::GatewayTimeout] {
            let (head, body) = OwnAnswer::gave_up(how).into_response("7f");
            assert_eq!(head.fields.get("x-request-id"), Some(&b"7f"[..]));
            assert!(!head.fields.contains("set-cookie"));
            assert!(body.remaining().is_some_and(|length| length > 0));
        }
    }

    #[test]
    fn only_nobody_there_invites_another_try() {
        let invites = |how| {
            OwnAnswer::gave_up(how)
                .into_response("7f")
                .0
                .fields
                .contains("retry-after")
        };
        assert!(invites(GiveUp::Unavailable));
        assert!(!invites(GiveUp::BadGateway) && !invites(GiveUp::GatewayTimeout));
    }
}
