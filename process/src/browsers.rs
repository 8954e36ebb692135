//! Whether a browser may have sent a request to a gRPC service, which none is there for. Pure.
//!
//! Any web page can make the browser of whoever reads it send a POST to an address that only that machine reaches, with that
//! person's certificate over TLS, and with DNS rebinding read the answer. What a page cannot do is name a type of its choice without asking
//! first (a preflight, which nobody here answers), and leave out what its browser says of where it comes from.
//!
//! Invariants: a request that says nothing of its type is refused like one of another type · where a browser's own words stand,
//! the type does not help.
//!
//! Left out on purpose: the console, which is for browsers and has rules of its own.

use http::{HeaderMap, HeaderName, StatusCode, header};

/// What requests and answers of gRPC are, before the name of a codec.
const GRPC: &str = "application/grpc";

/// How fields begin that a browser alone writes, and no script of a page.
const FETCH: &str = "sec-fetch-";

/// What a browser is told, or a person who made one ask.
const OF_A_BROWSER: &str = "this is for programs that speak gRPC, and a browser asks: open /console/ at the proxy's control address\n";

/// What whoever speaks something else is told.
const NO_GRPC: &str =
    "this is for programs that speak gRPC, whose requests are of the type application/grpc: use `remora`\n";

/// With what a request to a gRPC service is refused; none where it is a program's.
pub fn refusal(headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let is_browsers = |name: &HeaderName| *name == header::ORIGIN || name.as_str().starts_with(FETCH);
    if headers.keys().any(is_browsers) {
        return Some((StatusCode::FORBIDDEN, OF_A_BROWSER));
    }
    let form = headers
        .get(header::CONTENT_TYPE)
        .map_or(&[][..], |form| form.as_bytes());
    let codec = form.strip_prefix(GRPC.as_bytes());
    // gRPC for browsers is another type, which begins alike.
    let is_grpc = codec.is_some_and(|codec| matches!(codec.first(), None | Some(b'+' | b';')));
    (!is_grpc).then_some((StatusCode::UNSUPPORTED_MEDIA_TYPE, NO_GRPC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(said: &[(&str, &str)]) -> Option<u16> {
        let fields = said.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        refusal(&fields.collect()).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn only_programs_speak_grpc() {
        for form in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x=1",
        ] {
            assert_eq!(
                status(&[("content-type", form), ("user-agent", "x")]),
                None,
                "{form}"
            );
        }
        for form in [
            "",
            "text/plain",
            "application/grpc-web",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(status(&[("content-type", form)]), Some(415), "{form}");
        }
        assert_eq!(status(&[]), Some(415));
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "no-cors"),
        ] {
            let said = [("content-type", "application/grpc"), (name, value)];
            assert_eq!(status(&said), Some(403), "{name}");
        }
    }
}
