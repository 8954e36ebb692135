//! What holds once a file is checked: defaults filled in, names resolved, nothing left to doubt.
//!
//! Invariants: there is at least one listener, one pool and one route · every pool has a member or discovers some, and addresses are
//! unique in it · the position of a pool is what path routes count in.
//!
//! Left out on purpose: how a value was written, and where. Whoever holds one need not ask.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::{BalanceBy, FieldRules, HealthRule, Page, PathRoute, Settings, Sticky, ToHttps};
use remora_process::reload::differing;
use remora_process::tls::Files;

use super::limits::Limits;
use super::trust::{Networks, Trust};
use crate::tls::{Keyring, Outward, OutwardFiles, OutwardShared};

/// Where operators reach the proxy unless it is told otherwise.
pub(crate) const CONTROL_ADDRESS: &str = "127.0.0.1:7410";

/// What holds: checked and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are accepted; at least one.
    pub listen: Vec<ListenConfig>,
    /// Where operators are answered: gRPC, `/healthz`, `/readyz`, `/metrics`.
    pub control: SocketAddr,
    /// The files of its TLS; absent where operators are answered in clear.
    pub control_tls: Option<Files>,
    /// The console there; absent where it is off.
    pub(crate) console: Option<ConsoleConfig>,
    /// Where operators' wishes are kept; absent where they end with the process.
    pub state: Option<PathBuf>,
    /// Threads that serve clients; at least 1.
    pub threads: usize,
    /// Peers whose forwarding fields are believed.
    pub(crate) trust: Trust,
    /// An owner's own rules for fields, in both directions.
    pub(crate) rules: Rules,
    /// What is said where no pool is known.
    pub(crate) pages: Arc<Pages>,
    /// Where each exchange is noted, and how.
    pub access_log: LogConfig,
    /// Every bound that an owner may set.
    pub(crate) limits: Limits,
    /// The store whose registry pools discover members by; absent where none does.
    pub(crate) discovery: Option<StoreConfig>,
    /// The pools, in the order of their names.
    pub(crate) pools: Vec<PoolConfig>,
    /// The path routes; [`PathRoute::pool`] counts in `pools`.
    pub(crate) routes: Vec<PathRoute>,
    /// What else holds on each route, by [`PathRoute::position`].
    pub(crate) terms: Arc<[Terms]>,
    /// Which file it was read from: the first digits of its SHA-256.
    pub fingerprint: String,
}

/// The site in a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConsoleConfig {
    /// The store that is shown; absent where only this proxy is.
    pub(crate) store: Option<StoreConfig>,
    /// Whether it is only the one that pools discover members by, whose certificate may give no right to look.
    pub(crate) by_discovery: bool,
}

/// What holds on one route, the site's own where the route says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Every bound.
    pub(crate) limits: Limits,
    /// The rules for fields, the site's first.
    pub(crate) rules: Rules,
}

/// Rules for the fields of requests and of answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// On their way to upstreams.
    pub(crate) request: FieldRules,
    /// On their way to clients, answers of our own included.
    pub(crate) response: FieldRules,
}

/// One address at which clients are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// The address.
    pub address: SocketAddr,
    /// Where every connection begins with a PROXY header: who may open one. Others are refused.
    pub proxy_protocol: Option<Networks>,
    /// How it ends TLS; absent where it speaks in clear.
    pub(crate) tls: Option<TlsConfig>,
    /// Where its clients are sent; absent where they are served.
    pub(crate) redirect: Option<Arc<ToHttps>>,
}

/// How a listener ends TLS. Two that are alike in their settings are alike.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    /// As the file says it.
    pub(crate) settings: TlsSettings,
    /// What was read.
    pub(crate) keyring: Keyring,
}

/// What the file says of TLS at a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    /// Each certificate's file and that of its key; the first is shown to whoever asks for no name of any.
    pub(crate) certificates: Vec<(PathBuf, PathBuf)>,
    /// Whether nobody is shown a certificate for a name that it does not have.
    pub(crate) strict_sni: bool,
    /// Whether clients must speak TLS 1.3.
    pub(crate) newest_only: bool,
    /// Whether clients are offered HTTP/2.
    pub(crate) http2: bool,
    /// Whether clients are asked for a certificate, and what is made of it.
    pub(crate) clients: Option<ClientCertificates>,
}

/// Certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificates {
    /// Where the authorities are that are believed.
    pub(crate) authority: PathBuf,
    /// Whether a client without one is refused.
    pub(crate) required: bool,
    /// How upstreams are told.
    pub(crate) told: ToldCertificate,
}

/// In which fields upstreams are told of a client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToldCertificate {
    /// Those of RFC 9440.
    pub(crate) rfc9440: bool,
    /// Those of Tomcat's SSLValve.
    pub(crate) sslvalve: bool,
}

impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for TlsConfig {}

/// Where exchanges are noted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Where all are.
    pub to: LogTarget,
    /// What a line looks like.
    pub format: LogFormat,
    /// Where those that went wrong are noted as well.
    pub errors: LogTarget,
}

/// What a line of the access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As httpd's, and behind it what the proxy decided.
    #[default]
    Combined,
    /// One JSON object.
    Json,
}

impl LogFormat {
    /// The word for it in the file.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LogFormat::Combined => "combined",
            LogFormat::Json => "json",
        }
    }

    /// The format of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let all = [LogFormat::Combined, LogFormat::Json];
        all.into_iter().find(|format| format.as_str() == word)
    }
}

/// Where lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error, between the proxy's own log lines.
    Stderr,
    /// A file, appended to, opened anew at SIGHUP (so that it can be rotated).
    File(PathBuf),
    /// Nowhere.
    Off,
}

