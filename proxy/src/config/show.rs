//! A configuration in the words of its file, for people: what `--check` prints, and the page of all keys.
//!
//! Invariant: what is shown is what holds, defaults included, so two files that mean the same are shown alike.
//!
//! Left out on purpose: a machine's form of it. Scripts read the file.

use std::borrow::Cow;
use std::fmt::Write;

use remora_policy::{
    AdminState, BalanceBy, ForwardingHeader, HealthRule, Lookup, RouteCookie, Settings, Sticky, ToHttps,
};

use remora_process::tls::now;

use super::check::pages::{COME_BACK_DEFAULT, RETRY_AFTER_DEFAULT};
use super::file::File;
use super::keys::{Key, Table};
use super::limits::Limits;
use super::values::{
    Config, ConsoleConfig, DiscoveryConfig, HealthConfig, ListenConfig, LogConfig, LogFormat, LogTarget,
    MaintenanceConfig, Pages, PoolConfig, PoolTls, Rules, StoreConfig, Terms, TlsConfig, TlsSettings,
};

/// What holds, one line for each listener, limit, pool, member and route.
pub(super) fn summary(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, so the results carry nothing.
    let _ = write_summary(config, &mut text);
    text
}

/// The console, where a file says something of it.
fn write_console(console: Option<&ConsoleConfig>, text: &mut String) -> std::fmt::Result {
    match console {
        None => writeln!(text, "console  off"),
        Some(
            ConsoleConfig { store: None, .. }
            | ConsoleConfig {
                by_discovery: true, ..
            },
        ) => Ok(()),
        Some(ConsoleConfig {
            store: Some(store), ..
        }) => {
            let how = if store.tls.is_some() { " with TLS" } else { "" };
            writeln!(
                text,
                "console  shows the store at {}{how}",
                store.addresses.join(", ")
            )
        }
    }
}

fn write_summary(config: &Config, text: &mut String) -> std::fmt::Result {
    config
        .listen
        .iter()
        .try_for_each(|listener| write_listener(listener, text))?;
    let how = if config.control_tls.is_some() {
        " with TLS"
    } else {
        ""
    };
    writeln!(text, "control  {}{how}", config.control)?;
    write_console(config.console.as_ref(), text)?;
    match &config.state {
        Some(state) => writeln!(text, "wishes   kept in {}", state.display())?,
        None => writeln!(text, "wishes   end with the process")?,
    }
    writeln!(text, "threads  {}", config.threads)?;
    let by = match config.trust.header {
        ForwardingHeader::XForwardedFor => "",
        ForwardingHeader::Forwarded => " by Forwarded",
    };
    writeln!(text, "trust    {}{by}", config.trust.networks)?;
    write_rules("field    ", &config.rules, text)?;
    write_log(&config.access_log, text)?;
    write_pages("pages    ", &config.pages, None, text)?;
    write_limits(&config.limits, text)?;
    if let Some(StoreConfig { addresses, tls }) = &config.discovery {
        let how = if tls.is_some() { " with TLS" } else { "" };
        writeln!(text, "store    {}{how}", addresses.join(", "))?;
    }
    config.pools.iter().try_for_each(|pool| write_pool(pool, text))?;
    for route in &config.routes {
        let pool = config.pools.get(route.pool).map_or("", |pool| &pool.name);
        let slash = |path: &str| {
            if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            }
        };
        let (public, internal) = (slash(&route.public), slash(&route.internal));
        write!(text, "route    {public} -> {pool}{internal}")?;
        for (word, values) in [(" on", &route.hosts), (" except", &route.except)] {
            if !values.is_empty() {
                write!(text, "{word} {}", values.join(", "))?;
            }
        }
        let encoded = if route.encoded_slash {
            " with encoded slashes"
        } else {
            ""
        };
        write!(text, "{encoded}")?;
        write_terms(config, route.position, text)?;
    }
    Ok(())
}

/// How clients are accepted at one address.
fn write_listener(listener: &ListenConfig, text: &mut String) -> std::fmt::Result {
    let ListenConfig {
        address,
        proxy_protocol,
        tls,
        redirect,
    } = listener;
    write!(text, "listen   {address}")?;
    if let Some(tls) = tls {
        write_tls(tls, text)?;
    }
    if let Some(from) = proxy_protocol {
        write!(text, " with PROXY headers from {from}")?;
    }
    match redirect {
        None => writeln!(text)?,
        Some(to) => write_redirect(to, text)?,
    }
    for doubt in tls.iter().flat_map(|tls| tls.keyring.doubts(now())) {
        writeln!(text, "  warning {doubt}")?;
    }
    Ok(())
}

fn write_log(log: &LogConfig, text: &mut String) -> std::fmt::Result {
    let LogConfig { to, format, errors } = log;
    let how = match format {
        LogFormat::Combined => "",
        LogFormat::Json => " as JSON",
    };
    writeln!(text, "access   {}{how}", place(to))?;
    if *errors != LogTarget::Off {
        writeln!(text, "errors   {}", place(errors))?;
    }
    Ok(())
}

