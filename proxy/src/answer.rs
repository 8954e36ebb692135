//! The answers that the proxy gives itself: small, readable, and never with a cookie.
//!
//! Invariants: an error answer names no upstream and nothing that the request carried; it never replaces or removes a
//! session cookie, because the session is not at fault.

use remora_h1::{Head, Refusal};
use remora_policy::GiveUp;

/// Seconds after which a client may ask again when nobody could serve it: about what a failover takes.
const RETRY_AFTER_SECONDS: &str = "1";

/// An answer of ours: status, body, and what the access log says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnAnswer {
    /// The status code.
    pub(crate) status: u16,
    /// One word, for figures and logs.
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
            reason: refusal.reason,
            sentence: refusal.sentence,
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
            reason: "loop",
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

    /// For a client whose content did not come in time.
    #[must_use]
    pub(crate) fn too_slow() -> Self {
        Self {
            status: 408,
            reason: "too-slow",
            sentence: "The rest of the request did not arrive.",
            close: true,
        }
    }

    /// For an exchange that found no answer.
    #[must_use]
    pub(crate) fn gave_up(how: GiveUp) -> Self {
        let (status, reason, sentence) = match how {
            GiveUp::Unavailable | GiveUp::PassOn => (
                503,
                "unavailable",
                "No server could take this request. Please try again.",
            ),
            GiveUp::BadGateway | GiveUp::Cut => (
                502,
                "bad-gateway",
                "The server failed while it worked on this request. It may or may not have been carried out.",
            ),
            GiveUp::GatewayTimeout => (
                504,
                "gateway-timeout",
                "The server did not answer in time. The request may or may not have been carried out.",
            ),
        };
        Self {
            status,
            reason,
            sentence,
            close: false,
        }
    }

    /// Writes the head of the response; `request_id` is what the client may ask about. Answers its content.
    pub(crate) fn write(self, request_id: &str, head: &mut Head) -> String {
        *head = Head::response(self.status);
        let fields = &mut head.fields;
        fields.push(b"x-request-id", request_id.as_bytes());
        fields.push(b"content-type", b"text/plain; charset=utf-8");
        fields.push(b"cache-control", b"no-store");
        if self.status == 503 {
            fields.push(b"retry-after", RETRY_AFTER_SECONDS.as_bytes());
        }
        if self.status == 405 {
            fields.push(b"allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
        }
        format!("{} {}\n", self.status, self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use remora_h1::Fields;

    use super::*;

    fn fields_of(how: GiveUp) -> Fields {
        let mut head = Head::default();
        let text = OwnAnswer::gave_up(how).write("7f", &mut head);
        assert!(!text.is_empty());
        head.fields
    }

    #[test]
    fn no_answer_of_ours_touches_a_cookie() {
        for how in [GiveUp::Unavailable, GiveUp::BadGateway, GiveUp::GatewayTimeout] {
            let fields = fields_of(how);
            assert_eq!(fields.get("x-request-id"), Some(&b"7f"[..]));
            assert_eq!(fields.get("set-cookie"), None);
        }
    }

    #[test]
    fn only_nobody_there_invites_another_try() {
        let invites = |how| fields_of(how).get("retry-after").is_some();
        assert!(invites(GiveUp::Unavailable));
        assert!(!invites(GiveUp::BadGateway) && !invites(GiveUp::GatewayTimeout));
    }
}
