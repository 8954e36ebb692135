//! A configuration in the words of its file, for people: what `--check` prints, and what `--help` says of limits.
//!
//! Invariant: what is shown is what holds, defaults included, so two files that mean the same are shown alike.
//!
//! Left out on purpose: a machine's form of it. Scripts read the file.

use std::fmt::Write;

use super::limits::{Limits, Row};
use super::values::{Config, LogTarget, PoolConfig};

/// What holds, one line for each listener, limit, pool, member and route.
pub(super) fn summary(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, so the results carry nothing.
    let _ = write_summary(config, &mut text);
    text
}

fn write_summary(config: &Config, text: &mut String) -> std::fmt::Result {
    for address in &config.listen {
        writeln!(text, "listen   {address}")?;
    }
    let how = if config.control_tls.is_some() {
        " with TLS"
    } else {
        ""
    };
    writeln!(text, "control  {}{how}", config.control)?;
    writeln!(text, "threads  {}", config.threads)?;
    let networks: Vec<String> = config.trust.networks.iter().map(ToString::to_string).collect();
    writeln!(
        text,
        "trust    {}",
        if networks.is_empty() {
            "nobody".to_owned()
        } else {
            networks.join(", ")
        }
    )?;
    match &config.access_log {
        LogTarget::Stdout => writeln!(text, "access   stdout")?,
        LogTarget::Stderr => writeln!(text, "access   stderr")?,
        LogTarget::Off => writeln!(text, "access   off")?,
        LogTarget::File(path) => writeln!(text, "access   {}", path.display())?,
    }
    write_limits(&config.limits, text)?;
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
        writeln!(
            text,
            "route    {} -> {pool}{}",
            slash(&route.public),
            slash(&route.internal)
        )?;
    }
    Ok(())
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

/// What each limit is for, with its default and its range.
pub(super) fn limits_help() -> String {
    let mut text = "Limits, by the table of the file in which they may be set:".to_owned();
    for Row {
        table,
        key,
        value,
        range,
        why,
    } in Limits::default().rows()
    {
        let (least, most) = range;
        text += &format!("\n  [{table}] {key} = {value} ({least} to {most})\n      {why}");
    }
    text
}

fn write_pool(pool: &PoolConfig, text: &mut String) -> std::fmt::Result {
    let sticky = match &pool.sticky.route_cookie {
        Some(cookie) => format!("route in cookie {cookie}, session in {}", pool.sticky.session),
        None => format!("session and route in {}", pool.sticky.session),
    };
    let asks = pool
        .health
        .path
        .as_ref()
        .map_or_else(|| "OPTIONS *".to_owned(), |path| format!("GET {path}"));
    let (every, timeout) = (pool.health.every, pool.health.timeout);
    writeln!(
        text,
        "pool     {}: {sticky}; {asks} every {every:?}, {timeout:?} for an answer",
        pool.name
    )?;
    for member in &pool.members {
        writeln!(
            text,
            "  member {} at http://{}, weight {}",
            member.route, member.authority, member.weight
        )?;
    }
    Ok(())
}
