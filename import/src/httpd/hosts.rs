//! Where a site is served: Listen, VirtualHost, ServerName, and the listeners that come of them.
//!
//! Invariant: an address is listened at once, whatever virtual hosts share it.

use crate::report::Report;
use crate::site::{Listener, ListenerTls, Piece, Redirect};
use crate::source::Line;

use super::draft::{Draft, ListenAddress, Scope, ToHttps};
use super::tree::Directive;

/// All addresses of IPv4, as the examples write it.
const EVERYWHERE: &str = "0.0.0.0";

/// The port of HTTP, where none is said.
const CLEAR: u16 = 80;

/// An address as httpd writes it: `*:80`, `_default_:443`, `192.0.2.1:80`, `[::1]:80`, `80`.
fn address(text: &str) -> Option<ListenAddress> {
    if let Ok(port) = text.parse() {
        return Some(ListenAddress {
            ip: EVERYWHERE.to_owned(),
            port: Some(port),
        });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, "*")) => (host, None),
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    let ip = match host {
        "*" | "_default_" => EVERYWHERE.to_owned(),
        _ => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let parsed: std::net::IpAddr = bare.parse().ok()?;
            if parsed.is_ipv6() {
                format!("[{parsed}]")
            } else {
                parsed.to_string()
            }
        }
    };
    Some(ListenAddress { ip, port })
}

/// `Listen [ADDRESS:]PORT [PROTOCOL]`.
pub(super) fn listen(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    match address(statement.word(0)) {
        Some(address) if address.port.is_some() => {
            if address.ip == EVERYWHERE {
                report.differs(line, "a [[listen]] at all addresses of IPv4; one at [::] in its place is for those of IPv6 as well");
            } else {
                report.becomes(Piece::Listener, line, "a [[listen]]");
            }
            draft.listens.push((address, line.clone()));
        }
        _ => report.unsupported(line, "no address and port: a [[listen]] binds to an IP address"),
    }
}

/// Opens a virtual host.
pub(super) fn open(statement: &Directive, mut scope: Scope, report: &mut Report) -> Scope {
    let line = &statement.line;
    scope.line = Some(line.clone());
    for word in &statement.words {
        match address(word) {
            Some(address) => {
                scope.addresses.push(address);
                report.becomes(Piece::Listener, line, format!("{word}: a [[listen]]"));
            }
            None => {
                let port = word.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
                scope.addresses.push(ListenAddress {
                    ip: EVERYWHERE.to_owned(),
                    port,
                });
                report.differs(
                    line,
                    format!(
                        "{word}: a [[listen]] binds to an IP address and not to a name, so that all are bound"
                    ),
                );
            }
        }
    }
    scope
}

