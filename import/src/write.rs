//! The site as the proxy's file, with the lines that it came from quoted above what stands in their place.
//!
//! Invariants: the same site gives the same text · whatever a name or a value holds, it stands in the file as that text and as
//! nothing else · no secret of the other files is quoted.

use std::fmt::Write;
use std::time::Duration;

use crate::report::{shown, wrapped};
use crate::site::{
    FieldRules, Headers, Health, Listener, ListenerTls, Member, Origin, Pool, PoolTls, Redirect, Route,
    RouteCookie, Setting, Site, Stickiness,
};

/// Columns of a comment, as in the examples.
const WIDTH: usize = 120;

/// Where operators are answered unless somebody says otherwise; as in the examples.
const CONTROL: &str = "
# Where operators are answered: `remora --proxy`, and /metrics.
[control]
bind = \"127.0.0.1:7410\"
# Without it drains and other wishes end with the process; with the package that is
# state = \"/var/lib/remora-proxy\"
";

/// The text of the file.
#[must_use]
pub(crate) fn toml(site: &Site) -> String {
    let mut text = String::from(
        "# Written by `remora import`; what stood in the other files is quoted above what stands in its place.\n",
    );
    if !site.trust.networks.is_empty() {
        text.push('\n');
        origin(&mut text, &site.trust.origin);
        let _ = writeln!(text, "trust = {}", list(&site.trust.networks));
    }
    for listener in &site.listeners {
        listen(&mut text, listener);
    }
    for pool in &site.pools {
        write_pool(&mut text, pool);
    }
    for route in &site.routes {
        write_route(&mut text, route);
    }
    for (way, rules) in [
        ("request", &site.headers.request),
        ("response", &site.headers.response),
    ] {
        if !rules.is_empty() {
            let _ = write!(text, "\n[headers.{way}]\n");
            for line in rules.lines() {
                origin(&mut text, &Origin::of(line));
            }
            fields(&mut text, rules);
        }
    }
    for table in ["limits", "retry"] {
        let rows: Vec<&Setting> = site.settings.iter().filter(|row| row.table == table).collect();
        if !rows.is_empty() {
            let _ = write!(text, "\n[{table}]\n");
            for row in rows {
                origin(&mut text, &row.origin);
                let _ = writeln!(text, "{} = {}", row.key, row.value);
            }
        }
    }
    text.push_str(CONTROL);
    text
}

/// The lines that an item came from, and what is to be said of it.
fn origin(text: &mut String, origin: &Origin) {
    for line in &origin.lines {
        let _ = writeln!(text, "# {}", shown(&line.text));
    }
    for note in &origin.notes {
        for line in wrapped(note, WIDTH) {
            let _ = writeln!(text, "# {line}");
        }
    }
}

/// A text of TOML.
#[must_use]
pub(crate) fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// A duration as the proxy reads it.
#[must_use]
pub(crate) fn period(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("\"{}s\"", duration.as_secs())
    } else {
        format!("\"{}ms\"", duration.as_millis())
    }
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

/// A table in one line.
fn inline(keys: &[(&str, Option<String>)]) -> String {
    let said = keys
        .iter()
        .filter_map(|(key, value)| Some(format!("{key} = {}", value.as_ref()?)));
    format!("{{ {} }}", said.collect::<Vec<String>>().join(", "))
}

fn text_of(value: Option<&String>) -> Option<String> {
    value.map(|value| quoted(value))
}

fn listen(text: &mut String, listener: &Listener) {
    text.push('\n');
    origin(text, &listener.origin);
    let _ = writeln!(text, "[[listen]]\nbind = {}", quoted(&listener.bind));
    if !listener.proxy_protocol.is_empty() {
        let _ = writeln!(text, "proxy_protocol = {}", list(&listener.proxy_protocol));
    }
    if let Some(Redirect {
        port,
        except,
        origin: whence,
    }) = &listener.redirect
    {
        origin(text, whence);
        let keys = [
            ("port", port.map(|port| port.to_string())),
            ("except", (!except.is_empty()).then(|| list(except))),
        ];
        let said = if keys.iter().all(|(_, value)| value.is_none()) {
            quoted("https")
        } else {
            inline(&keys)
        };
        let _ = writeln!(text, "redirect = {said}");
    }
    if let Some(tls) = &listener.tls {
        listen_tls(text, tls);
    }
}

fn listen_tls(text: &mut String, tls: &ListenerTls) {
    let pair = |(cert, key): &(String, String)| [("cert", Some(quoted(cert))), ("key", Some(quoted(key)))];
    origin(text, &tls.origin);
    text.push_str("[listen.tls]\n");
    if let Some((cert, key)) = tls.certificates.first() {
        let _ = writeln!(text, "cert = {}\nkey = {}", quoted(cert), quoted(key));
    }
    let others: Vec<String> = tls
        .certificates
        .iter()
        .skip(1)
        .map(|own| inline(&pair(own)))
        .collect();
    if !others.is_empty() {
        let _ = writeln!(text, "certificate = [\n    {},\n]", others.join(",\n    "));
    }
    for (key, said) in [
        ("strict_sni = true", tls.strict_sni),
        ("min_version = \"1.3\"", tls.newest_only),
        ("http2 = false", tls.no_http2),
    ] {
        if said {
            let _ = writeln!(text, "{key}");
        }
    }
    if let Some((authority, required)) = &tls.clients {
        let fields: Vec<String> = tls.client_fields.iter().map(|&field| field.to_owned()).collect();
        let keys = [
            ("authority", Some(quoted(authority))),
            ("required", required.then(|| "true".to_owned())),
            ("fields", (!fields.is_empty()).then(|| list(&fields))),
        ];
        let _ = writeln!(text, "clients = {}", inline(&keys));
    }
}

