//! Where nginx listens: each address once, whatever servers share it, with the certificates of all of them.
//!
//! Invariants: an address is bound once; of `0.0.0.0` and `[::]` on a port the latter alone, which takes both kinds of clients · a
//! listener sends to https only if all that is on its address does.
//!
//! Left out on purpose: what only one of several servers on an address says of TLS itself. The first holds for all, and that is said.

use std::net::SocketAddr;

use super::tree::Statement;
use super::{NginxReader, NginxScope};
use crate::site::{Listener, ListenerTls, Origin, Piece, Redirect};
use crate::source::Line;

/// An address, as it is found in the servers that share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    bind: String,
    origin: Origin,
    tls: Option<ListenerTls>,
    proxy_protocol: bool,
    /// For each server that says where requests go: how it sends them to https, if it does.
    servers: Vec<Option<Redirect>>,
}

/// One `listen`, read.
struct Address {
    bind: String,
    tls: bool,
    http2: bool,
    proxy_protocol: bool,
}

/// Words of `listen` about the socket, which the proxy sets as it needs them.
const OF_THE_SOCKET: &[&str] = &[
    "reuseport",
    "backlog",
    "deferred",
    "bind",
    "ipv6only",
    "so_keepalive",
    "fastopen",
    "rcvbuf",
    "sndbuf",
    "accept_filter",
    "setfib",
    "default",
    "default_server",
    "multipath",
];

impl<'t> NginxReader<'t> {
    /// Notes where a server listens, and whether it sends clients in clear to https.
    pub(super) fn listens(
        &mut self,
        server: &'t Statement,
        scope: &NginxScope<'t>,
        redirect: Option<&Redirect>,
        serves: bool,
    ) {
        let listens: Vec<&Statement> = server
            .inside()
            .iter()
            .filter(|own| own.name == "listen")
            .collect();
        if listens.is_empty() {
            let address = Address {
                bind: "0.0.0.0:80".to_owned(),
                tls: scope.find("ssl").is_some_and(|own| own.has("on")),
                http2: false,
                proxy_protocol: false,
            };
            self.hear(&address, &server.line, scope, redirect.cloned(), serves);
        }
        for listen in listens {
            let Some(address) = self.address(listen, scope) else {
                continue;
            };
            self.hear(&address, &listen.line, scope, redirect.cloned(), serves);
        }
    }

    /// Reads and tells of a `listen`.
    fn address(&mut self, listen: &Statement, scope: &NginxScope<'t>) -> Option<Address> {
        let Some(bind) = bind_of(listen.argument(0)) else {
            let why = "a listener is an IP address and a port: write the address that this means";
            self.report.unsupported(&listen.line, why);
            return None;
        };
        let mut address = Address {
            bind,
            tls: scope.find("ssl").is_some_and(|own| own.has("on")),
            http2: scope.find("http2").is_some_and(|own| own.has("on")),
            proxy_protocol: false,
        };
        let mut differs = Vec::new();
        for word in listen.arguments.iter().skip(1) {
            match word.split('=').next().unwrap_or_default() {
                "ssl" => address.tls = true,
                "http2" | "spdy" => address.http2 = true,
                "proxy_protocol" => address.proxy_protocol = true,
                "quic" => {
                    self.report.unsupported(
                        &listen.line,
                        "HTTP/3 is not served: clients come by HTTP/2 and HTTP/1.1",
                    );
                    return None;
                }
                known if OF_THE_SOCKET.contains(&known) => {}
                other => differs.push(format!(
                    "not understood: `{other}`: nothing was written for it; look up what it does"
                )),
            }
        }
        if address.tls && !address.http2 {
            differs.push(
                "clients are offered HTTP/2 as well; `http2 = false` in [listen.tls] takes it away"
                    .to_owned(),
            );
        }
        if address.http2 && !address.tls {
            differs.push("HTTP/2 is offered over TLS alone".to_owned());
        }
        self.report
            .parts(Some(Piece::Listener), &listen.line, "a listener", &differs);
        Some(address)
    }

