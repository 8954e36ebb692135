//! What a file means, and what each fault is called.

use std::net::IpAddr;
use std::time::Duration;

use remora_policy::{ForwardingHeader, Sticky};

use super::trust::Network;
use super::values::CONTROL_ADDRESS;
use super::*;

mod faults;
mod page;
mod pools;

const GOOD: &str = r#"
threads = 2
trust = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
access_log = "/var/log/remora-proxy/access.log"
[[listen]]
bind = "127.0.0.1:8080"
[pool.tomcat]
sticky = { session = "JSESSIONID" }
health = { every = "1s" }
[[pool.tomcat.member]]
url = "http://127.0.0.1:8081"
route = "n1"
[[pool.tomcat.member]]
url = "http://tomcat-2/"
route = "n2"
weight = 3
[pool.old]
sticky = { route_cookie = "ROUTEID" }
health = { every = "5s", timeout = "2s", path = "/healthz" }
[[pool.old.member]]
url = "http://[::1]:8082"
route = "o.1"
[[route]]
path = "/shop"
to = "tomcat/cart"
[[route]]
path = "/"
to = "old"
[[route]]
path = "/bare/"
to = "old/"
[control]
bind = "127.0.0.1:7410"
[limits]
response = "5s"
replay_bytes = 0
[retry]
attempts = 2
"#;

fn read(text: &str) -> Result<Config, String> {
    Config::read(&Source::from_text("proxy.toml", text)).map_err(|faults| faults.to_string())
}

/// The report on the good file with one line replaced.
fn fault(line: &str, wrong: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    read(&GOOD.replacen(line, wrong, 1)).expect_err(wrong)
}

#[test]
fn a_complete_file_is_shown_as_it_holds() {
    let config = read(GOOD).unwrap();
    assert_eq!(
        config.summary(),
        "\
listen   127.0.0.1:8080
control  127.0.0.1:7410
wishes   end with the process
threads  2
trust    127.0.0.1/32, 10.0.0.0/8, 2001:db8::/32
access   /var/log/remora-proxy/access.log
limit    connect 1s
limit    response 5s
limit    idle 60s
limit    request_head 30s
limit    handshake 10s
limit    client_idle 75s
limit    upstream_idle 15s
limit    announce 0s
limit    stop 30s
limit    tunnel_stop 20s
limit    tunnel_grace 10s
limit    request_head_bytes 16384
limit    request_fields 100
limit    answer_head_bytes 65536
limit    answer_fields 1000
limit    target_bytes 8192
limit    replay_bytes 0
limit    connections 10000
limit    connections_per_address 5000
limit    streams_per_connection 100
limit    request_bytes_per_second 500
limit    answer_bytes_per_second 500
limit    client_grace 60s
limit    request 21600s
limit    upstream_connections_idle 256
retry    attempts 2, percent 20, per_second 10, burst 1000
pool     old: route in cookie ROUTEID, session in JSESSIONID; GET /healthz every 5s, 2s for 200-399, down after 2, up after 2
  member o.1 at http://[::1]:8082, weight 1
pool     tomcat: session and route in JSESSIONID; OPTIONS * every 1s, 1s for 200-499, down after 2, up after 2
  member n1 at http://127.0.0.1:8081, weight 1
  member n2 at http://tomcat-2:80, weight 3
route    /shop -> tomcat/cart
route    / -> old/
route    /bare -> old/
"
    );
    assert_eq!(config.limits.response, Duration::from_secs(5));
    assert_eq!(config.limits.replay_bytes, 0);
    assert_eq!(config.limits.retry.attempts, 2);
    assert_eq!(config.limits.connect, Limits::default().connect);
}

#[test]
fn little_is_enough() {
    let config = read(
        "[[listen]]\nbind = \"127.0.0.1:0\"\n[[pool.p.member]]\nurl = \"http://h\"\nroute = \"r\"\n[[route]]\npath = \"/\"\nto = \"p\"\n",
    )
    .unwrap();
    assert_eq!(config.control.to_string(), CONTROL_ADDRESS);
    assert_eq!(config.access_log.to, LogTarget::Stdout);
    assert_eq!(config.pools[0].sticky, Sticky::new("JSESSIONID", None));
    assert_eq!(config.limits, Limits::default());
    assert!(config.threads >= 1);
}