/// Which certificates are shown, and which versions are spoken.
fn write_tls(tls: &TlsConfig, text: &mut String) -> std::fmt::Result {
    let TlsSettings {
        certificates,
        strict_sni,
        newest_only,
        clients,
        http2,
    } = &tls.settings;
    let files: Vec<String> = certificates
        .iter()
        .map(|(cert, _)| cert.display().to_string())
        .collect();
    let version = if *newest_only { " 1.3" } else { "" };
    write!(text, " with TLS{version} by {}", files.join(", "))?;
    if *strict_sni {
        write!(text, " for their names alone")?;
    }
    if !http2 {
        write!(text, " without HTTP/2")?;
    }
    let Some(clients) = clients else { return Ok(()) };
    let authority = clients.authority.display();
    let how = if clients.required { "takes" } else { "asks for" };
    write!(text, ", {how} client certificates of {authority}")?;
    for (is_told, name) in [
        (clients.told.rfc9440, "rfc9440"),
        (clients.told.sslvalve, "sslvalve"),
    ] {
        if is_told {
            write!(text, ", told as {name}")?;
        }
    }
    Ok(())
}

/// Where clients are sent.
fn write_redirect(to: &ToHttps, text: &mut String) -> std::fmt::Result {
    write!(text, ", sends clients to https at {}", to.port)?;
    match &*to.except {
        [] => writeln!(text),
        except => writeln!(text, " except {}", except.join(", ")),
    }
}

/// Where lines go.
fn place(target: &LogTarget) -> Cow<'_, str> {
    match target {
        LogTarget::Stdout => "stdout".into(),
        LogTarget::Stderr => "stderr".into(),
        LogTarget::Off => "off".into(),
        LogTarget::File(path) => path.to_string_lossy(),
    }
}

/// Each rule for a field in a line that begins with `lead`.
fn write_rules(lead: &str, rules: &Rules, text: &mut String) -> std::fmt::Result {
    for (way, rules) in [("request", &rules.request), ("response", &rules.response)] {
        for (name, value) in &rules.set {
            writeln!(text, "{lead}{way}: set {name}: {value}")?;
        }
        for name in &rules.unset {
            writeln!(text, "{lead}{way}: unset {name}")?;
        }
    }
    Ok(())
}

/// In what a route differs from the site.
fn write_terms(config: &Config, route: usize, text: &mut String) -> std::fmt::Result {
    let Some(Terms { limits, rules }) = config.terms.get(route) else {
        return writeln!(text);
    };
    for (own, usual) in limits.rows().iter().zip(config.limits.rows()) {
        if own.value != usual.value {
            write!(text, ", {} {}", own.key, own.value)?;
        }
    }
    writeln!(text)?;
    if *rules == config.rules {
        return Ok(());
    }
    write_rules("  field ", rules, text)
}

/// Each limit under its own key; those on repeating in one line.
fn write_limits(limits: &Limits, text: &mut String) -> std::fmt::Result {
    let rows = limits.rows();
    for row in rows.iter().filter(|row| row.table == "limits") {
        writeln!(text, "limit    {} {}", row.key, row.value)?;
    }
    let retry = rows.iter().filter(|row| row.table == "retry");
    let retry: Vec<String> = retry.map(|row| format!("{} {}", row.key, row.value)).collect();
    writeln!(text, "retry    {}", retry.join(", "))
}

/// Every key of the file: a Markdown page that reads well on a terminal too.
pub(super) fn keys_page() -> String {
    let mut text = "# Keys of the proxy's file\n\nIn each table: a key with an example, its kind, range and default, and what it is for.\n"
        .to_owned();
    for section in File::sections("") {
        if !section.header.is_empty() {
            text += &format!("\n## `{}`\n", section.header);
        }
        text += &format!("\n{}\n", section.why);
        for (position, key) in section.keys.iter().enumerate() {
            let space = if position == 0 { "\n" } else { "" };
            text += &format!("{space}{}\n", key_line(key));
        }
    }
    text
}

fn key_line(key: &Key) -> String {
    let range = match &*key.range {
        "" => String::new(),
        range => format!(", {range}"),
    };
    let default = match &key.default {
        None => "required".to_owned(),
        Some(default) => format!("default: {default}"),
    };
    format!(
        "- `{} = {}` ({}{range}; {default}): {}",
        key.name, key.example, key.kind, key.why
    )
}

