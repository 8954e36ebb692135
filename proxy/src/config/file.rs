//! What may be written in the file: keys and types, one `table!` for each table (those of the limits are made in
//! `limits`), with the words of docs/proxy.md on it.
//!
//! Invariants: an unknown key is a fault everywhere (`deny_unknown_fields`) · what the checks must be able to point at
//! is [`Spanned`], so that a fault names its line · nothing is filled in here: what is absent stays absent.
//!
//! Left out on purpose: ranges, and everything that one key means for another. That is `check`'s; only the constants are
//! named here, for the page.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use remora_policy::{AdminState, BalanceBy, RouteCookie, SameSite};
use remora_process::config::{Period, Spanned};
use remora_process::tls::Files;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::check::{THREADS, health, pages, pools, redirect, sticky};
use super::keys::{Section, Table, table, within};
use super::limits::{LimitsTable, PERIOD, RetryTable};
use super::report::Bound;
use super::values::{CONTROL_ADDRESS, LogFormat};

table! {
    /// At the top of the file.
    File:
    [optional]
    /// Threads that serve clients; each keeps connections of its own to the Tomcats.
    threads: Option<Spanned<usize>> = "one for each core", within(&THREADS), "2";
    [tables]
    access_log: AccessLogTable = "[access_log]";
    trust: TrustTable = "[trust]";
    listen: Vec<ListenTable> = "[[listen]]";
    pool: BTreeMap<String, PoolTable> = "[pool.NAME]";
    route: Vec<RouteTable> = "[[route]]";
    headers: HeadersTable = "[headers]";
    pages: SitePagesTable = "[pages]";
    control: Option<ControlTable> = "[control]";
    limits: LimitsTable = "[limits]";
    retry: RetryTable = "[retry]";
}

table! {
    #[derive(Default)]
    #[serde(remote = "Self")]
    /// Where each exchange is noted, and how; docs/log.md tells what a line says. A place is "stdout", "stderr", "off", or a file,
    /// which SIGHUP opens anew for logrotate. At the top of the file `access_log = "/var/log/remora-proxy/access.log"` is short for `to`
    /// alone.
    AccessLogTable:
    [optional]
    /// Where all exchanges are noted.
    to: Option<PathBuf> = "stdout", "", r#""/var/log/remora-proxy/access.log""#;
    /// What a line looks like: "combined", as httpd's and behind it what the proxy decided, or "json", an object.
    format: Option<Spanned<String>> = LogFormat::default().as_str(), "", format!("{:?}", LogFormat::Json.as_str());
    /// Where exchanges that went wrong are noted as well.
    errors: Option<Spanned<PathBuf>> = "off", "", r#""/var/log/remora-proxy/errors.log""#;
}

impl<'de> Deserialize<'de> for AccessLogTable {
    /// By the form of what stands there, so that a fault is told of that form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceOrTable)
    }
}

struct PlaceOrTable;