fn write_pool(text: &mut String, pool: &Pool) {
    text.push('\n');
    origin(text, &pool.origin);
    let _ = writeln!(text, "[pool.{}]", pool.name);
    if let Some(word) = pool.balance {
        let _ = writeln!(text, "balance = {}", quoted(word));
    }
    let _ = writeln!(text, "sticky = {}", sticky(&pool.sticky));
    if let Some(said) = health(&pool.health) {
        let _ = writeln!(text, "health = {said}");
    }
    if let Some(PoolTls { authority, name, own }) = &pool.tls {
        let (cert, key) = own
            .as_ref()
            .map(|(cert, key)| (quoted(cert), quoted(key)))
            .unzip();
        let keys = [
            ("authority", Some(quoted(authority))),
            ("name", text_of(name.as_ref())),
            ("cert", cert),
            ("key", key),
        ];
        let _ = writeln!(text, "tls = {}", inline(&keys));
    }
    for member in &pool.members {
        write_member(text, &pool.name, member);
    }
}

fn sticky(sticky: &Stickiness) -> String {
    match sticky {
        Stickiness::Off => quoted("off"),
        Stickiness::Session(names) => inline(&[("session", Some(quoted(names)))]),
        Stickiness::RouteCookie(RouteCookie {
            name,
            session,
            path,
            domain,
            same_site,
        }) => inline(&[
            ("session", text_of(session.as_ref())),
            ("route_cookie", Some(quoted(name))),
            ("path", text_of(path.as_ref())),
            ("domain", text_of(domain.as_ref())),
            ("same_site", same_site.map(quoted)),
        ]),
    }
}

/// What is said of checks, if anything is.
fn health(health: &Health) -> Option<String> {
    if health.off {
        return Some(quoted("off"));
    }
    let keys = [
        ("every", health.every.map(period)),
        ("timeout", health.timeout.map(period)),
        ("path", text_of(health.path.as_ref())),
        ("host", text_of(health.host.as_ref())),
        ("status", text_of(health.status.as_ref())),
        ("port", health.port.map(|port| port.to_string())),
        ("rise", health.rise.map(|count| count.to_string())),
        ("fall", health.fall.map(|count| count.to_string())),
    ];
    keys.iter()
        .any(|(_, value)| value.is_some())
        .then(|| inline(&keys))
}

fn write_member(text: &mut String, pool: &str, member: &Member) {
    text.push('\n');
    origin(text, &member.origin);
    let _ = writeln!(text, "[[pool.{pool}.member]]");
    for (key, value) in [
        ("url", Some(quoted(&member.url))),
        ("route", Some(quoted(&member.route))),
        ("weight", member.weight.map(|weight| weight.to_string())),
        ("state", member.state.map(quoted)),
        ("set", member.set.map(|set| set.to_string())),
        ("group", text_of(member.group.as_ref())),
        ("redirect", text_of(member.redirect.as_ref())),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
}

fn write_route(text: &mut String, route: &Route) {
    text.push('\n');
    origin(text, &route.origin);
    let to = format!("{}{}", route.pool, route.to.as_deref().unwrap_or_default());
    let _ = writeln!(text, "[[route]]");
    for (key, value) in [
        ("path", Some(quoted(&route.path))),
        ("to", Some(quoted(&to))),
        ("host", (!route.hosts.is_empty()).then(|| list(&route.hosts))),
        ("except", (!route.except.is_empty()).then(|| list(&route.except))),
        ("encoded_slash", route.encoded_slash.then(|| "true".to_owned())),
        ("connect", route.connect.map(period)),
        ("response", route.response.map(period)),
        ("idle", route.idle.map(period)),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    let Headers { request, response } = &route.headers;
    for (way, rules) in [("request", request), ("response", response)] {
        if !rules.is_empty() {
            for line in rules.lines() {
                origin(text, &Origin::of(line));
            }
            let _ = writeln!(text, "[route.headers.{way}]");
            fields(text, rules);
        }
    }
}

fn fields(text: &mut String, rules: &FieldRules) {
    if !rules.set.is_empty() {
        let pairs = rules
            .set
            .iter()
            .map(|(name, value, _)| format!("{} = {}", quoted(name), quoted(value)));
        let _ = writeln!(text, "set = {{ {} }}", pairs.collect::<Vec<String>>().join(", "));
    }
    if !rules.unset.is_empty() {
        let names: Vec<String> = rules.unset.iter().map(|(name, _)| name.clone()).collect();
        let _ = writeln!(text, "unset = {}", list(&names));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_stands_in_the_file_as_itself() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000ad\"");
        assert_eq!(period(Duration::from_millis(1_500)), "\"1500ms\"");
        assert_eq!(period(Duration::from_secs(90)), "\"90s\"");
    }
}
