//! Heads from and to the form of HTTP/1.1, for which all rules are written.
//!
//! Invariants: a request's head is checked as one that was read from HTTP/1.1, with the same limits · `:authority` is `Host`, and
//! where both are there they are the same · crumbs of a cookie are one field, as the session is looked up in it · names are in lower
//! case in both directions, and no field of one connection goes out.
//!
//! The order of fields of different names is lost before they come here; nothing rests on it.

use bytes::BytesMut;
use h2::ext::Protocol;
use http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use remora_h1::{Fields, Head, Known, Length, Limits, Refusal, Version, check_written};

use super::websocket::Nonce;

/// For a request that names two hosts.
const TWO_HOSTS: Refusal = Refusal {
    status: 400,
    reason: "authority",
    sentence: "The address names another host than Host does.",
};

/// For a value that HTTP/1.1 would read without its first or last byte.
const SPACE_AROUND: Refusal = Refusal {
    status: 400,
    reason: "space-around-value",
    sentence: "A field must not begin or end with a space.",
};

/// For a request to leave HTTP for anything but WebSocket.
const PROTOCOL: Refusal = Refusal {
    status: 501,
    reason: "protocol",
    sentence: "The only protocol served beside HTTP is WebSocket.",
};

/// Writes a request's head, into one that is empty, with the help of a buffer; `key` is given where it asks for a WebSocket.
/// Answers how long its fields say that it is.
pub(super) fn read<B>(
    request: &Request<B>,
    key: Option<&Nonce>,
    (head, scratch): (&mut Head, &mut Vec<u8>),
    limits: &Limits,
) -> Result<Length, Refusal> {
    let (uri, fields) = (request.uri(), request.headers());
    let path = uri.path_and_query().map(|path| path.as_str());
    let authority = uri.authority().map(|authority| authority.as_str());
    let method = match key {
        Some(_) => "GET",
        None => request.method().as_str(),
    };
    // A plain CONNECT has no path; its method is refused.
    head.set_request(method, [path.or(authority).unwrap_or_default().as_bytes()]);
    head.set_version(Version::Http2);
    if let Some(authority) = authority {
        head.fields.push(b"host", authority.as_bytes());
    }
    let mut refusal = is_other_protocol(request).then_some(PROTOCOL);
    for (name, value) in fields {
        let value = value.as_bytes();
        if value.first().is_some_and(is_space) || value.last().is_some_and(is_space) {
            refusal = refusal.or(Some(SPACE_AROUND));
        }
        match authority {
            _ if *name == COOKIE => {}
            Some(authority) if *name == HOST => {
                if !value.eq_ignore_ascii_case(authority.as_bytes()) {
                    refusal = refusal.or(Some(TWO_HOSTS));
                }
            }
            _ if key.is_some() && Nonce::replaces(name.as_str()) => {}
            _ => head.fields.push(name.as_str().as_bytes(), value),
        }
    }
    push_cookie(fields, scratch, &mut head.fields);
    if let Some(key) = key {
        key.ask(&mut head.fields);
    }
    match refusal {
        None => check_written(head, limits),
        Some(refusal) => Err(refusal),
    }
}