impl<'de> Visitor<'de> for PlaceOrTable {
    type Value = AccessLogTable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a place, or a table with to, format and errors")
    }

    fn visit_str<E: serde::de::Error>(self, place: &str) -> Result<AccessLogTable, E> {
        Ok(AccessLogTable {
            to: Some(place.into()),
            ..AccessLogTable::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<AccessLogTable, A::Error> {
        // The derived one, which knows the table alone.
        AccessLogTable::deserialize(MapAccessDeserializer::new(table))
    }
}

table! {
    /// An address at which clients are accepted; at least one.
    ListenTable:
    [required]
    /// Where to listen. An IP address, no name.
    bind: Spanned<SocketAddr> = r#""127.0.0.1:8080""#;
    [optional]
    /// Balancers that begin each connection with a PROXY header, as networks. Connections from others are refused.
    proxy_protocol: Option<Spanned<Vec<Spanned<String>>>> = "no PROXY header is read", "", r#"["192.0.2.5"]"#;
    [tables]
    tls: Option<Spanned<ListenTlsTable>> = "[listen.tls]";
    redirect: Option<RedirectTable> = "[listen.redirect]";
}

table! {
    /// TLS towards clients, 1.2 and 1.3; without this table the listener speaks in clear. `tls = { cert = "...", key = "..." }` is
    /// enough. SIGHUP reads the files anew.
    ListenTlsTable:
    [optional]
    /// A certificate in PEM, with those between it and its authority behind it. It is shown for the names that it says itself.
    cert: Option<Spanned<PathBuf>> = "none: see [[listen.tls.certificate]]", "", r#""/etc/remora/site.pem""#;
    /// Its private key in PEM.
    key: Option<Spanned<PathBuf>> = "none", "", r#""/etc/remora/site.key""#;
    /// Whether clients that ask for a name of no certificate, or for none, are refused.
    strict_sni: bool = "they are shown the first certificate", "", "true";
    /// The oldest version that clients may speak: "1.2" or "1.3".
    min_version: Option<Spanned<String>> = "1.2", "", r#""1.3""#;
    /// Whether clients are offered HTTP/2. HTTP/1.1 always is.
    http2: Option<Spanned<bool>> = true, "", "false";
    [tables]
    certificate: Vec<CertificateTable> = "[[listen.tls.certificate]]";
    clients: Option<ClientsTable> = "[listen.tls.clients]";
}

table! {
    /// One more certificate, for other names or with a key of another kind: `tls = { certificate = [{ cert = "...", key = "..." }] }`
    /// in one line. What `cert` and `key` of the table above name comes first.
    CertificateTable:
    [required]
    /// As above.
    cert: Spanned<PathBuf> = r#""/etc/remora/shop.pem""#;
    /// Its private key.
    key: Spanned<PathBuf> = r#""/etc/remora/shop.key""#;
}

table! {
    /// Certificates of clients, which are asked for one. Clients that are asked make a full handshake each time.
    ClientsTable:
    [required]
    /// Certificates of the authorities that are believed, in PEM.
    authority: Spanned<PathBuf> = r#""/etc/remora/staff.pem""#;
    [optional]
    /// Whether a client without one is refused.
    required: bool = "clients without one are served", "", "true";
    /// In which fields Tomcat is told of them: "rfc9440", in `Client-Cert` and `Client-Cert-Chain`; "sslvalve", as Tomcat's SSLValve
    /// reads them, in `SSL_CLIENT_CERT`, `SSL_CIPHER` and `SSL_CIPHER_USEKEYSIZE`. What clients write there is dropped anyhow.
    fields: Vec<Spanned<String>> = "Tomcat is told nothing", "", r#"["rfc9440", "sslvalve"]"#;
}

table! {
    #[derive(Default)]
    #[serde(remote = "Self")]
    /// Sends clients of a listener in clear to https, with 301 where they read and 308 otherwise. `redirect = "https"` is enough. A
    /// request without Host gets 400; one that a trusted peer has from a client over TLS is served. Behind a balancer that ends TLS and
    /// says so in no forwarding field (a PROXY header does not) clients are sent round for ever: let the balancer redirect.
    RedirectTable:
    [optional]
    /// The port of TLS as clients see it.
    port: Option<Spanned<u16>> = redirect::PORT_DEFAULT, within(&redirect::PORT), "8443";
    /// Paths that are served in clear, with all below them; no path with a dot segment is.
    except: Vec<Spanned<String>> = "none", "", r#"["/.well-known/acme-challenge"]"#;
}

impl<'de> Deserialize<'de> for RedirectTable {
    /// By the form of what stands there, so that a fault is told of that form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HttpsOrTable)
    }
}

struct HttpsOrTable;

impl<'de> Visitor<'de> for HttpsOrTable {
    type Value = RedirectTable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"https\", or a table with port and except")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RedirectTable, E> {
        match word {
            "https" => Ok(RedirectTable::default()),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RedirectTable, A::Error> {
        // The derived one, which knows the table alone.
        RedirectTable::deserialize(MapAccessDeserializer::new(table))
    }
}

table! {
    #[derive(Default)]
    #[serde(remote = "Self")]
    /// Peers whose forwarding fields are believed; nobody unless said. `trust = ["10.0.0.0/8"]` is short for `networks` alone.
    TrustTable:
    [required]
    /// Addresses, or networks with the length of their prefix.
    networks: Vec<Spanned<String>> = r#"["10.0.0.0/8", "192.0.2.7"]"#;
    [optional]
    /// Where these peers write the chain of addresses: "X-Forwarded-For" or "Forwarded".
    header: Option<Spanned<String>> = "X-Forwarded-For", "", r#""Forwarded""#;
}

impl<'de> Deserialize<'de> for TrustTable {
    /// By the form of what stands there, so that a fault is told of that form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrTable)
    }
}

struct ListOrTable;

impl<'de> Visitor<'de> for ListOrTable {
    type Value = TrustTable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of networks, or a table with networks and header")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TrustTable, A::Error> {
        let networks = Deserialize::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(TrustTable {
            networks,
            header: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<TrustTable, A::Error> {
        // The derived one, which knows the table alone.
        TrustTable::deserialize(MapAccessDeserializer::new(table))
    }
}

table! {
    #[derive(Default)]
    /// Rules for fields, after all that the proxy does itself. No rule may be about a field that the message, the session or the
    /// proxy's own words rest on.
    HeadersTable:
    [tables]
    request: RulesTable = "[headers.request]";
    response: RulesTable = "[headers.response]";
}

table! {
    #[derive(Default)]
    /// On their way to upstreams (request) or to clients, the proxy's own answers included (response).
    RulesTable:
    [optional]
    /// Fields that get this value, whatever was there.
    set: BTreeMap<Spanned<String>, Spanned<String>> = "none", "", r#"{ X-Site = "shop" }"#;
    /// Fields that are taken out.
    unset: Vec<Spanned<String>> = "none", "", r#"["X-Debug"]"#;
}

table! {
    /// Where operators are answered: `remora --proxy`, `/healthz`, `/readyz`, `/metrics`. Without this table at
    /// the address below, in clear.
    ControlTable:
    [required]
    /// Where to listen. Whoever reaches it can drain upstreams, so off the loopback it takes `tls`, or `allow_plaintext`.
    bind: Spanned<SocketAddr> = format!("{CONTROL_ADDRESS:?}");
    [optional]
    /// Says aloud that operators are answered in clear off the loopback.
    allow_plaintext: bool = false, "", "true";
    /// Files of its TLS, all three: `authority`, `cert`, `key`. docs/security.md tells how they are made.
    tls: Option<Files> = "in clear", "", r#"{ authority = "/etc/remora/authority.pem", cert = "/etc/remora/proxy.pem", key = "/etc/remora/proxy.key" }"#;
    /// A directory of its own, where operators' wishes are kept, and the last view of the store's registry: with it a proxy begins with
    /// the members that it discovered before.
    state: Option<PathBuf> = "drains end with the process", "", r#""/var/lib/remora-proxy""#;
    [tables]
    console: OrOff<ConsoleTable> = "[control.console]";
}

table! {
    #[derive(Default)]
    /// The site in a browser, at /console/ of the same address; docs/console.md tells how it is opened, and by whom. Without this table
    /// it shows this proxy and, where pools discover members and their certificate lets it look, the store that they ask. `console = "off"`
    /// takes it away.
    ConsoleTable:
    [optional]
    /// Client addresses of store nodes, whose nodes and sessions are shown.
    store: Option<Spanned<Vec<Spanned<String>>>> = "the store that pools discover members by, if they do", "", r#"["192.0.2.1:7400", "192.0.2.2:7400", "192.0.2.3:7400"]"#;
    /// Files of TLS towards it, all three: `authority`, `cert`, `key`. The certificate's role is reader, or admin where sessions
    /// may be ended in the browser. Without TLS of the control address itself everybody on the machine acts with it: reader, then. Off
    /// the loopback it takes them, or `allow_plaintext`.
    tls: Option<Files> = "in clear", "", r#"{ authority = "/etc/remora/authority.pem", cert = "/etc/remora/console.pem", key = "/etc/remora/console.key" }"#;
    /// Says aloud that the store is asked in clear off the loopback.
    allow_plaintext: bool = false, "", "true";
}

table! {
    /// Tomcats that can serve the same users. NAME has letters, digits, _ and -.
    PoolTable:
    [optional]
    /// By what new users are shared out: "requests", of which those of sticky users count too; "busyness", who has the fewest
    /// requests in flight; "traffic", who has carried the fewest bytes; "sessions", by the number of new users alone.
    balance: Option<Spanned<String>> = BalanceBy::default().as_str(), "", format!("{:?}", BalanceBy::Busyness.as_str());
    [tables]
    sticky: OrOff<StickyTable> = "[pool.NAME.sticky]";
    health: OrOff<HealthTable> = "[pool.NAME.health]";
    tls: Option<PoolTlsTable> = "[pool.NAME.tls]";
    pages: PagesTable = "[pool.NAME.pages]";
    maintenance: MaintenanceTable = "[pool.NAME.maintenance]";
    discovery: Option<DiscoveryTable> = "[pool.NAME.discovery]";
    member: Vec<MemberTable> = "[[pool.NAME.member]]";
}

table! {
    /// Members that announce themselves to the session store, beside those that the file has, which may be none. A Tomcat is a member
    /// from its announcement until it retires or an operator retires it (`remora applications retire`); silence takes nobody out. The store
    /// is asked by one connection for the whole proxy, never for a request. With `[control] state` a proxy begins with the members
    /// that it knew last. All pools that have this table ask the same store.
    DiscoveryTable:
    [required]
    /// Client addresses of store nodes, as in context.xml; one that answers is enough.
    store: Spanned<Vec<Spanned<String>>> = r#"["127.0.0.1:7401", "127.0.0.1:7402"]"#;
    /// Networks in which members may be. A Tomcat that says it is elsewhere, or whose name means an address elsewhere, is never asked.
    allow: Spanned<Vec<Spanned<String>>> = r#"["10.0.0.0/8"]"#;
    [optional]
    /// Which Tomcats: those with an application that is like this, HOST/PATH with * for anything; versions (##) do not count.
    applications: Option<Spanned<String>> = "all", "", r#""*/shop""#;
    /// Files of TLS towards the store, all three: `authority`, `cert`, `key`; the certificate's role is proxy. Off the loopback it takes
    /// them, or `allow_plaintext`.
    tls: Option<Files> = "in clear", "", r#"{ authority = "/etc/remora/authority.pem", cert = "/etc/remora/proxy.pem", key = "/etc/remora/proxy.key" }"#;
    /// Says aloud that the store is asked in clear off the loopback: whoever is between can send users elsewhere within `allow`.
    allow_plaintext: bool = false, "", "true";
}

table! {
    #[derive(Default)]
    /// How users stick to their Tomcat: by the suffix of their session's id or, with `route_cookie`, by a cookie of the proxy's
    /// own. The last four are about that cookie and need it. `sticky = "off"` takes each request for a new user's.
    StickyTable:
    [optional]
    /// The cookie of the application's session; behind a bar its name in URLs, where that differs.
    session: Option<Spanned<String>> = sticky::SESSION, "", r#""SID|sid""#;
    /// The name of the proxy's own cookie.
    route_cookie: Option<Spanned<String>> = "none: the session cookie holds the route", "", r#""ROUTEID""#;
    /// How the route is found: "tomcat", as Tomcat reads cookies and paths, or "httpd", as mod_proxy_balancer searches them.
    lookup: Option<Spanned<String>> = "tomcat", "", r#""httpd""#;
    /// Under which paths browsers bring the route cookie.
    path: Option<Spanned<String>> = RouteCookie::named("").path, "", r#""/shop""#;
    /// To which hosts browsers bring the route cookie.
    domain: Option<Spanned<String>> = "the host that was asked", "", r#""shop.example""#;
    /// From which sites browsers bring the route cookie along: "Strict", "Lax" or "None".
    same_site: Option<Spanned<String>> = RouteCookie::named("").same_site.as_str(), "", format!("{:?}", SameSite::Strict.as_str());
    /// Whether browsers keep one route cookie for each site in which the page is embedded.
    partitioned: Option<Spanned<bool>> = RouteCookie::named("").partitioned, "", "true";
}

/// A table, or `"off"`.
#[derive(Debug)]
pub(super) enum OrOff<T> {
    Off,
    On(Box<T>),
}

impl<T: Default> Default for OrOff<T> {
    fn default() -> Self {
        Self::On(Box::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TableOrOff(PhantomData))
    }
}

struct TableOrOff<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableOrOff<T> {
    type Value = OrOff<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table, or \"off\"")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<OrOff<T>, E> {
        match word {
            "off" => Ok(OrOff::Off),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<OrOff<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(table)).map(|table| OrOff::On(Box::new(table)))
    }
}

impl<T: Table> Table for OrOff<T> {
    fn sections(header: &'static str) -> Vec<Section> {
        T::sections(header)
    }
}

table! {
    #[derive(Default)]
    /// How members are checked. `health = "off"` makes no checks: `fall` bad signs of requests in a row take a member out for 10 s.
    HealthTable:
    [optional]
    /// Time between two checks of one member.
    every: Option<Spanned<Period>> = health::EVERY_DEFAULT.shown(), within(&health::EVERY), r#""5s""#;
    /// How long a check may stay unanswered; also how long a start waits for the first verdicts.
    timeout: Option<Spanned<Period>> = health::TIMEOUT_DEFAULT.shown(), within(&health::EVERY), r#""2s""#;
    /// A page that is asked with GET. 404 means that its application is gone: users move, and the member is spared.
    path: Option<Spanned<String>> = "Tomcat itself is asked, with OPTIONS *", "", r#""/healthz""#;
    /// The Host that is asked for.
    host: Option<Spanned<String>> = "the member's own", "", r#""shop.example""#;
    /// Statuses that pass, and ranges of them.
    status: Option<Spanned<String>> = format!("{} with a path, {} without", within(&health::PAGE), within(&health::ANSWER)), within(&health::STATUS), r#""200-299, 401""#;
    /// The port of a connector that is there for checks, and speaks TLS where the member does. Silence of the other is then taken for work.
    port: Option<Spanned<u16>> = "the member's own", within(&(1..=u16::MAX)), "9000";
    /// Checks in a row that must pass before a member is up again.
    rise: Option<Spanned<u32>> = health::RISE_DEFAULT, within(&health::ROW), "3";
    /// Checks in a row that must fail before a member is down.
    fall: Option<Spanned<u32>> = health::FALL_DEFAULT, within(&health::ROW), "3";
}

table! {
    /// TLS towards the members whose url is https. Their certificates are always verified. SIGHUP reads the files anew.
    PoolTlsTable:
    [required]
    /// Certificates of the authorities that issued the members', in PEM: of these alone. docs/security.md tells how one's own is made.
    authority: Spanned<PathBuf> = r#""/etc/remora/tomcats.pem""#;
    [optional]
    /// The name that each member's certificate must have, and that it is asked for.
    name: Option<Spanned<String>> = "the host of each member's url", "", r#""tomcat.internal.example""#;
    /// A certificate for members that ask for one (clientAuth), with those between it and its authority behind it.
    cert: Option<Spanned<PathBuf>> = "none", "", r#""/etc/remora/proxy.pem""#;
    /// Its private key.
    key: Option<Spanned<PathBuf>> = "none", "", r#""/etc/remora/proxy.key""#;
}

table! {
    #[derive(Default)]
    /// Pages in place of the sentence that the proxy answers with itself: files of at most 64 KiB that end in .html, .txt or .json,
    /// in UTF-8, read at the start and at SIGHUP. `{request-id}` in a page becomes the request's name. These are for requests that no
    /// pool serves, and for pools that have none of their own.
    SitePagesTable:
    [optional]
    /// The request is not understood, or not taken: 400, and all other answers that no other page is for.
    bad_request: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/400.html""#;
    /// No route has the path: 404.
    not_found: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/404.html""#;
    /// An upstream failed while it worked on the request: 502.
    bad_gateway: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/502.html""#;
    /// No upstream could take the request: 503.
    unavailable: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/503.html""#;
    /// An upstream did not answer in time: 504.
    timeout: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/504.html""#;
    /// The pool is under maintenance: 503 too.
    maintenance: Option<Spanned<PathBuf>> = "a sentence", "", r#""/etc/remora/pages/maintenance.html""#;
}

table! {
    #[derive(Default)]
    /// Pages of one pool, each in place of the site's.
    PagesTable:
    [optional]
    /// An upstream failed while it worked on the request: 502.
    bad_gateway: Option<Spanned<PathBuf>> = "the site's", "", r#""/etc/remora/pages/502.html""#;
    /// No upstream could take the request: 503.
    unavailable: Option<Spanned<PathBuf>> = "the site's", "", r#""/etc/remora/pages/503.html""#;
    /// An upstream did not answer in time: 504.
    timeout: Option<Spanned<PathBuf>> = "the site's", "", r#""/etc/remora/pages/504.html""#;
    /// The pool is under maintenance: 503 too.
    maintenance: Option<Spanned<PathBuf>> = "the site's", "", r#""/etc/remora/pages/maintenance.html""#;
    /// When clients may ask again whom no upstream could serve, in whole seconds (`Retry-After`).
    retry_after: Option<Spanned<Period>> = pages::RETRY_AFTER_DEFAULT.shown(), within(&pages::RETRY_AFTER), r#""5s""#;
}

table! {
    #[derive(Default)]
    /// While a pool is under maintenance its users get 503 with its page, WebSockets leave, and members are checked on.
    /// `remora upstreams maintenance` begins and ends it while the proxy runs.
    MaintenanceTable:
    [optional]
    /// Whether it is, unless an operator wishes otherwise.
    on: bool = false, "", "true";
    /// When clients may ask again, in whole seconds (`Retry-After`).
    retry_after: Option<Spanned<Period>> = pages::COME_BACK_DEFAULT.shown(), within(&pages::RETRY_AFTER), r#""30m""#;
    /// Clients who see the site nevertheless, as networks. Whoever sits behind a balancer is believed if that is in `trust`.
    except: Vec<Spanned<String>> = "nobody", "", r#"["192.0.2.0/24"]"#;
}

table! {
    /// A Tomcat of the pool; at least one where there is no `[pool.NAME.discovery]`. What is written here wins over what a Tomcat of
    /// this route announces.
    MemberTable:
    [required]
    /// Where it is, without a path: a route's `to` has that. https takes `[pool.NAME.tls]`.
    url: Spanned<String> = r#""http://192.0.2.11:8080""#;
    /// Its name in cookies: the jvmRoute in that Tomcat's server.xml.
    route: Spanned<String> = r#""n1""#;
    [optional]
    /// Its share of new users.
    weight: Option<Spanned<u32>> = pools::WEIGHT_DEFAULT, within(&pools::WEIGHT), "3";
    /// Its maxThreads: while all of them are at work, silence is not taken for a frozen Tomcat.
    threads: Option<Spanned<u32>> = "as it announces, where the pool discovers; else not known", within(&pools::THREADS), "200";
    /// What is wanted of it: "active"; "standby", for when nobody active can serve; "finishing", own users stay and nobody new
    /// comes; "draining", its users leave with their next request; "disabled", nobody is sent there; "stopped", nor is it
    /// checked. `remora upstreams` says otherwise while the proxy runs.
    state: Option<Spanned<String>> = AdminState::default().as_str(), "", format!("{:?}", AdminState::Standby.as_str());
    /// Whose turn it is: new users go to the lowest set that can serve.
    set: Option<Spanned<u32>> = 0, within(&pools::SET), "1";
    /// Members of one group, a version or a zone, stand in for each other before others do.
    group: Option<Spanned<String>> = "none", "", r#""blue""#;
    /// The route, of a member or of several, whose users its own become where it cannot serve them.
    redirect: Option<Spanned<String>> = "none", "", r#""n1""#;
}

table! {
    /// Which path goes where. The longest that matches whole segments wins, wherever it stands; where none does, the answer is 404.
    RouteTable:
    [required]
    /// The path that users see, without escapes.
    path: Spanned<String> = r#""/shop""#;
    /// A pool, and the path there in place of the route's own; the pool alone leaves the path as it is.
    to: Spanned<String> = r#""tomcat/shop""#;
    [optional]
    /// Only on these hosts, without ports; `*.` in front for all below one.
    host: Vec<Spanned<String>> = "on all", "", r#"["shop.example", "*.shop.example"]"#;
    /// Paths under its own that it leaves to the next longest.
    except: Vec<Spanned<String>> = "none", "", r#"["/shop/static"]"#;
    /// Whether %2F may stand in a path, for applications that need it.
    encoded_slash: bool = false, "", "true";
    /// In place of the site's limit, for requests of this route.
    connect: Option<Spanned<Period>> = "limits.connect", within(&PERIOD), r#""5s""#;
    /// In place of the site's limit, for requests of this route: a report may take longer than a page.
    response: Option<Spanned<Period>> = "limits.response", within(&PERIOD), r#""300s""#;
    /// In place of the site's limit, for requests of this route.
    idle: Option<Spanned<Period>> = "limits.idle", within(&PERIOD), r#""300s""#;
    /// Rules for fields of this route, as in `[headers]` and after those.
    headers: HeadersTable = "none", "", r#"{ response = { unset = ["Server"] } }"#;
}