fn write_pool(pool: &PoolConfig, text: &mut String) -> std::fmt::Result {
    let mut sticky = write_sticky(&pool.sticky);
    if pool.sticky.lookup == Lookup::Httpd {
        sticky += ", looked up as httpd does";
    }
    write!(text, "pool     {}: {sticky}; {}", pool.name, checks(&pool.health))?;
    match pool.balance {
        BalanceBy::Requests => writeln!(text)?,
        by => writeln!(text, "; balanced by {}", by.as_str())?,
    }
    write_pages("  pages ", &pool.pages, Some(&pool.maintenance), text)?;
    if let Some(PoolTls { files, name, read }) = &pool.tls {
        write!(text, "  tls believes {}", files.authority.display())?;
        if let Some(name) = name {
            write!(text, " for {name}")?;
        }
        if let Some((cert, _)) = &files.own {
            write!(text, ", shows {}", cert.display())?;
        }
        writeln!(text)?;
        if let Some(doubt) = read.own().and_then(|own| own.doubt(now())) {
            writeln!(text, "  warning {doubt}")?;
        }
    }
    if let Some(DiscoveryConfig { allow, applications }) = &pool.discovery {
        write!(text, "  discovers members in {allow}")?;
        if let Some(applications) = applications {
            write!(text, " with {applications}")?;
        }
        writeln!(text)?;
    }
    for member in &pool.members {
        let threads = member.threads.map(|threads| format!(", {threads} threads"));
        let Settings { state, weight } = member.configured;
        write!(
            text,
            "  member {} at {}, weight {weight}{}",
            member.route,
            member.url(),
            threads.unwrap_or_default()
        )?;
        if state != AdminState::Active {
            write!(text, ", {}", state.as_str())?;
        }
        if member.set > 0 {
            write!(text, ", set {}", member.set)?;
        }
        for (word, name) in [("group", &member.group), ("redirect", &member.redirect)] {
            if let Some(name) = name {
                write!(text, ", {word} {name}")?;
            }
        }
        writeln!(text)?;
    }
    Ok(())
}

/// Which answers have a page, and what is not usual about maintenance, in one line that begins with `lead`; nothing where
/// there is nothing.
fn write_pages(
    lead: &str,
    pages: &Pages,
    maintenance: Option<&MaintenanceConfig>,
    text: &mut String,
) -> std::fmt::Result {
    let named = [
        ("bad_request", &pages.bad_request),
        ("not_found", &pages.not_found),
        ("bad_gateway", &pages.bad_gateway),
        ("unavailable", &pages.unavailable),
        ("timeout", &pages.timeout),
        ("maintenance", &pages.maintenance),
    ];
    let named = named.into_iter().filter_map(|(name, page)| {
        let page = page.as_ref()?;
        Some(format!(
            "{name} {} of {} bytes",
            page.form().as_str(),
            page.text().len()
        ))
    });
    let mut said: Vec<String> = named.collect();
    if u64::from(pages.retry_after) != RETRY_AFTER_DEFAULT.as_secs() {
        said.push(format!("again after {} s", pages.retry_after));
    }
    if let Some(MaintenanceConfig {
        on,
        retry_after,
        except,
    }) = maintenance
    {
        if *on {
            said.push("under maintenance".to_owned());
        }
        if u64::from(*retry_after) != COME_BACK_DEFAULT.as_secs() {
            said.push(format!("again after {retry_after} s of maintenance"));
        }
        if !except.is_empty() {
            said.push(format!("maintenance not for {except}"));
        }
    }
    match &said[..] {
        [] => Ok(()),
        said => writeln!(text, "{lead}{}", said.join(", ")),
    }
}

/// How members are checked, in one line.
fn checks(health: &HealthConfig) -> String {
    let HealthRule { rise, fall, checked } = health.rule;
    if !checked {
        return format!("no checks, down after {fall} bad signs");
    }
    let asks = match &health.path {
        Some(path) => format!("GET {path}"),
        None => "OPTIONS *".to_owned(),
    };
    let host = health.host.as_ref().map(|host| format!(" of {host}"));
    let port = health.port.map(|port| format!(" at port {port}"));
    let (every, timeout) = (health.every, health.timeout);
    format!(
        "{asks}{}{} every {every:?}, {timeout:?} for {}, down after {fall}, up after {rise}",
        host.unwrap_or_default(),
        port.unwrap_or_default(),
        health.accepted()
    )
}

fn write_sticky(sticky: &Sticky) -> String {
    if sticky.lookup == Lookup::Off {
        return "users do not stick".to_owned();
    }
    let usual = Sticky::new(&sticky.session, None).parameter == sticky.parameter;
    let session = if usual {
        sticky.session.to_string()
    } else {
        format!("{}, in URLs {}", sticky.session, sticky.parameter)
    };
    let Some(cookie) = &sticky.route_cookie else {
        return format!("session and route in {session}");
    };
    let (path, same_site) = (&cookie.path, cookie.same_site.as_str());
    let domain = cookie.domain.as_ref().map(|domain| format!(" Domain={domain}"));
    let attributes = if *cookie == RouteCookie::named(&cookie.name) {
        String::new()
    } else {
        let partitioned = if cookie.partitioned { " Partitioned" } else { "" };
        let domain = domain.unwrap_or_default();
        format!(" (Path={path}{domain} SameSite={same_site}{partitioned})")
    };
    format!(
        "route in cookie {}{attributes}, session in {session}",
        cookie.name
    )
}