#[test]
fn checks_are_as_they_are_told() {
    let shown = |health: &str| {
        let text = GOOD.replace("health = { every = \"1s\" }", &format!("health = {health}"));
        let summary = read(&text).unwrap().summary();
        let line = summary.lines().find(|line| line.starts_with("pool     tomcat"));
        line.unwrap().split_once("; ").unwrap().1.to_owned()
    };
    assert_eq!(shown("\"off\""), "no checks, down after 2 bad signs");
    assert_eq!(
        shown(
            "{ path = \"/up\", host = \"shop.test\", port = 9000, status = \"200, 401-403\", rise = 3, fall = 1 }"
        ),
        "GET /up of shop.test at port 9000 every 1s, 1s for 200, 401-403, down after 1, up after 3"
    );
}

#[test]
fn each_fault_is_a_sentence_with_its_line() {
    for (line, wrong, expected) in faults::FAULTS {
        let report = fault(line, wrong);
        assert!(
            report.contains(expected),
            "{wrong}\n  expected {expected}\n  found    {report}"
        );
    }
}

#[test]
fn all_faults_come_in_one_report() {
    let report = read("[pool.empty]\n[pool.\"a b\"]\n[[pool.\"a b\".member]]\nurl = \"x\"\nroute = \"\"\n")
        .unwrap_err();
    for expected in [
        "6 faults in the configuration",
        "proxy.toml: no listener is configured",
        "proxy.toml: no route is configured",
        "pool `empty` has no member",
        "pool `a b`: a name has letters",
        "proxy.toml:4: member url `x`",
        "proxy.toml:5: route `` cannot",
    ] {
        assert!(report.contains(expected), "expected {expected}\n{report}");
    }
    assert!(read("").unwrap_err().contains("no pool is configured"));
}

#[test]
fn trust_is_by_network() {
    let trust = read(GOOD).unwrap().trust;
    let cases = [
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("10.255.0.1", true),
        ("11.0.0.1", false),
        ("::ffff:10.0.0.1", true),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
    ];
    for (peer, trusted) in cases {
        let peer: IpAddr = peer.parse().unwrap();
        assert_eq!(trust.networks.include(peer), trusted, "{peer}");
    }
    assert!(!Networks::default().include(IpAddr::from([127, 0, 0, 1])));
    let one: Network = "192.0.2.1".parse().unwrap();
    assert_eq!(one.to_string(), "192.0.2.1/32");
    for wrong in [
        "",
        "10.0.0.0/",
        "10.0.0/8",
        "010.0.0.0/8",
        "10.0.0.0/-1",
        "::/129",
        "localhost",
    ] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
    let everybody: Network = "0.0.0.0/0".parse().unwrap();
    assert!(Networks(vec![everybody]).include(IpAddr::from([8, 8, 8, 8])));
}

#[test]
fn the_access_log_is_a_place_or_a_table() {
    let place = "access_log = \"/var/log/remora-proxy/access.log\"";
    let shown = |log: &str| {
        let summary = read(&GOOD.replace(place, log)).unwrap().summary();
        let lines = summary
            .lines()
            .filter(|line| line.starts_with("access") || line.starts_with("errors"));
        lines.collect::<Vec<_>>().join("\n")
    };
    for (log, expected) in [
        ("", "access   stdout"),
        ("access_log = \"off\"", "access   off"),
        ("access_log = \"stdout\"", "access   stdout"),
        ("access_log = \"access.log\"", "access   access.log"),
        ("access_log = { to = \"stderr\" }", "access   stderr"),
        (
            "access_log = { format = \"combined\", errors = \"off\" }",
            "access   stdout",
        ),
        (
            "access_log = { to = \"/a.log\", format = \"json\", errors = \"stderr\" }",
            "access   /a.log as JSON\nerrors   stderr",
        ),
        (
            "access_log = { to = \"off\", errors = \"/e.log\" }",
            "access   off\nerrors   /e.log",
        ),
    ] {
        assert_eq!(shown(log), expected, "{log}");
    }
}

#[test]
fn trust_is_a_list_or_a_table_that_names_the_header() {
    let list = "trust = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"2001:db8::/32\"]";
    let header = |trust: &str| read(&GOOD.replace(list, trust)).map(|config| config.trust.header);
    assert_eq!(header(list), Ok(ForwardingHeader::XForwardedFor));
    let table = "trust = { networks = [\"127.0.0.1\"], header = \"forwarded\" }";
    assert_eq!(header(table), Ok(ForwardingHeader::Forwarded));
    let shown = read(&GOOD.replace(list, table)).unwrap().summary();
    assert!(shown.contains("trust    127.0.0.1/32 by Forwarded\n"), "{shown}");
}