/// Whether this asks for a WebSocket (RFC 8441 section 4).
pub(super) fn is_websocket<B>(request: &Request<B>) -> bool {
    protocol(request).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

fn is_other_protocol<B>(request: &Request<B>) -> bool {
    protocol(request).is_some() && !is_websocket(request)
}

fn protocol<B>(request: &Request<B>) -> Option<&str> {
    let protocol = request.extensions().get::<Protocol>()?;
    (request.method() == Method::CONNECT).then_some(protocol.as_str())
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// One cookie of all its crumbs (RFC 9113 section 8.2.3).
fn push_cookie(from: &HeaderMap, scratch: &mut Vec<u8>, to: &mut Fields) {
    let mut crumbs = from.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (Some(first), second) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    if second.is_none() {
        return to.push(b"cookie", first);
    }
    scratch.clear();
    scratch.extend_from_slice(first);
    for crumb in second.into_iter().chain(crumbs) {
        scratch.extend_from_slice(b"; ");
        scratch.extend_from_slice(crumb);
    }
    to.push(b"cookie", scratch);
}

/// The head of an answer, with this status in place of its own.
pub(super) fn answer(status: u16, fields: &Fields, length: Length) -> Response<()> {
    let mut response = Response::new(());
    // A status that was read has three digits.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = map(fields);
    if let Length::Known(bytes) = length
        && !fields.has(Known::ContentLength)
    {
        response
            .headers_mut()
            .insert(http::header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    response
}

/// Fields as the crate takes them: values share one piece of memory.
pub(super) fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    let mut room = BytesMut::with_capacity(fields.wire().len());
    for (name, value) in fields.iter().filter(|(name, _)| !is_of_one_connection(name)) {
        room.extend_from_slice(value);
        let value = HeaderValue::from_maybe_shared(room.split().freeze());
        // What was read from an upstream has passed the same rules.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            map.append(name, value);
        }
    }
    map
}

/// Fields that HTTP/2 has no place for (RFC 9113 section 8.2.2), whoever put them in.
fn is_of_one_connection(name: &[u8]) -> bool {
    match Known::of(name) {
        Some(known) => matches!(
            known,
            Known::Connection | Known::Te | Known::TransferEncoding | Known::Upgrade
        ),
        None => name.eq_ignore_ascii_case(b"keep-alive") || name.eq_ignore_ascii_case(b"proxy-connection"),
    }
}

/// Fields behind content, which were read, in the form of HTTP/1.1.
pub(super) fn read_trailers(from: &HeaderMap, to: &mut Fields) {
    for (name, value) in from {
        to.push(name.as_str().as_bytes(), value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head_bytes: 1_000,
        fields: 10,
        target_bytes: 100,
    };

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn written(request: &Request<()>) -> Result<String, &'static str> {
        let (mut head, mut scratch) = (Head::default(), Vec::new());
        let length = read(request, None, (&mut head, &mut scratch), &LIMITS);
        let wire = String::from_utf8_lossy(head.fields.wire()).into_owned();
        length.map(|_| wire).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_head_is_written_as_http_1_1_has_it() {
        let asked = request(
            "https://shop.test/a;b?c=d",
            &[("accept", "x"), ("host", "Shop.Test")],
        );
        assert_eq!(
            written(&asked).unwrap(),
            "GET /a;b?c=d HTTP/1.1\r\nhost: shop.test\r\naccept: x\r\n"
        );
        let asked = request("/", &[("host", "h")]);
        assert_eq!(written(&asked).unwrap(), "GET / HTTP/1.1\r\nhost: h\r\n");
    }

    #[test]
    fn crumbs_of_a_cookie_are_one() {
        let asked = request(
            "https://h/",
            &[("cookie", "a=1"), ("x", "y"), ("cookie", "JSESSIONID=2")],
        );
        let written = written(&asked).unwrap();
        assert!(
            written.ends_with("\r\ncookie: a=1; JSESSIONID=2\r\n"),
            "{written}"
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (uri, fields, reason) in [
            ("https://h/", &[("host", "other")][..], "authority"),
            ("https://h/", &[("a", " b")], "space-around-value"),
            ("https://h/", &[("a", "b\t")], "space-around-value"),
            ("https://u@h/", &[], "host"),
            ("/", &[], "host-missing"),
            (
                "https://h/",
                &[("content-length", "1"), ("content-length", "1")],
                "content-length",
            ),
            ("https://h/", &[("expect", "more")], "expectation"),
        ] {
            assert_eq!(written(&request(uri, fields)), Err(reason), "{uri} {fields:?}");
        }
        let mut connect = request("h:1", &[]);
        *connect.method_mut() = Method::CONNECT;
        assert_eq!(written(&connect), Err("method"));
        connect
            .extensions_mut()
            .insert(Protocol::from_static("connect-udp"));
        assert!(is_other_protocol(&connect) && !is_websocket(&connect));
    }

    #[test]
    fn no_field_of_one_connection_goes_out() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("Connection", "close"),
            ("Keep-Alive", "1"),
            ("Set-Cookie", "a"),
            ("Transfer-Encoding", "chunked"),
            ("set-cookie", "b"),
            ("Trailer", "sum"),
        ] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let answer = answer(204, &fields, Length::None);
        let names: Vec<_> = answer
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(names, ["set-cookie: a", "set-cookie: b", "trailer: sum"]);
        assert_eq!(answer.status(), 204);
    }
}
