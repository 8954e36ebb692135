//! The answers that the proxy gives itself: small, readable, and never with a cookie. An owner's page stands in place of the
//! sentence, where there is one.
//!
//! Invariants: an error answer names no upstream and nothing that the request carried; it never replaces or removes a
//! session cookie, because the session is not at fault.

use remora_h1::{Head, Refusal};
use remora_policy::{GiveUp, Page, PageForm};

use crate::config::Pages;
use crate::directory::Notice;

/// Why a client is told that there is nothing.
const NO_ROUTE: &str = "no-route";

/// Why a client is told to come back later.
const MAINTENANCE: &str = "maintenance";

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
    /// Whether an error that is answered for this reason is none of the site: the client's mistake, or its owner's wish.
    pub(crate) fn is_in_order(reason: &str) -> bool {
        matches!(reason, NO_ROUTE | MAINTENANCE)
    }

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
            reason: NO_ROUTE,
            sentence: "There is nothing at this address.",
            close: false,
        }
    }

    /// For a client that has to come over TLS; `reads` says that it only wants to look.
    ///
    /// 301 for it, which every client knows; 308 for what has content or changes something: after a 301 many send a GET.
    #[must_use]
    pub(crate) fn moved(reads: bool) -> Self {
        Self {
            status: if reads { 301 } else { 308 },
            reason: "https",
            sentence: "This site is found over https.",
            close: false,
        }
    }

    /// For one that has to come over TLS and names no host.
    #[must_use]
    pub(crate) fn no_host() -> Self {
        Self {
            status: 400,
            reason: "no-host",
            sentence: "The request names no host.",
            close: false,
        }
    }

    /// Whether it sends the client to another address.
    #[must_use]
    pub(crate) fn leads_away(self) -> bool {
        (300..400).contains(&self.status)
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

    /// For a request of a pool that is under maintenance.
    #[must_use]
    pub(crate) fn maintenance() -> Self {
        Self {
            status: 503,
            reason: MAINTENANCE,
            sentence: "This site is under maintenance. Please come back later.",
            close: false,
        }
    }

    /// The page that stands in its place, and when its client may ask again.
    fn said<'a>(self, words: &Words<'a>) -> (Option<&'a Page>, Option<u32>) {
        let Words { pages, notice } = words;
        if let Some(notice) = notice {
            return (notice.page.as_ref(), Some(notice.retry_after));
        }
        match self.status {
            // Nothing went wrong, and clients go on at once.
            300..=399 => (None, None),
            404 => (pages.not_found.as_ref(), None),
            502 => (pages.bad_gateway.as_ref(), None),
            503 => (pages.unavailable.as_ref(), Some(pages.retry_after)),
            504 => (pages.timeout.as_ref(), None),
            _ => (pages.bad_request.as_ref(), None),
        }
    }

    /// Writes the head of the response; `request_id` is what the client may ask about. Answers its content.
    pub(crate) fn write(self, words: &Words<'_>, request_id: &str, head: &mut Head) -> String {
        let (page, retry_after) = self.said(words);
        let form = page.map_or(PageForm::Text, Page::form);
        *head = Head::response(self.status);
        let fields = &mut head.fields;
        fields.push(b"x-request-id", request_id.as_bytes());
        fields.push(b"content-type", form.content_type().as_bytes());
        fields.push(b"cache-control", b"no-store");
        if let Some(seconds) = retry_after {
            fields.push(b"retry-after", seconds.to_string().as_bytes());
        }
        if self.status == 405 {
            fields.push(b"allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
        }
        page.map_or_else(
            || format!("{} {}\n", self.status, self.sentence),
            |page| page.filled(request_id),
        )
    }
}

/// What an owner has to say where we answer.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The pages that hold for the request.
    pub(crate) pages: &'a Pages,
    /// Present where the pool is under maintenance, and this is the answer that says so.
    pub(crate) notice: Option<&'a Notice>,
}

#[cfg(test)]
mod tests {
    use remora_h1::Fields;

    use super::*;

    fn page(text: &str) -> Page {
        Page::new(PageForm::Html, text.into()).unwrap()
    }

    fn pages(with: bool) -> Pages {
        let page = |text| with.then(|| page(text));
        Pages {
            bad_request: page("bad request"),
            not_found: page("not found"),
            bad_gateway: page("bad gateway"),
            unavailable: page("unavailable {request-id}"),
            timeout: page("timeout"),
            maintenance: page("maintenance"),
            retry_after: 7,
        }
    }

    fn written(own: OwnAnswer, pages: &Pages, notice: Option<&Notice>) -> (String, Fields) {
        let mut head = Head::default();
        let text = own.write(&Words { pages, notice }, "7f", &mut head);
        assert_eq!(head.status(), own.status);
        (text, head.fields)
    }

    #[test]
    fn no_answer_of_ours_touches_a_cookie() {
        for how in [GiveUp::Unavailable, GiveUp::BadGateway, GiveUp::GatewayTimeout] {
            for with in [false, true] {
                let (text, fields) = written(OwnAnswer::gave_up(how), &pages(with), None);
                assert!(!text.is_empty());
                assert_eq!(fields.get("x-request-id"), Some(&b"7f"[..]));
                assert_eq!(fields.get("set-cookie"), None);
            }
        }
    }

    #[test]
    fn only_nobody_there_invites_another_try() {
        let again = |how| {
            let (_, fields) = written(OwnAnswer::gave_up(how), &pages(false), None);
            fields.get("retry-after").map(<[u8]>::to_vec)
        };
        assert_eq!(again(GiveUp::Unavailable), Some(b"7".to_vec()));
        assert_eq!(again(GiveUp::BadGateway), None);
        assert_eq!(again(GiveUp::GatewayTimeout), None);
    }

    #[test]
    fn each_answer_has_its_page() {
        let pages = pages(true);
        let notice = Notice {
            page: Some(page("closed")),
            retry_after: 600,
        };
        for (own, notice, expected, again) in [
            (OwnAnswer::bad_path(""), None, "bad request", None),
            (OwnAnswer::no_host(), None, "bad request", None),
            (OwnAnswer::came_round(), None, "bad request", None),
            (OwnAnswer::too_slow(), None, "bad request", None),
            (OwnAnswer::no_route(), None, "not found", None),
            (OwnAnswer::gave_up(GiveUp::BadGateway), None, "bad gateway", None),
            (
                OwnAnswer::gave_up(GiveUp::Unavailable),
                None,
                "unavailable 7f",
                Some("7"),
            ),
            (OwnAnswer::gave_up(GiveUp::GatewayTimeout), None, "timeout", None),
            (OwnAnswer::maintenance(), Some(&notice), "closed", Some("600")),
        ] {
            let (text, fields) = written(own, &pages, notice);
            assert_eq!(text, expected);
            assert_eq!(fields.get("retry-after"), again.map(str::as_bytes));
            assert_eq!(fields.get("content-type"), Some(&b"text/html; charset=utf-8"[..]));
        }
        for reads in [true, false] {
            let (text, fields) = written(OwnAnswer::moved(reads), &pages, None);
            assert!(text.contains("found over https"), "nothing went wrong: {text}");
            assert_eq!(fields.get("retry-after"), None);
            assert_eq!(
                fields.get("content-type"),
                Some(&b"text/plain; charset=utf-8"[..])
            );
        }
    }
}
