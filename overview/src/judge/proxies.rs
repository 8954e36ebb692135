//! What is wrong with the proxies and with what is behind them.
//!
//! What several proxies say of one upstream is one sentence. An upstream that is stopped is nobody's concern, and a pool under
//! maintenance lacks nobody.

use std::collections::{BTreeMap, BTreeSet};

use remora_proto::v1::{ProxyStatus, UpstreamStatus};

use super::{Verdict, judge_versions};
use crate::owned::{is_announced, misnamed, other_name};
use crate::site::Site;

/// Seconds without the store after which a proxy needs somebody: several times what an election takes.
const AWAY_SECONDS: u64 = 10;

/// Looks at all proxies.
pub(super) fn judge(verdict: &mut Verdict, site: &Site) {
    for (_, answer) in &site.proxies {
        if let Err(failure) = answer {
            verdict.trouble(
                format!("proxy {failure}"),
                "see that remora-proxy runs there, and that --proxy names what its file calls [control]",
            );
        }
    }
    judge_discovery(verdict, site);
    judge_upstreams(verdict, site);
    judge_names(verdict, site);
    judge_pools(verdict, site);
    let versions =
        answering(site).map(|(proxy, status)| (proxy.to_owned(), status.software_version.as_str()));
    judge_versions(verdict, "proxies", versions);
}

/// The proxies that answer.
fn answering(site: &Site) -> impl Iterator<Item = (&str, &ProxyStatus)> {
    let proxies = site.proxies.iter();
    proxies.filter_map(|(proxy, answer)| Some((proxy.as_str(), answer.as_ref().ok()?)))
}

/// Says who follows the registry no more. Users are served by the last view, which nothing takes out.
fn judge_discovery(verdict: &mut Verdict, site: &Site) {
    let asked = site.store.as_ref().and_then(|store| store.as_ref().ok());
    let cluster = asked
        .and_then(|cluster| cluster.led())
        .map(|leader| leader.cluster.as_str());
    for (proxy, status) in answering(site) {
        let Some(discovery) = &status.discovery else {
            continue;
        };
        // One that has just begun has not been told yet.
        let silent = discovery.silent_seconds.unwrap_or(status.uptime_seconds);
        if !discovery.present && silent >= AWAY_SECONDS {
            let reason = match discovery.reason.as_str() {
                "" => "the store does not answer",
                reason => reason,
            };
            verdict.trouble(
                format!("proxy {proxy} has served by its last view of the registry for {silent} s: {reason}"),
                "users are served, and who comes or goes is not seen: see that the store answers at what its file names under \
                 `discovery`",
            );
        }
        if discovery.present && cluster.is_some_and(|cluster| cluster != discovery.cluster) {
            verdict.trouble(
                format!("proxy {proxy} follows the registry of another cluster, {}", discovery.cluster),
                "name the same store to all: under `discovery` in the proxy's file, in context.xml, and with --store",
            );
        }
        if discovery.untold > 0 {
            verdict.remark(format!(
                "proxy {proxy} keeps {} wishes that the store does not know yet: it tells them when the store answers",
                discovery.untold
            ));
        }
    }
}

/// Whether users may be sent there.
fn serves(upstream: &UpstreamStatus) -> bool {
    upstream.health == "up" && matches!(upstream.state.as_str(), "active" | "standby" | "")
}

/// One sentence for an upstream, whichever proxies say it.
fn judge_upstreams(verdict: &mut Verdict, site: &Site) {
    let mut sick: BTreeMap<(&str, &str, &str), (Vec<&str>, &UpstreamStatus)> = BTreeMap::new();
    let mut drained: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (proxy, status) in answering(site) {
        for upstream in &status.upstreams {
            // Nobody looks at who is stopped.
            if upstream.health != "up" && upstream.state != "stopped" {
                let about = (
                    upstream.route.as_str(),
                    upstream.url.as_str(),
                    upstream.health.as_str(),
                );
                let (proxies, last) = sick.entry(about).or_insert_with(|| (Vec::new(), upstream));
                proxies.push(proxy);
                *last = upstream;
            }
            if upstream.draining || upstream.state == "disabled" || upstream.state == "stopped" {
                let UpstreamStatus {
                    route,
                    state,
                    wished_by,
                    ..
                } = upstream;
                let about = (route.as_str(), state.as_str(), wished_by.as_str());
                drained.entry(about).or_default().insert(proxy);
            }
        }
    }
    for ((route, url, health), (proxies, upstream)) in sick {
        let proxies = proxies.join(", ");
        let route = if route.is_empty() { url } else { route };
        let verb = if upstream.discovered {
            format!("applications retire {route}")
        } else {
            format!("upstreams set {route} --state stopped")
        };
        let is_tomcat = upstream.discovered || site.tomcats().is_some_and(|all| is_announced(route, all));
        let who = if is_tomcat { "Tomcat" } else { "server" };
        verdict.trouble(
            format!("proxy {proxies}: {route} is {health} ({})", upstream.reason),
            format!("look after the {who} at {url}; if it is not to come back: remora {verb}"),
        );
    }
    for ((route, state, who), proxies) in drained {
        let proxies = proxies.into_iter().collect::<Vec<_>>().join(", ");
        let verb = match state {
            "draining" | "finishing" => format!("undrain {route}"),
            _ => format!("set {route} --state active"),
        };
        let wish = match who {
            "" => String::new(),
            who => format!(", as {who} wishes"),
        };
        verdict.remark(format!(
            "{route} is {state} at {proxies}{wish}: remora upstreams {verb} brings it back"
        ));
    }
}

/// Names those whose Tomcat has another name than their route: its users do not stick by it, and what is counted by that name is
/// not theirs.
fn judge_names(verdict: &mut Verdict, site: &Site) {
    let announced = site.tomcats().unwrap_or_default();
    let upstreams = answering(site).flat_map(|(_, status)| &status.upstreams);
    let misnamed: BTreeSet<String> = upstreams
        .filter_map(|upstream| Some(misnamed(upstream, other_name(upstream, announced)?)))
        .collect();
    misnamed.into_iter().for_each(|remark| verdict.remark(remark));
}

fn judge_pools(verdict: &mut Verdict, site: &Site) {
    for (proxy, status) in answering(site) {
        let mut pools: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
        for upstream in &status.upstreams {
            let (all, serving) = pools.entry(&upstream.pool).or_default();
            *all += 1;
            if serves(upstream) {
                serving.push(&upstream.route);
            }
        }
        let closed: BTreeSet<&str> = status
            .pools
            .iter()
            .filter(|pool| pool.maintenance)
            .map(|pool| pool.pool.as_str())
            .collect();
        for (pool, (all, serving)) in pools {
            match &serving[..] {
                _ if closed.contains(pool) => verdict.remark(format!(
                    "proxy {proxy}: pool {pool} is closed for maintenance: remora upstreams maintenance {pool} off"
                )),
                [] => verdict.trouble(
                    format!("proxy {proxy}: pool {pool} has nobody who takes new users"),
                    "start one of its members, or bring back who is drained: remora upstreams list shows why each does not serve",
                ),
                [last] if all > 1 => verdict.remark(format!(
                    "proxy {proxy}: {last} is the last of {all} in pool {pool} that takes new users"
                )),
                _ => {}
            }
        }
        for route in &status.absent {
            verdict.remark(format!(
                "proxy {proxy} keeps a wish for {route}, which no pool has: remora upstreams set {route} --reset forgets it"
            ));
        }
    }
}
