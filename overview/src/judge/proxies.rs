//! What is wrong with the proxies and with the Tomcats behind them.
//!
//! What several proxies say of one upstream is one sentence. An upstream that is stopped is nobody's concern, and a pool under
//! maintenance lacks nobody.

use std::collections::{BTreeMap, BTreeSet};

use remora_proto::v1::{ProxyStatus, UpstreamStatus};

use super::{Verdict, judge_versions};
use crate::site::Site;

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
    judge_upstreams(verdict, site);
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

/// Whether users may be sent there.
fn serves(upstream: &UpstreamStatus) -> bool {
    upstream.health == "up" && matches!(upstream.state.as_str(), "active" | "standby" | "")
}

/// One sentence for an upstream, whichever proxies say it.
fn judge_upstreams(verdict: &mut Verdict, site: &Site) {
    let mut sick: BTreeMap<(&str, &str, &str), (Vec<&str>, &str)> = BTreeMap::new();
    let mut drained: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (proxy, status) in answering(site) {
        for upstream in &status.upstreams {
            // Nobody looks at who is stopped.
            if upstream.health != "up" && upstream.state != "stopped" {
                let about = (
                    upstream.route.as_str(),
                    upstream.url.as_str(),
                    upstream.health.as_str(),
                );
                let (proxies, reason) = sick.entry(about).or_default();
                proxies.push(proxy);
                *reason = &upstream.reason;
            }
            if upstream.draining || upstream.state == "disabled" || upstream.state == "stopped" {
                let about = (upstream.route.as_str(), upstream.state.as_str());
                drained.entry(about).or_default().insert(proxy);
            }
        }
    }
    for ((route, url, health), (proxies, reason)) in sick {
        let proxies = proxies.join(", ");
        let route = if route.is_empty() { url } else { route };
        verdict.trouble(
            format!("proxy {proxies}: {route} is {health} ({reason})"),
            format!(
                "look after the Tomcat at {url}; if it is not to come back: remora upstreams set {route} --state stopped"
            ),
        );
    }
    for ((route, state), proxies) in drained {
        let proxies = proxies.into_iter().collect::<Vec<_>>().join(", ");
        let verb = match state {
            "draining" | "finishing" => format!("undrain {route}"),
            _ => format!("set {route} --state active"),
        };
        verdict.remark(format!(
            "{route} is {state} at {proxies}: remora upstreams {verb} brings it back"
        ));
    }
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
                    "start a Tomcat, or bring back who is drained: remora upstreams list shows why each does not serve",
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
