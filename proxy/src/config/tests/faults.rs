//! Each fault of a file, and part of the sentence that it is told by.

/// A line of the good file, what stands there instead, and part of the report.
pub(super) const FAULTS: &[(&str, &str, &str)] = &[
    (
        "threads = 2",
        "threads = 0",
        "proxy.toml:2: threads is 0: choose 1 to 256",
    ),
    (
        "threads = 2",
        "treads = 2",
        "proxy.toml:2: treads: unknown key `treads`; did you mean `threads`?",
    ),
    (
        "\"127.0.0.1/32\", ",
        "\"10.0.0.0/33\", ",
        "proxy.toml:3: `10.0.0.0/33` is not a network",
    ),
    (
        "access_log = \"/var/log/remora-proxy/access.log\"",
        "access_log = { to = \"stdout\", formt = \"json\" }",
        "proxy.toml:4: access_log.formt: unknown key `formt`; did you mean `format`?",
    ),
    (
        "access_log = \"/var/log/remora-proxy/access.log\"",
        "access_log = { format = \"xml\" }",
        "proxy.toml:4: access_log.format is `xml`: write \"combined\" or \"json\"",
    ),
    (
        "access_log = \"/var/log/remora-proxy/access.log\"",
        "access_log = { errors = \"stdout\" }",
        "proxy.toml:4: access_log.errors is where all exchanges are noted already",
    ),
    (
        "access_log = \"/var/log/remora-proxy/access.log\"",
        "access_log = [\"stdout\"]",
        "a place, or a table with to, format and errors",
    ),
    (
        "trust = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"2001:db8::/32\"]",
        "trust = { networks = [], headers = \"x\" }",
        "proxy.toml:3: trust.headers: unknown key `headers`; did you mean `header`?",
    ),
    (
        "trust = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"2001:db8::/32\"]",
        "trust = { networks = [], header = \"Via\" }",
        "proxy.toml:3: trust.header `Via` is not served: write",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\nproxy_protocol = []",
        "proxy.toml:7: proxy_protocol names nobody",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"0.0.0.0:7410\"",
        "everybody who reaches it drain upstreams",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = \"on\"",
        "a table, or \"off\"",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = { stroe = [] }",
        "proxy.toml:34: control.console.stroe: unknown key `stroe`; did you mean `store`?",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = { store = [] }",
        "proxy.toml:34: control.console.store names nobody: write client addresses",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = { store = [\"127.0.0.1\"] }",
        "control.console.store `127.0.0.1` is no address: write HOST:PORT",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = { store = [\"10.0.0.1:7400\"] }",
        "control.console.store `10.0.0.1:7400` is asked in clear off the loopback: add tls",
    ),
    (
        "bind = \"127.0.0.1:7410\"",
        "bind = \"127.0.0.1:7410\"\nconsole = { tls = { authority = \"a\", cert = \"c\", key = \"k\" } }",
        "control.console has tls and no store",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\ntls = { cert = \"c\" }",
        "proxy.toml:7: tls has a cert without a key: add key",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\ntls = {}",
        "proxy.toml:7: tls names no certificate",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\ntls = { cert = \"c\", key = \"k\", min_version = \"1.1\" }",
        "min_version `1.1` is not served",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\ntls = { cert = \"c\", key = \"k\", clients = { authority = \"a\", fields = [\"x\"] } }",
        "`x` names no fields",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\nredirect = \"http\"",
        "a table with port and except",
    ),
    (
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\nredirect = { except = [\"x\"] }",
        "except `x` must be a path",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"https://h\"",
        "proxy.toml:11: member url `https://h` takes TLS: add [pool.tomcat.tls] with authority",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"h:1\"",
        "not an http URL; write http://HOST:PORT",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"http://h:1/cart\"",
        "no path (a route's `to` carries the path)",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"http://u@h:1\"",
        "must have a host, a port and no path",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"http://h:99999\"",
        "has no usable port",
    ),
    (
        "\"http://127.0.0.1:8081\"",
        "\"http://tomcat-2:80\"",
        "two members at tomcat-2:80",
    ),
    (
        "route = \"n2\"",
        "route = \"n2\"\nredirect = \"n9\"",
        "proxy.toml:16: redirect `n9` is no route of the pool: write that of a member",
    ),
    (
        "route = \"n2\"",
        "route = \"n2\"\nstate = \"away\"",
        "proxy.toml:16: state `away` is not known: write one of active, standby, finishing, draining, disabled, stopped",
    ),
    (
        "route = \"n2\"",
        "route = \"n 2\"",
        "route `n 2` cannot stand in a cookie",
    ),
    (
        "route = \"n2\"",
        "route = \".n2\"",
        "route `.n2` cannot stand in a cookie",
    ),
    ("weight = 3", "weight = 0", "weight is 0: choose 1 to 1000"),
    ("every = \"5s\"", "every = \"5\"", "`5` is not a duration"),
    (
        "every = \"5s\"",
        "every = \"1ms\"",
        "health.every is 1ms: choose 100ms to 60s",
    ),
    (
        "path = \"/healthz\"",
        "path = \"healthz\"",
        "health.path `healthz` is not a path",
    ),
    (
        "path = \"/healthz\"",
        "host = \"a b\"",
        "health.host `a b` cannot stand in a request",
    ),
    (
        "path = \"/healthz\"",
        "status = \"200-99\"",
        "health.status `200-99` is no list of statuses from 200 to 599",
    ),
    (
        "path = \"/healthz\"",
        "rise = 0",
        "health.rise is 0: choose 1 to 10",
    ),
    ("path = \"/healthz\"", "port = 0", "health.port is 0"),
    ("path = \"/healthz\"", "portt = 1", "did you mean `port`?"),
    (
        "health = { every = \"1s\" }",
        "health = \"of\"",
        "expected a table, or \"off\"",
    ),
    ("weight = 3", "threads = 0", "threads is 0: choose 1 to 100000"),
    (
        "session = \"JSESSIONID\"",
        "session = \"J S\"",
        "`J S` cannot be the name of a cookie",
    ),
    (
        "\"ROUTEID\"",
        "\"JSESSIONID\"",
        "route_cookie and session are the same cookie",
    ),
    (
        "path = \"/shop\"",
        "path = \"/\"",
        "path `/` is routed twice: the second is never reached",
    ),
    (
        "path = \"/shop\"",
        "path = \"/bare\"",
        "path `/bare/` is routed twice",
    ),
    (
        "path = \"/shop\"",
        "path = \"shop\"",
        "path `shop` must begin with a slash",
    ),
    (
        "path = \"/shop\"",
        "path = \"/a/../b\"",
        "must not have empty or dot segments",
    ),
    (
        "path = \"/shop\"",
        "path = \"/a//b\"",
        "must not have empty or dot segments",
    ),
    ("path = \"/shop\"", "path = \"/a;b\"", "must be a plain path"),
    (
        "to = \"tomcat/cart\"",
        "to = \"tomcat/a%20b\"",
        "to `/a%20b` must be a plain path",
    ),
    (
        "to = \"tomcat/cart\"",
        "to = \"tomcta/cart\"",
        "unknown pool `tomcta`; did you mean `tomcat`?",
    ),
    (
        "to = \"tomcat/cart\"",
        "to = \"/cart\"",
        "unknown pool ``; it begins with the name of a [pool.NAME]",
    ),
    (
        "sticky = { session = \"JSESSIONID\" }",
        "sticky = { route_cookie = \"ROUTEID\" }",
        "pools `tomcat` and `old` have a cookie `ROUTEID`",
    ),
    (
        "sticky = { route_cookie = \"ROUTEID\" }",
        "sticky = { route_cookie = \"JSESSIONID\", session = \"SID|sid\" }",
        "pools `old` and `tomcat` have a cookie `JSESSIONID`",
    ),
    (
        "sticky = { session = \"JSESSIONID\" }",
        "sticky = { session = \"JSESSIONID|\" }",
        "`JSESSIONID|` cannot be the name of a cookie",
    ),
    (
        "sticky = { session = \"JSESSIONID\" }",
        "sticky = { same_site = \"None\" }",
        "is about the route cookie, and there is none",
    ),
    (
        "route_cookie = \"ROUTEID\"",
        "route_cookie = \"ROUTEID|x\"",
        "`ROUTEID|x` cannot be the name of a cookie",
    ),
    (
        "route_cookie = \"ROUTEID\"",
        "route_cookie = \"__Host-R\", path = \"/a\"",
        "browsers refuse a __Host- cookie",
    ),
    (
        "route_cookie = \"ROUTEID\"",
        "route_cookie = \"R\", path = \"/a;b\"",
        "sticky.path `/a;b` is not the path of a cookie",
    ),
    (
        "route_cookie = \"ROUTEID\"",
        "route_cookie = \"R\", domain = \"a b\"",
        "sticky.domain `a b` is not the name of a host",
    ),
    (
        "route_cookie = \"ROUTEID\"",
        "route_cookie = \"R\", same_site = \"no\"",
        "same_site is \"Strict\", \"Lax\" or \"None\"",
    ),
    ("attempts = 2", "attempts = 0", "attempts is 0: choose 1 to 16"),
    (
        "replay_bytes = 0",
        "replay_bytes = 99999999",
        "replay_bytes is 99999999: choose 0 to 16777216",
    ),
];