#[test]
fn a_route_cookie_is_shown_with_what_is_not_usual_about_it() {
    let line = "sticky = { route_cookie = \"ROUTEID\" }";
    let written = "sticky = { session = \"SID|sid\", route_cookie = \"R\", path = \"/a\", domain = \"h\", same_site = \"none\", \
                   partitioned = true }";
    let shown = read(&GOOD.replace(line, written)).unwrap().summary();
    let expected =
        "old: route in cookie R (Path=/a Domain=h SameSite=None Partitioned), session in SID, in URLs sid;";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn a_route_may_be_narrowed_and_a_path_routed_on_several_hosts() {
    let more = "[[route]]\npath = \"/shop\"\nto = \"old\"\nhost = [\"Shop.test\", \"*.shop.test\"]\n\
                except = [\"/shop/static\"]\nencoded_slash = true\n";
    let shown = read(&format!("{GOOD}{more}")).unwrap().summary();
    let expected =
        "route    /shop -> old/shop on shop.test, *.shop.test except /shop/static with encoded slashes\n";
    assert!(shown.ends_with(expected), "{shown}");
    let twice = format!("{GOOD}{more}{}", more.replace("Shop.test", "other.test"));
    assert!(read(&twice).unwrap_err().contains("path `/shop` is routed twice"));
    for (key, expected) in [
        (
            "host = [\"http://a\"]",
            "host `http://a` is not the name of a host",
        ),
        ("host = [\"a:80\"]", "host `a:80` is not the name of a host"),
        ("host = [\"*.\"]", "host `*.` is not the name of a host"),
        (
            "except = [\"/shopping\"]",
            "except `/shopping` is not under the route's path",
        ),
        (
            "except = [\"/shop\"]",
            "except `/shop` is not under the route's path",
        ),
        (
            "except = [\"/shop/a;b\"]",
            "except `/shop/a;b` must be a plain path",
        ),
    ] {
        let text = format!("{GOOD}[[route]]\npath = \"/shop\"\nto = \"old\"\n{key}\n");
        let report = read(&text).unwrap_err();
        assert!(report.contains(expected), "{report}");
    }
}

#[test]
fn rules_for_fields_are_shown_and_none_may_break_a_message() {
    let read = |rules: &str| read(&format!("{GOOD}[headers]\n{rules}"));
    let good = "request = { unset = [\"X-Debug\"] }\nresponse = { set = { Server = \"shop\" } }";
    let shown = read(good).unwrap().summary();
    let lines = "field    request: unset X-Debug\nfield    response: set Server: shop\n";
    assert!(shown.contains(lines), "{shown}");
    for (rules, expected) in [
        (
            "request = { unset = [\"Cookie\"] }",
            "proxy.toml:40: `Cookie` is a field that the message",
        ),
        (
            "request = { unset = [\"a b\"] }",
            "`a b` cannot be the name of a field",
        ),
        (
            "response = { set = { X = \"a\\nb\" } }",
            "the value of `X` must be visible ASCII",
        ),
        (
            "response = { set = { X-A = \"1\" }, unset = [\"x_a\"] }",
            "`x_a` has two rules",
        ),
    ] {
        let report = read(rules).unwrap_err();
        assert!(report.contains(expected), "{report}");
    }
}

#[test]
fn a_listener_behind_balancers_names_them() {
    let text = GOOD.replace(
        "bind = \"127.0.0.1:8080\"",
        "bind = \"127.0.0.1:8080\"\nproxy_protocol = [\"10.0.0.0/8\"]",
    );
    let shown = read(&text).unwrap().summary();
    let line = "listen   127.0.0.1:8080 with PROXY headers from 10.0.0.0/8\n";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn a_listener_says_how_it_speaks() {
    let shown = |lines: &str| {
        let bind = "bind = \"127.0.0.1:8080\"";
        let summary = read(&GOOD.replace(bind, &format!("{bind}\n{lines}")))
            .unwrap()
            .summary();
        summary.lines().next().unwrap().to_owned()
    };
    for (lines, expected) in [
        (
            "tls = { cert = \"a.pem\", key = \"a.key\" }",
            " with TLS by a.pem",
        ),
        (
            "[listen.tls]\nmin_version = \"1.3\"\nstrict_sni = true\ncertificate = [{ cert = \"b\", key = \"k\" }, \
             { cert = \"c\", key = \"k\" }]",
            " with TLS 1.3 by b, c for their names alone",
        ),
        (
            "tls = { cert = \"a\", key = \"k\", clients = { authority = \"x\", required = true, fields = [\"sslvalve\"] } }",
            " with TLS by a, takes client certificates of x, told as sslvalve",
        ),
        ("redirect = \"https\"", ", sends clients to https at 443"),
        (
            "redirect = { port = 8443, except = [\"/a\"] }",
            ", sends clients to https at 8443 except /a",
        ),
    ] {
        assert_eq!(shown(lines), format!("listen   127.0.0.1:8080{expected}"));
    }
}

#[test]
fn what_a_reload_cannot_change_is_named() {
    let config = read(GOOD).unwrap();
    assert!(config.fixed_differences(&config).is_empty());
    let other = read(
        &GOOD
            .replace(":8080", ":8090")
            .replace("threads = 2", "threads = 3"),
    )
    .unwrap();
    assert_eq!(config.fixed_differences(&other), ["listen", "threads"]);
    let listener = |line: &str| read(&GOOD.replace(":8080\"", &format!(":8080\"\n{line}"))).unwrap();
    let [one, other] =
        ["a", "b"].map(|cert| listener(&format!("tls = {{ cert = \"{cert}\", key = \"k\" }}")));
    assert!(one.fixed_differences(&other).is_empty());
    assert_eq!(config.fixed_differences(&one), ["listen"]);
    assert_eq!(
        config.fixed_differences(&listener("redirect = \"https\"")),
        ["listen"]
    );
    let reloadable = read(&GOOD.replace("weight = 3", "weight = 4")).unwrap();
    assert!(config.fixed_differences(&reloadable).is_empty());
}

#[test]
fn every_limit_is_parsed_checked_shown_and_documented() {
    let rows = Limits::default().rows();
    let (summary, help) = (read(GOOD).unwrap().summary(), keys_page());
    for row in &rows {
        let (least, most) = &row.range;
        assert!(
            row.why.ends_with('.') && row.why.contains(". "),
            "{}: {}",
            row.key,
            row.why
        );
        assert!(help.contains(&row.why), "{}", row.key);
        assert!(summary.contains(&format!(" {} ", row.key)), "{}", row.key);
        let set = |value: &str| {
            let quoted = if value.ends_with('s') {
                format!("\"{value}\"")
            } else {
                value.to_owned()
            };
            let without = GOOD
                .replace("response = \"5s\"\nreplay_bytes = 0\n", "")
                .replace("attempts = 2\n", "");
            let table = format!("[{}]\n", row.table);
            read(&without.replace(&table, &format!("{table}{} = {quoted}\n", row.key)))
        };
        for value in [least, most, &row.value] {
            let config = set(value).unwrap_or_else(|faults| panic!("{} = {value}: {faults}", row.key));
            let holds = config.limits.rows();
            let holds = holds.iter().find(|other| other.key == row.key).unwrap();
            assert_eq!(&holds.value, value, "{}", row.key);
        }
        let beyond = if most.ends_with('s') { "86401s" } else { "16777217" };
        let (report, range) = (set(beyond).unwrap_err(), format!(": choose {least} to {most}"));
        assert!(
            report.contains(&format!("{} is ", row.key)) && report.contains(&range),
            "{report}"
        );
    }
    let mut keys: Vec<&str> = rows.iter().map(|row| row.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), rows.len(), "each key is one row");
}

#[test]
fn the_example_names_every_limit_with_its_default() {
    let mut table = "";
    let mut named = Vec::new();
    for line in include_str!("../../../examples/proxy.toml").lines() {
        if let Some(name) = line.trim_start_matches(['#', ' ']).strip_prefix('[') {
            table = name.trim_end_matches(']');
        } else if let Some((key, rest)) = line.strip_prefix("# ").and_then(|line| line.split_once(" = "))
            && ["limits", "retry"].contains(&table)
        {
            let value = rest.split(['#', ' ']).next().unwrap_or_default();
            named.push(format!("{table} {key} {}", value.trim_matches('"')));
        }
    }
    let rows = Limits::default().rows();
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row.table, row.key, row.value))
        .collect();
    assert_eq!(named, rows);
}