    fn hear(
        &mut self,
        address: &Address,
        line: &Line,
        scope: &NginxScope<'t>,
        redirect: Option<Redirect>,
        serves: bool,
    ) {
        let tls = address.tls.then(|| self.tls_of(scope, line)).flatten();
        if address.tls && tls.is_none() {
            return;
        }
        let at = self.heard.iter().position(|heard| heard.bind == address.bind);
        let heard = if let Some(at) = at {
            &mut self.heard[at]
        } else {
            self.heard.push(Heard {
                bind: address.bind.clone(),
                ..Heard::default()
            });
            let last = self.heard.len() - 1;
            &mut self.heard[last]
        };
        heard.origin.add(line);
        heard.proxy_protocol |= address.proxy_protocol;
        if serves || redirect.is_some() {
            heard.servers.push(redirect);
        }
        let Some(tls) = tls else { return };
        let Some(first) = &mut heard.tls else {
            heard.tls = Some(tls);
            return;
        };
        for pair in tls.certificates {
            if !first.certificates.contains(&pair) {
                first.certificates.push(pair);
            }
        }
        first.strict_sni |= tls.strict_sni;
        for line in &tls.origin.lines {
            first.origin.add(line);
        }
        if (first.newest_only, &first.clients) != (tls.newest_only, &tls.clients) {
            let why = "another server on this address says otherwise which versions are spoken or whether clients show certificates; the \
                       first holds for all of them: give one of them an address of its own";
            self.report.differs(line, why);
        }
    }

    /// What the listener's TLS is made of.
    fn tls_of(&mut self, scope: &NginxScope<'t>, line: &Line) -> Option<ListenerTls> {
        let mut tls = ListenerTls::default();
        let (certs, keys) = (scope.all("ssl_certificate"), scope.all("ssl_certificate_key"));
        for (cert, key) in certs.iter().zip(&keys) {
            if ![cert, key].iter().any(|own| own.argument(0).contains(['$', ':'])) {
                tls.certificates
                    .push((cert.argument(0).to_owned(), key.argument(0).to_owned()));
                tls.origin.add(&cert.line);
                tls.origin.add(&key.line);
            }
        }
        tls.strict_sni = scope
            .find("ssl_reject_handshake")
            .is_some_and(|own| own.has("on"));
        if tls.certificates.is_empty() {
            if !tls.strict_sni {
                let why = "TLS without a file of a certificate: no listener is written for it. Add one with cert and key";
                self.report.unsupported(line, why);
            }
            return None;
        }
        tls.newest_only = scope
            .find("ssl_protocols")
            .is_some_and(|own| own.arguments == ["TLSv1.3"]);
        let verify = scope
            .find("ssl_verify_client")
            .map_or("off", |own| own.argument(0));
        let authority = scope.find("ssl_client_certificate").filter(|_| verify != "off");
        if let Some(authority) = authority {
            tls.clients = Some((authority.argument(0).to_owned(), verify == "on"));
            tls.origin.add(&authority.line);
        }
        Some(tls)
    }

    /// Writes the listeners.
    pub(super) fn write_listeners(&mut self) {
        let heard = std::mem::take(&mut self.heard);
        let both: Vec<String> = heard
            .iter()
            .filter_map(|heard| heard.bind.strip_prefix("[::]").map(str::to_owned))
            .collect();
        for one in heard {
            let port = one.bind.strip_prefix("0.0.0.0");
            if port.is_some_and(|port| both.iter().any(|other| other == port)) {
                for line in &one.origin.lines {
                    self.report.same(
                        line,
                        format!("[::]{} takes these clients as well", port.unwrap_or_default()),
                    );
                }
                continue;
            }
            let mut listener = Listener {
                bind: one.bind.clone(),
                origin: one.origin.clone(),
                ..Listener::default()
            };
            if one.proxy_protocol {
                listener.proxy_protocol.clone_from(&self.site.trust.networks);
                if listener.proxy_protocol.is_empty() {
                    let why = "who may send a PROXY header has to be said: list the balancers in `proxy_protocol` of this listener";
                    one.origin
                        .lines
                        .iter()
                        .for_each(|line| self.report.unsupported(line, why));
                }
            }
            if one.tls.is_none() {
                listener.redirect = self.redirect_of(&one);
            }
            listener.tls = one.tls;
            self.site.listeners.push(listener);
        }
    }