/// `ServerName` and `ServerAlias`.
pub(super) fn name(statement: &Directive, scope: &mut Scope, report: &mut Report) {
    scope.name_lines.push(statement.line.clone());
    for word in &statement.words {
        let name = word.split_once("://").map_or(&**word, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let bare = name.strip_prefix("*.").unwrap_or(&name);
        let is_plain = !bare.is_empty()
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if is_plain {
            if !scope.names.contains(&name) {
                scope.names.push(name);
            }
        } else {
            report.unsupported(&statement.line, format!("`{word}` is no name that a route takes: `*.` in front is for all below, and no other pattern is known"));
        }
    }
}

/// The listeners of all servers.
pub(super) fn listeners(draft: &Draft, report: &mut Report) -> Vec<Listener> {
    let mut listeners: Vec<(Listener, ListenAddress)> = Vec::new();
    let mut add = |address: &ListenAddress, line: Option<&Line>| {
        let bind = format!("{}:{}", address.ip, address.port.unwrap_or(CLEAR));
        let position = listeners.iter().position(|(listener, _)| listener.bind == bind);
        let position = position.unwrap_or_else(|| {
            let listener = Listener {
                bind,
                ..Listener::default()
            };
            listeners.push((listener, address.clone()));
            listeners.len() - 1
        });
        if let Some(line) = line {
            listeners[position].0.origin.add(line);
        }
    };
    let (main, hosts) = draft.scopes.split_first().expect("the main server is there");
    for (address, line) in &draft.listens {
        let serves = hosts
            .iter()
            .any(|host| host.addresses.iter().any(|own| meets(own, address)));
        if serves || !main.passes.is_empty() || hosts.is_empty() {
            add(address, Some(line));
        } else {
            report.differs(
                line,
                "no virtual host is served at it in these files: no [[listen]] is written",
            );
        }
    }
    for host in hosts {
        for own in &host.addresses {
            let heard: Vec<&ListenAddress> = draft
                .listens
                .iter()
                .map(|(address, _)| address)
                .filter(|address| meets(own, address))
                .collect();
            if heard.is_empty() {
                add(own, host.line.as_ref());
                if let Some(line) = &host.line {
                    report.differs(line, unheard(own));
                }
            }
            for address in heard {
                add(address, host.line.as_ref());
            }
        }
    }
    if listeners.is_empty() {
        return vec![expected()];
    }
    listeners
        .into_iter()
        .map(|(mut listener, address)| {
            let here: Vec<&Scope> = draft
                .scopes
                .iter()
                .filter(|scope| scope.addresses.iter().any(|own| meets(own, &address)))
                .collect();
            // The main server is at its addresses where no virtual host is.
            let here = if here.is_empty() { vec![main] } else { here };
            listener.tls = secured(&here, main, report);
            listener.redirect = redirect(&here, !draft.trust.networks.is_empty(), report);
            listener
        })
        .collect()
}

/// The listener of files that name none.
fn expected() -> Listener {
    let mut listener = Listener {
        bind: format!("{EVERYWHERE}:{CLEAR}"),
        ..Listener::default()
    };
    listener
        .origin
        .note("No Listen and no VirtualHost is in these files: this is where clients are expected.");
    listener
}

/// What is told of a virtual host at whose address no Listen of these files is.
fn unheard(ListenAddress { ip, port }: &ListenAddress) -> String {
    let port = port.unwrap_or(CLEAR);
    format!(
        "no Listen of these files is at it: httpd hears there by one that stands elsewhere, and the [[listen]] at {ip}:{port} is assumed. Give the \
         file that has it as well (ports.conf, or the main one)"
    )
}

/// Whether a virtual host's address is served at one that is listened at.
fn meets(own: &ListenAddress, heard: &ListenAddress) -> bool {
    let port = own.port.is_none() || heard.port.is_none() || own.port == heard.port;
    port && (own.ip == heard.ip || own.ip == EVERYWHERE || heard.ip == EVERYWHERE)
}

fn secured(here: &[&Scope], main: &Scope, report: &mut Report) -> Option<ListenerTls> {
    if !here.iter().any(|scope| scope.secured.on) {
        return None;
    }
    let mut tls = ListenerTls::default();
    for scope in here.iter().filter(|scope| scope.secured.on) {
        let own = &scope.secured;
        let named = if own.certs.is_empty() { &main.secured } else { own };
        for (position, cert) in named.certs.iter().enumerate() {
            let key = named.keys.get(position).unwrap_or(cert);
            let pair = (cert.clone(), key.clone());
            if !tls.certificates.contains(&pair) {
                tls.certificates.push(pair);
            }
        }
        if named.certs.is_empty()
            && let Some(line) = &scope.line
        {
            report.unsupported(
                line,
                "TLS without SSLCertificateFile: name the certificate and its key in [listen.tls]",
            );
        }
        tls.strict_sni |= own.strict_sni;
        tls.newest_only |= own.newest_only;
        let http2 = own.http2.or(main.secured.http2);
        tls.no_http2 |= http2 == Some(false);
        if let (None, Some(line)) = (http2, &scope.line) {
            let why = "clients are offered HTTP/2 as well, and httpd offers it where Protocols says h2; `http2 = false` in [listen.tls] takes it away";
            report.differs(line, why);
        }
        let authority = own.authority.as_ref().or(main.secured.authority.as_ref());
        if let (Some(authority), Some(_)) = (authority, own.verify) {
            let mut secured = here.iter().filter(|scope| scope.secured.on);
            let all = secured.all(|scope| scope.secured.verify == Some(true));
            tls.clients = Some((authority.clone(), all));
            tls.client_fields.clone_from(&own.told);
        }
        for line in named.origin.lines.iter().chain(&own.origin.lines) {
            tls.origin.add(line);
        }
        for note in &named.origin.notes {
            tls.origin.note(note.clone());
        }
    }
    (!tls.certificates.is_empty()).then_some(tls)
}

fn redirect(here: &[&Scope], has_trust: bool, report: &mut Report) -> Option<Redirect> {
    let (blind, sending): (Vec<&ToHttps>, Vec<&ToHttps>) = here
        .iter()
        .filter_map(|scope| scope.to_https.as_ref())
        .partition(|to| to.by_balancer && !has_trust);
    for line in blind.iter().flat_map(|to| &to.origin.lines) {
        report.unsupported(line, "rests on what a balancer in front says of the scheme: name the balancer in `trust`, and write `redirect` into the [[listen]]; \
                                  without `trust` it would send clients in a circle, and is not written");
    }
    let (to_https, others) = sending.split_first()?;
    let mut origin = to_https.origin.clone();
    for other in others {
        for line in &other.origin.lines {
            if (other.port, &other.except) == (to_https.port, &to_https.except) {
                origin.add(line);
            } else {
                let first = to_https
                    .origin
                    .lines
                    .first()
                    .map_or_else(String::new, |line| line.place.to_string());
                report.differs(
                    line,
                    format!("a listener sends all clients alike, and does so as {first} says"),
                );
            }
        }
    }
    for other in here
        .iter()
        .filter(|scope| scope.to_https.is_none() && !scope.passes.is_empty())
    {
        if let Some(line) = &other.line {
            report.differs(line, "another host at this address sends its clients to https, and a listener does that for all of them");
        }
    }
    Some(Redirect {
        port: to_https.port,
        except: to_https.except.clone(),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_httpd_writes_them() {
        for (text, expected) in [
            ("*:80", Some(("0.0.0.0", Some(80)))),
            ("_default_:443", Some(("0.0.0.0", Some(443)))),
            ("*", Some(("0.0.0.0", None))),
            ("8080", Some(("0.0.0.0", Some(8_080)))),
            ("192.0.2.1:81", Some(("192.0.2.1", Some(81)))),
            ("[2001:DB8::1]:443", Some(("[2001:db8::1]", Some(443)))),
            ("www.example.com:80", None),
        ] {
            let expected = expected.map(|(ip, port)| ListenAddress {
                ip: ip.to_owned(),
                port,
            });
            assert_eq!(address(text), expected, "{text}");
        }
    }
}
