//! What HAProxy's keywords mean here that are told of by their name alone, wherever they stand.
//!
//! Left out on purpose: keywords whose words decide. Those have rules of their own, in the modules beside this one.

use crate::report::Class;

/// Keywords, of what class they are, and what is told of them. A star ends a name's beginning.
type ToldWords = (&'static [&'static str], Class, &'static str);

const KEYWORDS: &[ToldWords] = &[
    (
        &[
            "chroot",
            "user",
            "group",
            "uid",
            "gid",
            "daemon",
            "pidfile",
            "master-worker",
            "nbproc",
            "nbthread",
            "cpu-map",
            "process-vars",
            "thread-group*",
            "ulimit-n",
            "node",
            "description",
            "localpeer",
            "set-dumpable",
            "unix-bind",
            "hard-stop-after",
            "grace",
            "presetenv",
            "setenv",
            "unsetenv",
            "resetenv",
            "expose-*",
            "module-path",
            "numa-cpu-mapping",
            "insecure-*",
            "strict-limits",
        ],
        Class::Differs,
        "about HAProxy's processes: the proxy's unit says as whom it runs, and `threads` how many threads it has, one for each core unless said",
    ),
    (
        &[
            "tune.*",
            "noepoll",
            "nokqueue",
            "nopoll",
            "nosplice",
            "nogetaddrinfo",
            "noreuseport",
            "spread-checks",
            "maxconnrate",
            "maxsessrate",
            "maxsslconn",
            "maxsslrate",
            "maxpipes",
            "maxzlibmem",
            "maxcompcpuusage",
            "busy-polling",
            "profiling.*",
            "max-spread-checks",
            "backlog",
            "fullconn",
            "hash-balance-factor",
            "hash-preserve-affinity",
            "load-server-state-from-file",
            "server-state-*",
            "id",
            "guid",
            "bind-process",
            "declare",
            "unique-id-*",
            "h1-case-adjust*",
            "h2-workaround*",
            "http-reuse",
            "enabled",
            "max-keep-alive-queue",
        ],
        Class::Differs,
        "about how HAProxy works inside; the proxy has no such setting, and needs none",
    ),
    (
        &[
            "log",
            "log-*",
            "error-log-format",
            "capture",
            "unique-id-format",
            "no log",
        ],
        Class::Differs,
        "the proxy writes an access log of its own, as docs/log.md says: [access_log] to names the file, and `--replay` reads this one",
    ),
    (
        &[
            "ca-base",
            "crt-base",
            "ssl-dh-param-file",
            "ssl-default-server-*",
            "ssl-engine",
            "ssl-mode-async",
            "ssl-server-verify",
            "ssl-load-extra-*",
        ],
        Class::Differs,
        "files of TLS are named whole, and the suites are the proxy's own; members' certificates are always verified",
    ),
    (
        &["ssl-default-bind-*"],
        Class::Differs,
        "TLS 1.2 and 1.3 with the proxy's own suites; `min_version` of a listener takes 1.2 away",
    ),
    (
        &["stats"],
        Class::Differs,
        "[control] answers operators: `remora --proxy`, /metrics, and the site in a browser at /console/",
    ),
    (
        &["errorfile", "errorfiles", "errorloc*", "http-error"],
        Class::Unsupported,
        "[pages] names files of HTML or text, without a head of their own (docs/pages.md), for what the proxy answers itself",
    ),
    (
        &["retry-on", "retries"],
        Class::Differs,
        "a request is repeated by what may have happened, not by this: never a POST that may have run, and at another Tomcat what was not \
         begun; [retry] bounds it",
    ),
    (
        &[
            "compression",
            "filter",
            "http-send-name-header",
            "email-alert",
            "external-check",
            "lua-*",
            "wurfl-*",
            "51degrees-*",
            "deviceatlas-*",
        ],
        Class::Unsupported,
        "bodies pass as they are and no programs run in the proxy: let the application do it",
    ),
    (
        &[
            "rate-limit",
            "tcp-request",
            "tcp-response",
            "tcp-check",
            "dispatch",
            "transparent",
            "force-persist",
            "ignore-persist",
            "persist",
            "source",
            "usesrc",
            "use-fcgi-app",
        ],
        Class::Unsupported,
        "the proxy has no such setting",
    ),
    (
        &["monitor-uri", "monitor-net", "monitor"],
        Class::Unsupported,
        "the proxy answers nothing itself to clients: /healthz and /readyz of [control] say that it is there",
    ),
    (
        &["reqrep", "reqirep", "rsprep", "rspirep"],
        Class::Unsupported,
        "what leads to a Tomcat is mapped back by itself, in redirects and cookies; another path there is a route's `to`, and nothing else of a \
         head is rewritten",
    ),
    (
        &[
            "reqallow",
            "reqiallow",
            "reqpass",
            "reqipass",
            "rspdeny",
            "rspideny",
            "reqsetbe",
            "reqisetbe",
            "block",
        ],
        Class::Unsupported,
        "nobody is turned away by a rule: let the application do it",
    ),
    (
        &["hash-type", "max-session-srv-conns"],
        Class::Differs,
        "who stands in for a Tomcat that cannot serve is found by the same function in all proxies",
    ),
];

