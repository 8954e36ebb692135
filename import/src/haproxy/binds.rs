//! HAProxy's `bind` as listeners.
//!
//! Invariant: an address is bound once; of `0.0.0.0` and `[::]` on a port the latter alone, which takes both kinds of clients.
//!
//! Left out on purpose: sockets of files and ranges of ports. A listener is an address.

use std::net::SocketAddr;

use super::HaproxyReader;
use super::lexer::Words;
use crate::site::{Listener, ListenerTls, Origin, Piece, Redirect};
use crate::source::Line;

/// Words of `bind` that take a value and say nothing here.
const WITH_VALUE: &[&str] = &[
    "name",
    "interface",
    "mss",
    "maxconn",
    "backlog",
    "nice",
    "process",
    "thread",
    "shards",
    "mode",
    "user",
    "group",
    "uid",
    "gid",
    "level",
    "id",
    "guid",
    "namespace",
    "proto",
    "tcp-ut",
    "ciphers",
    "ciphersuites",
    "ecdhe",
    "curves",
    "npn",
    "severity-output",
    "expose-fd",
    "ssl-max-ver",
    "ca-sign-file",
    "ca-sign-pass",
    "tls-ticket-keys",
    "crt-ignore-err",
    "ca-ignore-err",
    "sigalgs",
    "client-sigalgs",
    "quic-cc-algo",
];

/// Words of `bind` that stand alone and say nothing here.
const ALONE: &[&str] = &[
    "accept-netscaler-cip",
    "allow-0rtt",
    "defer-accept",
    "force-tlsv12",
    "no-sslv3",
    "no-tlsv10",
    "no-tlsv11",
    "no-tls-tickets",
    "tls-tickets",
    "no-ca-names",
    "prefer-client-ciphers",
    "tfo",
    "transparent",
    "v4v6",
    "v6only",
    "generate-certificates",
    "quic-force-retry",
];

