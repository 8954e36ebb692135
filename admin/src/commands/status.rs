//! `remora status`: the whole site at a glance, and exit 1 when something needs a person.

use remora_proto::v1::UpstreamStatus;

use super::applications;
use super::nodes::{self, Node};
use super::upstreams;
use crate::client::{Reach, Store, check_addresses, proxy_status};
use crate::failure::Failure;
use crate::render::Report;

/// Shows whatever was named: the store, the proxies, or both.
pub(super) async fn show(store: &Reach, proxies: &Reach) -> Result<Report, Failure> {
    if store.addresses.is_empty() && proxies.addresses.is_empty() {
        return Err(Failure::Usage(
            "say whom to ask: --store HOST:PORT and --proxy HOST:PORT, or set REMORA_STORE and REMORA_PROXY"
                .into(),
        ));
    }
    check_addresses(&proxies.addresses)?;
    let mut troubles = Vec::new();
    let mut report = Report::default();
    if !store.addresses.is_empty() {
        // A store that is away is what an operator looks for; it must not hide the proxies.
        let store = Store::new(store)?;
        match nodes::ask_all(&store).await {
            Ok(nodes) => {
                troubles.extend(store_troubles(&nodes));
                report = nodes::add_table(report, &nodes);
                if has_leader(&nodes) {
                    let servers = store.servers().await.map(|reply| reply.servers);
                    troubles.extend(applications::troubles(&servers.unwrap_or_default()));
                }
            }
            Err(failure) => troubles.push(format!("the store does not answer: {failure}")),
        }
    }
    let mut rows = Vec::new();
    for address in &proxies.addresses {
        match proxy_status(&proxies.dial, address).await {
            Ok(status) => {
                troubles.extend(
                    status
                        .upstreams
                        .iter()
                        .filter_map(|upstream| upstream_trouble(address, upstream)),
                );
                rows.push((address.clone(), status.upstreams));
            }
            Err(failure) => troubles.push(format!("proxy {failure}")),
        }
    }
    if !proxies.addresses.is_empty() {
        report = upstreams::add_table(report, &rows);
    }
    Ok(report.troubles(troubles))
}

fn store_troubles(nodes: &[Node]) -> Vec<String> {
    let mut troubles: Vec<String> = nodes
        .iter()
        .filter_map(|node| match &node.status {
            None => Some(format!("store node {} is down", node.member.node_id)),
            Some(status) if !status.ready => Some(format!("store node {} is not ready", node.member.node_id)),
            Some(_) => None,
        })
        .collect();
    if !has_leader(nodes) {
        troubles.push("the store has no leader".into());
    }
    troubles
}

fn has_leader(nodes: &[Node]) -> bool {
    let leads = |node: &Node| node.status.as_ref().is_some_and(|status| status.role == "leader");
    nodes.iter().any(leads)
}

fn upstream_trouble(proxy: &str, upstream: &UpstreamStatus) -> Option<String> {
    // Nobody looks at who is stopped.
    let sick = upstream.health != "up" && upstream.state != "stopped";
    sick.then(|| {
        format!(
            "proxy {proxy}: {} is {} ({})",
            upstream.route, upstream.health, upstream.reason
        )
    })
}