    fn redirect_of(&mut self, heard: &Heard) -> Option<Redirect> {
        let mut redirects = heard.servers.iter().flatten();
        let mut redirect = redirects.next()?.clone();
        for other in redirects {
            other
                .origin
                .lines
                .iter()
                .for_each(|line| redirect.origin.add(line));
            for path in &other.except {
                if !redirect.except.contains(path) {
                    redirect.except.push(path.clone());
                }
            }
        }
        if heard.servers.iter().any(Option::is_none) {
            let why = "other names on this address are served in clear, and a listener sends on all or none: give those that go to https an \
                       address of their own; nothing was written for it";
            redirect
                .origin
                .lines
                .iter()
                .for_each(|line| self.report.unsupported(line, why));
            return None;
        }
        for line in &redirect.origin.lines {
            self.report.same(line, "redirect = \"https\" of the listeners in clear, with 301 where a client reads and 308 otherwise");
        }
        Some(redirect)
    }

    /// Routes hold on all listeners: those for clients with certificates alone are written if each listener requires one.
    pub(super) fn write_withheld(&mut self) {
        let requires = |own: &Listener| {
            own.tls
                .as_ref()
                .is_some_and(|tls| matches!(tls.clients, Some((_, true))))
        };
        let mut serving = self.site.listeners.iter().filter(|own| own.redirect.is_none());
        let mut withheld = std::mem::take(&mut self.withheld);
        if !self.site.listeners.is_empty() && serving.all(requires) {
            self.site.routes.append(&mut withheld);
            return;
        }
        let why = "clients need a certificate for this in nginx, and a listener here asks for none: a route holds on all listeners, so that \
                   none is written. Serve this by a proxy of its own, whose listeners all require one";
        let lines = withheld.iter().flat_map(|route| &route.origin.lines);
        for line in lines.chain(&self.certified) {
            self.report.unsupported(line, why);
        }
    }

    /// Routes hold on all listeners: what stood on one port alone is told of.
    pub(super) fn tell_of_shared_ports(&mut self) {
        let serving = self
            .site
            .listeners
            .iter()
            .filter(|listener| listener.redirect.is_none());
        let clear: Vec<&Listener> = serving.filter(|listener| listener.tls.is_none()).collect();
        let ports: Vec<&str> = clear
            .iter()
            .filter_map(|own| Some(own.bind.rsplit_once(':')?.1))
            .collect();
        if ports.iter().any(|port| *port != ports[0]) {
            let why = "a route holds on all listeners: what nginx has on this port alone is served on the others as well. Hosts tell them \
                       apart";
            for line in clear.iter().flat_map(|own| &own.origin.lines) {
                self.report.differs(line, why);
            }
        }
    }
}

/// Where a `listen` binds.
fn bind_of(text: &str) -> Option<String> {
    let all = |port: &str| {
        let port: u16 = port.parse().ok()?;
        Some(format!("0.0.0.0:{port}"))
    };
    if let Some(port) = text.strip_prefix("*:") {
        return all(port);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.to_string());
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        return Some(SocketAddr::new(address, 80).to_string());
    }
    match text.strip_prefix("localhost") {
        Some("") => Some("127.0.0.1:80".to_owned()),
        Some(port) => port
            .strip_prefix(':')?
            .parse::<u16>()
            .ok()
            .map(|port| format!("127.0.0.1:{port}")),
        None => all(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bound_as_nginx_binds_it() {
        for (text, bind) in [
            ("80", Some("0.0.0.0:80")),
            ("*:8080", Some("0.0.0.0:8080")),
            ("192.0.2.1", Some("192.0.2.1:80")),
            ("[::]:443", Some("[::]:443")),
            ("localhost:8000", Some("127.0.0.1:8000")),
            ("unix:/run/x", None),
            ("shop.example:80", None),
            ("", None),
        ] {
            assert_eq!(bind_of(text).as_deref(), bind, "{text}");
        }
    }
}
