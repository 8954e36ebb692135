//! What httpd's files say, gathered before it is decided what that means: a name may be defined behind its use.
//!
//! Invariant: what is gathered keeps its line, so that whatever becomes of it can be told of.

use crate::site::{Headers, Origin, Setting, Trust};
use crate::source::Line;

use super::passes::Form;

/// A parameter: `key=value`, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Param {
    /// In small letters.
    pub(super) key: String,
    /// Its value.
    pub(super) value: String,
    /// Where.
    pub(super) line: Line,
}

impl Param {
    /// `key=value`, as in the file.
    pub(super) fn read(word: &str, line: &Line) -> Option<Param> {
        let (key, value) = word.split_once('=')?;
        Some(Param {
            key: key.to_ascii_lowercase(),
            value: value.to_owned(),
            line: line.clone(),
        })
    }
}

/// A `BalancerMember`, or a server that ProxyPass names itself.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    /// As it is written.
    pub(super) url: String,
    /// What is said of it.
    pub(super) params: Vec<Param>,
    /// Where.
    pub(super) line: Line,
}

/// A `balancer://NAME`, or the one server of a ProxyPass.
#[derive(Clone, Debug, Default)]
pub(super) struct Balancer {
    /// Its name, in small letters; for one server the URL.
    pub(super) name: String,
    /// Its members.
    pub(super) workers: Vec<Worker>,
    /// What is said of it.
    pub(super) params: Vec<Param>,
    /// The lines that name it.
    pub(super) origin: Origin,
    /// Whether it is one server that has no balancer.
    pub(super) is_single: bool,
    /// Whether mod_jk speaks with it.
    pub(super) is_jk: bool,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `!`.
    Nowhere,
    /// A balancer, by name, and the path there.
    Balancer(String, String),
}

/// One `ProxyPass` or its like.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// What clients ask for.
    pub(super) path: String,
    /// How far it reaches from that path.
    pub(super) form: Form,
    /// Where that leads.
    pub(super) target: Target,
    /// Whether it is said by a Location, of which the last that matches holds, and not the first.
    pub(super) in_location: bool,
    /// Where it stands.
    pub(super) line: Line,
}

/// One `ProxyPassReverse` or its like.
#[derive(Clone, Debug)]
pub(super) struct Reverse {
    /// What clients see.
    pub(super) path: String,
    /// The URL in answers.
    pub(super) url: String,
    /// Where it stands.
    pub(super) line: Line,
}

/// Sends clients to https.
#[derive(Clone, Debug)]
pub(super) struct ToHttps {
    /// The port, unless 443.
    pub(super) port: Option<u16>,
    /// What is left in clear.
    pub(super) except: Vec<String>,
    /// Whether a balancer in front says by which scheme clients came.
    pub(super) by_balancer: bool,
    /// Whence.
    pub(super) origin: Origin,
}

/// TLS as a server says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Secured {
    /// `SSLEngine on`.
    pub(super) on: bool,
    /// Files of certificates, with their lines.
    pub(super) certs: Vec<String>,
    /// Files of keys.
    pub(super) keys: Vec<String>,
    /// `SSLCACertificateFile`.
    pub(super) authority: Option<String>,
    /// `SSLVerifyClient`: whether one is required.
    pub(super) verify: Option<bool>,
    /// Fields in which Tomcat is told of a client's certificate.
    pub(super) told: Vec<&'static str>,
    /// TLS 1.3 alone.
    pub(super) newest_only: bool,
    /// `Protocols`: whether h2 is among them.
    pub(super) http2: Option<bool>,
    /// `SSLStrictSNIVHostCheck on`.
    pub(super) strict_sni: bool,
    /// All lines.
    pub(super) origin: Origin,
}

/// An address, of `Listen` or `<VirtualHost>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenAddress {
    /// `0.0.0.0` for all.
    pub(super) ip: String,
    /// The port; none: whatever is listened at.
    pub(super) port: Option<u16>,
}