/// Where the session store is asked, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreConfig {
    /// Client addresses of its nodes, `host:port`; at least one.
    pub(crate) addresses: Vec<Arc<str>>,
    /// The files of TLS towards it; absent where it is asked in clear.
    pub(crate) tls: Option<Files>,
}

/// Who of the store's registry is a member of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiscoveryConfig {
    /// Where members may be; at least one network.
    pub(crate) allow: Networks,
    /// What one of their applications must be like; any where it is absent.
    pub(crate) applications: Option<Arc<str>>,
}

/// TLS towards the members of a pool.
#[derive(Clone, Debug)]
pub(crate) struct PoolTls {
    /// The files.
    pub(crate) files: OutwardFiles,
    /// The name that all members prove to have if it is not each one's host.
    pub(crate) name: Option<String>,
    /// What is in the files.
    pub(crate) read: OutwardShared,
}

/// One pool as configured.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// How users stick.
    pub(crate) sticky: Sticky,
    /// What its new users are shared out by.
    pub(crate) balance: BalanceBy,
    /// How its members are checked.
    pub(crate) health: HealthConfig,
    /// What is said in place of its members.
    pub(crate) pages: Arc<Pages>,
    /// Whether it is under maintenance, and what that means.
    pub(crate) maintenance: Arc<MaintenanceConfig>,
    /// TLS towards its members.
    pub(crate) tls: Option<PoolTls>,
    /// Who else is a member; absent where only the file says it.
    pub(crate) discovery: Option<DiscoveryConfig>,
    /// Its members; at least one where nobody is discovered, addresses unique.
    pub(crate) members: Vec<MemberConfig>,
}

/// What is said in place of an upstream; a sentence of the proxy's where there is no page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    /// For what no other page is for.
    pub(crate) bad_request: Option<Page>,
    /// For a path that no route has.
    pub(crate) not_found: Option<Page>,
    /// For an upstream that failed.
    pub(crate) bad_gateway: Option<Page>,
    /// For upstreams that are not there.
    pub(crate) unavailable: Option<Page>,
    /// For an upstream that does not answer.
    pub(crate) timeout: Option<Page>,
    /// For a pool that is under maintenance.
    pub(crate) maintenance: Option<Page>,
    /// When clients may ask again whom no upstream could serve, in seconds.
    pub(crate) retry_after: u32,
}

/// The maintenance of a pool as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaintenanceConfig {
    /// Whether it is, unless an operator wishes otherwise.
    pub(crate) on: bool,
    /// When clients may ask again, in seconds.
    pub(crate) retry_after: u32,
    /// Who sees the site nevertheless.
    pub(crate) except: Networks,
}

/// How the members of a pool are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthConfig {
    /// How many checks make a belief, and whether any are made.
    pub(crate) rule: HealthRule,
    /// Time between two checks of one member.
    pub(crate) every: Duration,
    /// How long a check may stay unanswered.
    pub(crate) timeout: Duration,
    /// Path that is asked with GET; `OPTIONS *` when absent.
    pub(crate) path: Option<Arc<str>>,
    /// The Host that is asked for; the member's own when absent.
    pub(crate) host: Option<Arc<str>>,
    /// Statuses of an answer that passes; at least one range.
    pub(crate) status: Arc<[RangeInclusive<u16>]>,
    /// Port of a connector that is there for checks; the member's own when absent.
    pub(crate) port: Option<u16>,
}

impl HealthConfig {
    /// Whether a check that is answered like this passes.
    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }

    /// The statuses that pass, as people write them.
    pub(crate) fn accepted(&self) -> String {
        let ranges = self
            .status
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (one, other) if one == other => one.to_string(),
                (first, last) => format!("{first}-{last}"),
            });
        ranges.collect::<Vec<_>>().join(", ")
    }
}

/// One member of a pool as configured.
#[derive(Clone, Debug)]
pub(crate) struct MemberConfig {
    /// `host:port`.
    pub(crate) authority: Arc<str>,
    /// By what connections to it are secured; none in clear.
    pub(crate) outward: Option<Arc<Outward>>,
    /// Its name in session cookies.
    pub(crate) route: Arc<str>,
    /// What is wanted of it, unless an operator wishes otherwise.
    pub(crate) configured: Settings,
    /// Whose turn it is among those that could serve alike.
    pub(crate) set: u8,
    /// Whom it stands in for before others do.
    pub(crate) group: Option<Arc<str>>,
    /// Whose users its own become where it cannot serve them.
    pub(crate) redirect: Option<Arc<str>>,
    /// Its request threads, if that is known.
    pub(crate) threads: Option<u32>,
    /// The instance that announced itself; absent for one that the file has.
    pub(crate) instance: Option<u64>,
}

impl MemberConfig {
    /// As people write it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.outward.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

impl Config {
    /// Whether the listeners are the same, but for what their TLS is made of.
    fn listens_like(&self, new: &Config) -> bool {
        let fixed = |listener: &ListenConfig| {
            let ListenConfig {
                address,
                proxy_protocol,
                tls,
                redirect,
            } = listener.clone();
            (address, proxy_protocol, tls.is_some(), redirect)
        };
        self.listen.iter().map(fixed).eq(new.listen.iter().map(fixed))
    }

    /// Keys in which `new` differs and which only a restart takes over.
    #[must_use]
    pub fn fixed_differences(&self, new: &Config) -> Vec<&'static str> {
        differing([
            ("listen", !self.listens_like(new)),
            (
                "control",
                self.control != new.control
                    || self.control_tls != new.control_tls
                    || self.console != new.console
                    || self.state != new.state,
            ),
            ("threads", self.threads != new.threads),
            ("access_log", self.access_log != new.access_log),
        ])
    }
}