/// Options, `no option` included.
const OPTIONS: &[ToldWords] = &[
    (
        &[
            "httplog",
            "dontlognull",
            "dontlog-normal",
            "log-health-checks",
            "log-separate-errors",
            "logasap",
            "tcplog",
            "contstats",
            "socket-stats",
            "httpslog",
        ],
        Class::Differs,
        "the proxy writes an access log of its own, as docs/log.md says; `--replay` reads this one",
    ),
    (
        &[
            "http-server-close",
            "httpclose",
            "forceclose",
            "http-keep-alive",
            "http-tunnel",
            "http-pretend-keepalive",
            "http-use-htx",
            "prefer-last-server",
            "http-ignore-probes",
            "http-buffer-request",
            "http-no-delay",
            "tcp-smart-*",
            "splice-*",
            "nolinger",
            "abortonclose",
            "tcpka",
            "clitcpka",
            "srvtcpka",
            "independent-streams",
            "independant-streams",
            "disable-h2-upgrade",
            "idle-close-on-response",
            "h1-case-adjust-*",
            "http_proxy",
            "spop-check",
            "checkcache",
            "accept-*",
            "http-restrict-req-hdr-names",
        ],
        Class::Differs,
        "about connections: the proxy keeps those of clients and of Tomcats, frames strictly, and needs no setting for it",
    ),
    (
        &["redispatch", "allbackups", "persist", "transparent"],
        Class::Same,
        "a user whose Tomcat cannot serve goes to another at once, without a setting",
    ),
    (
        &["originalto"],
        Class::Unsupported,
        "the address that a client connected to is told to nobody",
    ),
];

fn row(table: &'static [ToldWords], name: &str) -> Option<(Class, &'static str)> {
    let is = |known: &&str| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    };
    let row = table.iter().find(|(names, _, _)| names.iter().any(is))?;
    Some((row.1, row.2))
}

/// What is told of a line by its keyword, or by its option.
pub(super) fn told(words: &[String]) -> Option<(Class, &'static str)> {
    let mut words = words.iter().map(String::as_str);
    let mut first = words.next()?;
    if matches!(first, "no" | "default") {
        first = words.next()?;
    }
    match first {
        "option" => row(OPTIONS, words.next()?),
        keyword => row(KEYWORDS, keyword),
    }
}

/// What is told of a section that holds nothing of ours.
pub(super) fn of_section(name: &str) -> &'static str {
    match name {
        "resolvers" => {
            "names of members are looked up by the machine's own resolver, again with each new connection"
        }
        "peers" => {
            "proxies need not tell each other: all find the same stand-in for a user, and operators' wishes are kept by the store"
        }
        "userlist" => {
            "nobody is asked for a password by the proxy: protect it in the application (security-constraint)"
        }
        "mailers" => "nobody is written to: /metrics has what an alert needs (docs/monitoring.md)",
        "cache" => {
            "the proxy keeps no answers: an application that says Cache-Control lets browsers keep them"
        }
        _ => "no rule of the proxy depends on this",
    }
}
