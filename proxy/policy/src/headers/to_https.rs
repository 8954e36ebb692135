//! From clear text to TLS: who is sent there, and to which address.
//!
//! The address has the host of the client's own request, or what a trusted proxy says of it; never a port of either, which is
//! that of clear text. Where nothing names a host there is no address.
//!
//! Left out on purpose: who is told never to come in clear again (`Strict-Transport-Security`). That is an owner's rule.

use super::client::{ClientView, Scheme};
use crate::parts::ShortText;

/// Where a listener in clear sends its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToHttps {
    /// The port of TLS, as clients see it.
    pub port: u16,
    /// Paths that are served in clear, with all below them; each begins with a slash. A path with a dot segment is below none,
    /// because whoever resolves it finds it elsewhere.
    pub except: Vec<String>,
}

impl ToHttps {
    /// Whether the request of this client is sent there. One that a trusted proxy has from a client over TLS is not.
    #[must_use]
    pub fn covers(&self, client: &ClientView<'_>, target: &[u8]) -> bool {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
        let is_below = |except: &String| {
            let rest = path.strip_prefix(except.trim_end_matches('/').as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
        };
        client.scheme == Scheme::Http && (!self.except.iter().any(is_below) || has_dot_segment(path))
    }

    /// Writes the address; false when nothing names a host.
    #[must_use]
    pub fn write(&self, client: &ClientView<'_>, target: &[u8], to: &mut Vec<u8>) -> bool {
        let host = client.host_name();
        to.clear();
        to.extend_from_slice(b"https://");
        to.extend_from_slice(host);
        if self.port != Scheme::Https.default_port() {
            to.push(b':');
            to.extend_from_slice(ShortText::of_port(self.port).as_bytes());
        }
        // `*` asks the server itself.
        let target = if target.starts_with(b"/") { target } else { b"/" };
        to.extend_from_slice(target);
        !host.is_empty()
    }
}

/// Whether somebody may read a segment of it as `.` or `..`, escapes decoded once and slashes of either kind.
fn has_dot_segment(path: &[u8]) -> bool {
    let (mut rest, mut dots) = (path, None);
    loop {
        let (byte, length) = match rest {
            [b'%', b'2', b'e' | b'E', ..] => (b'.', 3),
            [b'%', b'2', b'f' | b'F', ..] | [b'%', b'5', b'c' | b'C', ..] => (b'/', 3),
            // What follows is a parameter, and no part of the name.
            [b'%', b'3', b'b' | b'B', ..] => (b'/', 3),
            [b'/' | b'\\' | b';', ..] => (b'/', 1),
            [byte, ..] => (*byte, 1),
            [] => (b'/', 0),
        };
        match (byte, dots) {
            (b'/', Some(1 | 2)) => return true,
            (b'/', _) if length == 0 => return false,
            // A segment begins, of no dots so far.
            (b'/', _) => dots = Some(0_usize),
            (b'.', Some(before)) => dots = Some(before + 1),
            _ => dots = None,
        }
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bytes;
    use super::super::{ForwardingHeader, Peer};
    use super::*;

    /// Where a client is sent that asks so, behind a proxy that is trusted or not; none if it is served.
    fn sent(to: &ToHttps, trusted: bool, fields: &[(&str, &str)], target: &str) -> Option<String> {
        let peer = Peer {
            address: [192, 0, 2, 7].into(),
            scheme: Scheme::Http,
        };
        let fields = bytes(fields);
        let view = ClientView::of(&peer, ForwardingHeader::XForwardedFor, |_| trusted, &fields);
        let mut address = b"what was there".to_vec();
        to.covers(&view, target.as_bytes())
            .then(|| match to.write(&view, target.as_bytes(), &mut address) {
                true => String::from_utf8(address).unwrap(),
                false => "nowhere".to_owned(),
            })
    }

    #[test]
    fn a_path_that_leads_out_of_an_exception_is_none() {
        let to = ToHttps {
            port: 443,
            except: vec!["/.well-known/acme-challenge".to_owned()],
        };
        for (rest, is_sent) in [
            ("/../../shop/", true),
            ("/..", true),
            ("/%2e%2E/shop", true),
            ("/.%2e", true),
            ("/./t", true),
            ("/a/..;x/b", true),
            ("/..%3bx/b", true),
            ("/..%2fshop", true),
            ("/a%5c..%5Cshop", true),
            ("/..?t", true),
            ("/...", false),
            ("/.t", false),
            ("/t..", false),
            ("/a.b/%41", false),
            ("/t?a=/../b", false),
        ] {
            let target = format!("/.well-known/acme-challenge{rest}");
            let sent = sent(&to, false, &[("Host", "shop.test")], &target);
            assert_eq!(sent.is_some(), is_sent, "{target}");
        }
    }

    #[test]
    fn a_client_in_clear_is_sent_to_the_host_that_it_asked() {
        let usual = ToHttps {
            port: 443,
            except: vec!["/.well-known/acme-challenge".to_owned()],
        };
        let other = ToHttps {
            port: 8443,
            ..usual.clone()
        };
        let host = [("Host", "shop.test:8080")];
        let forwarded = [
            ("Host", "inner:8080"),
            ("X-Forwarded-Host", "evil.test"),
            ("X-Forwarded-Proto", "https"),
        ];
        let front = [("Host", "inner"), ("X-Forwarded-Host", "shop.test:80")];
        for (to, trusted, fields, target, expected) in [
            (
                &usual,
                false,
                &host[..],
                "/a?b=c",
                Some("https://shop.test/a?b=c"),
            ),
            (&other, false, &host, "/", Some("https://shop.test:8443/")),
            (
                &other,
                false,
                &[("Host", "[::1]:80")],
                "/",
                Some("https://[::1]:8443/"),
            ),
            (&usual, false, &host, "*", Some("https://shop.test/")),
            (&usual, false, &[], "/", Some("nowhere")),
            (&usual, false, &forwarded, "/", Some("https://inner/")),
            (&usual, true, &forwarded, "/", None),
            (&usual, true, &front, "/", Some("https://shop.test/")),
            (&usual, false, &host, "/.well-known/acme-challenge", None),
            (&usual, false, &host, "/.well-known/acme-challenge/t?x", None),
            (
                &usual,
                false,
                &host,
                "/.well-known/acme-challenges",
                Some("https://shop.test/.well-known/acme-challenges"),
            ),
        ] {
            let sent = sent(to, trusted, fields, target);
            assert_eq!(sent.as_deref(), expected, "{fields:?} {target}");
        }
    }
}