impl<'t> HaproxyReader<'t> {
    /// The listeners of a `bind`, or of the address in the head of a section.
    pub(super) fn bind(&mut self, line: &Words, at: usize, redirect: Option<&Redirect>) {
        let mut tls = None;
        let (mut differs, mut proxied) = (Vec::new(), false);
        if line.has("ssl") {
            tls = self.tls(line, &mut differs);
            if tls.is_none() {
                let why = "TLS without the name of a file (a folder and a list name none): no listener is written for it. Add one with each \
                           certificate in [[listen.tls.certificate]]";
                self.report.unsupported(&line.line, why);
                return;
            }
        }
        let mut words = line.from(at + 1).iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "accept-proxy" => proxied = true,
                "ssl" | "strict-sni" | "no-alpn" | "no-tlsv12" | "force-tlsv13" => {}
                "crt" | "crt-list" | "alpn" | "ca-file" | "verify" | "ssl-min-ver" | "crl-file" => {
                    words.next();
                }
                word if WITH_VALUE.contains(&word) => {
                    words.next();
                }
                word if ALONE.contains(&word) => {}
                other => differs.push(format!(
                    "not understood: `{other}`: nothing was written for it; look up what it does"
                )),
            }
        }
        if proxied {
            let why = "who may send a PROXY header has to be said: list the balancers in `proxy_protocol` of this listener";
            self.report.unsupported(&line.line, why);
        }
        for address in line.word(at).split(',') {
            let Some(bind) = bind_of(address) else {
                differs.push(format!(
                    "`{address}` is no IP address with one port: no listener is written for it"
                ));
                continue;
            };
            self.site.listeners.push(Listener {
                bind,
                redirect: redirect.filter(|_| tls.is_none()).cloned(),
                tls: tls.clone(),
                origin: Origin::of(&line.line),
                ..Listener::default()
            });
        }
        self.report
            .parts(Some(Piece::Listener), &line.line, "a listener", &differs);
    }

    /// What the listener's TLS is made of.
    fn tls(&mut self, line: &Words, differs: &mut Vec<String>) -> Option<ListenerTls> {
        let mut tls = ListenerTls {
            strict_sni: line.has("strict-sni"),
            newest_only: line.behind("ssl-min-ver") == Some("TLSv1.3")
                || line.has("force-tlsv13")
                || line.has("no-tlsv12"),
            ..ListenerTls::default()
        };
        for pair in line.words.windows(2) {
            let file = pair[1].as_str();
            match pair[0].as_str() {
                "crt" if file.ends_with('/') => differs.push(
                    "a folder of certificates: list each of its files in [[listen.tls.certificate]]"
                        .to_owned(),
                ),
                "crt" => tls.certificates.push((file.to_owned(), file.to_owned())),
                "crt-list" => differs.push(
                    "a list of certificates: name each of its files in [[listen.tls.certificate]]".to_owned(),
                ),
                "crl-file" => differs.push("no lists of revoked certificates are read".to_owned()),
                _ => {}
            }
        }
        match (line.behind("alpn"), line.has("no-alpn")) {
            (Some(list), _) => tls.no_http2 = !list.split(',').any(|protocol| protocol == "h2"),
            (None, true) => tls.no_http2 = true,
            (None, false) => {
                differs.push(
                    "clients are offered HTTP/2 as well; `http2 = false` in [listen.tls] takes it away"
                        .to_owned(),
                );
            }
        }
        let verify = line.behind("verify").unwrap_or("none");
        tls.clients = line
            .behind("ca-file")
            .filter(|_| verify != "none")
            .map(|file| (file.to_owned(), verify == "required"));
        (!tls.certificates.is_empty()).then_some(tls)
    }

    /// Of listeners at one address the first stays, with the certificates of all.
    pub(super) fn merge_listeners(&mut self) {
        let mut kept: Vec<Listener> = Vec::new();
        let listeners = std::mem::take(&mut self.site.listeners);
        let both: Vec<String> = listeners
            .iter()
            .filter_map(|own| own.bind.strip_prefix("[::]").map(str::to_owned))
            .collect();
        for listener in listeners {
            let port = listener.bind.strip_prefix("0.0.0.0");
            if port.is_some_and(|port| both.iter().any(|other| other == port)) {
                self.on_another(&listener.origin.lines, "[::] takes these clients as well");
                continue;
            }
            let Some(first) = kept.iter_mut().find(|own| own.bind == listener.bind) else {
                kept.push(listener);
                continue;
            };
            if let (Some(tls), Some(more)) = (&mut first.tls, listener.tls) {
                let others: Vec<_> = more
                    .certificates
                    .into_iter()
                    .filter(|pair| !tls.certificates.contains(pair))
                    .collect();
                tls.certificates.extend(others);
            }
            self.on_another(
                &listener.origin.lines,
                "this address is bound once, by the first line that names it",
            );
        }
        self.site.listeners = kept;
        let mut ports: Vec<&str> = self
            .site
            .listeners
            .iter()
            .filter(|own| own.redirect.is_none())
            .filter_map(|own| Some(own.bind.rsplit_once(':')?.1))
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let fronts = self
            .sections
            .iter()
            .filter(|section| section.is_front() && super::is_http(section))
            .count();
        if ports.len() > 1 && fronts > 1 {
            let why = "a route holds on all listeners: what HAProxy has on this address alone is served on the others as well. Hosts tell them apart";
            let lines: Vec<Line> = self
                .site
                .listeners
                .iter()
                .flat_map(|own| own.origin.lines.clone())
                .collect();
            lines.iter().for_each(|line| self.report.differs(line, why));
        }
    }

    fn on_another(&mut self, lines: &[Line], why: &str) {
        for line in lines {
            self.report.differs(line, why);
        }
    }
}

/// Where a `bind` binds.
fn bind_of(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("ipv4@")
        .or(text.strip_prefix("ipv6@"))
        .unwrap_or(text);
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    match host {
        "" | "*" => Some(format!("0.0.0.0:{port}")),
        "::" | "[::]" => Some(format!("[::]:{port}")),
        "localhost" => Some(format!("127.0.0.1:{port}")),
        _ => {
            let address: std::net::IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
            Some(SocketAddr::new(address, port).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bound_as_haproxy_binds_it() {
        for (text, bind) in [
            (":80", Some("0.0.0.0:80")),
            ("*:8080", Some("0.0.0.0:8080")),
            ("192.0.2.1:80", Some("192.0.2.1:80")),
            (":::443", Some("[::]:443")),
            ("[2001:db8::1]:443", Some("[2001:db8::1]:443")),
            ("ipv6@:::80", Some("[::]:80")),
            (":80-85", None),
            ("80", None),
            ("/run/x.sock", None),
            ("fd@3", None),
        ] {
            assert_eq!(bind_of(text).as_deref(), bind, "{text}");
        }
    }
}