/// The main server, or a virtual host.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `<VirtualHost>`; none for the main server.
    pub(super) line: Option<Line>,
    /// Where it is served.
    pub(super) addresses: Vec<ListenAddress>,
    /// ServerName and ServerAlias, without ports.
    pub(super) names: Vec<String>,
    /// Lines that name it.
    pub(super) name_lines: Vec<Line>,
    /// ProxyPass and its like, in their order.
    pub(super) passes: Vec<Pass>,
    /// Rules that proxy WebSockets alone.
    pub(super) upgrades: Vec<Pass>,
    /// ProxyPassReverse.
    pub(super) reverses: Vec<Reverse>,
    /// ProxyPassReverseCookiePath: path there, path here.
    pub(super) cookie_paths: Vec<Reverse>,
    /// The redirect to https.
    pub(super) to_https: Option<ToHttps>,
    /// TLS.
    pub(super) secured: Secured,
    /// Rules for fields, each with the path of a Location that it stands in.
    pub(super) headers: Vec<(Option<String>, Headers)>,
    /// `AllowEncodedSlashes`.
    pub(super) encoded_slash: bool,
    /// `ProxyPreserveHost`.
    pub(super) preserve_host: bool,
    /// `SSLProxy*`: authority, and our own certificate with its key.
    pub(super) proxy_authority: Option<String>,
    /// `SSLProxyMachineCertificateFile`.
    pub(super) proxy_own: Option<String>,
    /// Conditions that wait for their RewriteRule.
    pub(super) conditions: Vec<super::rewrite::Condition>,
    /// Paths that are guarded, and by what.
    pub(super) closed: Vec<(String, Line)>,
    /// What lets everybody in, each with the path of the Location that it stands in.
    pub(super) grants: Vec<(Option<String>, Line)>,
    /// Whether it proxies by an expression that was not read.
    pub(super) has_unread: bool,
    /// Balancers that are guarded, by name, and by what; none: all that is proxied.
    pub(super) shut: Vec<(Option<String>, Line)>,
    /// Whether the engine is on.
    pub(super) rewrites: bool,
}

/// A cookie that marks the route: `Header add Set-Cookie ... env=BALANCER_ROUTE_CHANGED`.
#[derive(Clone, Debug)]
pub(super) struct RouteMark {
    /// Its name.
    pub(super) name: String,
    /// Its attributes, name and value.
    pub(super) attributes: Vec<(String, String)>,
    /// Where.
    pub(super) line: Line,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The main server first, then virtual hosts in their order.
    pub(super) scopes: Vec<Scope>,
    /// `Listen`.
    pub(super) listens: Vec<(ListenAddress, Line)>,
    /// Balancers, in the order in which they are named.
    pub(super) balancers: Vec<Balancer>,
    /// Marking cookies.
    pub(super) marks: Vec<RouteMark>,
    /// `ProxyHCTemplate`: name and parameters.
    pub(super) templates: Vec<(String, Vec<Param>)>,
    /// `ProxyHCExpr`: name and expression.
    pub(super) expressions: Vec<(String, String, Line)>,
    /// mod_jk.
    pub(super) jk: super::jk::Gathered,
    /// `[trust]`.
    pub(super) trust: Trust,
    /// `[limits]`.
    pub(super) settings: Vec<Setting>,
}

impl Draft {
    /// The balancer of that name, made if it is not there.
    pub(super) fn balancer(&mut self, name: &str) -> &mut Balancer {
        let position = self.balancers.iter().position(|balancer| balancer.name == name);
        let position = position.unwrap_or_else(|| {
            self.balancers.push(Balancer {
                name: name.to_owned(),
                ..Balancer::default()
            });
            self.balancers.len() - 1
        });
        &mut self.balancers[position]
    }

    /// Sets a key of `[limits]`.
    pub(super) fn limit(&mut self, key: &'static str, value: String, line: &Line) {
        self.settings.retain(|setting| setting.key != key);
        self.settings.push(Setting {
            table: "limits",
            key,
            value,
            origin: Origin::of(line),
        });
    }
}
