//! A configuration in the words of its file, for people. Pure.

use std::fmt::Write;

use remora_policy::RetryLimits;

use super::{Config, Limits, LogTarget, PoolConfig};

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
    writeln!(text, "control  {}", config.control)?;
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

/// Each bound under its own key.
fn write_limits(limits: &Limits, text: &mut String) -> std::fmt::Result {
    for (key, limit) in [
        ("connect", limits.connect),
        ("response", limits.response),
        ("idle", limits.idle),
        ("request_head", limits.request_head),
        ("client_idle", limits.client_idle),
        ("upstream_idle", limits.upstream_idle),
        ("stop", limits.stop),
    ] {
        writeln!(text, "limit    {key} {limit:?}")?;
    }
    for (key, limit) in [
        ("request_head_bytes", limits.request_head_bytes),
        ("request_fields", limits.request_fields),
        ("target_bytes", limits.target_bytes),
        ("replay_bytes", limits.replay_bytes),
        ("connections", limits.connections),
        ("upstream_connections_idle", limits.upstream_connections_idle),
    ] {
        writeln!(text, "limit    {key} {limit}")?;
    }
    let RetryLimits {
        attempts,
        percent,
        per_second,
        burst,
    } = limits.retry;
    writeln!(
        text,
        "retry    attempts {attempts}, percent {percent}, per_second {per_second}, burst {burst}"
    )
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
