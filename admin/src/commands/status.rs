//! `remora status`: the whole site on one screen, and exit 1 when something needs a person, with what to do about it.
//!
//! This file asks, everybody at once; what is wrong with the answers is `judge`'s to say, which asks nobody; how they are
//! arranged is `shown`'s. Whatever does not answer is a trouble among others and hides nothing: a store that is away is what
//! an operator looks for.

mod judge;
mod shown;

use futures::future::{join, join_all};
use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::{ProxyStatus, UpgradeReply, UpgradeRequest};

use super::nodes::{self, Node};
use crate::client::{Reach, Store, check_addresses, proxy_status};
use crate::failure::Failure;
use crate::render::Report;

/// What was answered by whom; a sentence in the place of who did not.
#[derive(Default)]
pub(super) struct Site {
    /// Absent where nobody asked for it.
    pub(super) store: Option<Result<Cluster, String>>,
    /// By their addresses.
    pub(super) proxies: Vec<(String, Result<ProxyStatus, String>)>,
}

/// The store, as its nodes tell it.
#[derive(Default)]
pub(super) struct Cluster {
    /// The members, by their ids.
    pub(super) nodes: Vec<Node>,
    /// What is written and what may be; absent while nobody can say it.
    pub(super) formats: Option<UpgradeReply>,
    /// The Tomcats; absent while nobody can say who is there.
    pub(super) servers: Option<Vec<Server>>,
}

impl Cluster {
    /// The node that leads, as it says itself.
    pub(super) fn leader(&self) -> Option<&Node> {
        let leads = |node: &&Node| node.status.as_ref().is_some_and(|status| status.role == "leader");
        self.nodes.iter().find(leads)
    }
}

/// Shows whatever was named: the store, the proxies, or both.
pub(super) async fn show(store: &Reach, proxies: &Reach) -> Result<Report, Failure> {
    if store.addresses.is_empty() && proxies.addresses.is_empty() {
        return Err(Failure::Usage(
            "say whom to ask: --store HOST:PORT and --proxy HOST:PORT, or set REMORA_STORE and REMORA_PROXY"
                .into(),
        ));
    }
    check_addresses(&store.addresses)?;
    check_addresses(&proxies.addresses)?;
    let (store, proxies) = join(ask_store(store), ask_proxies(proxies)).await;
    let site = Site { store, proxies };
    let verdict = judge::judge(&site);
    let report = shown::arrange(&site);
    Ok(report.troubles(verdict.troubles).remarks(verdict.remarks))
}

async fn ask_store(reach: &Reach) -> Option<Result<Cluster, String>> {
    if reach.addresses.is_empty() {
        return None;
    }
    let asked = async {
        let store = Store::new(reach)?;
        let mut cluster = Cluster {
            nodes: nodes::ask_all(&store).await?,
            ..Cluster::default()
        };
        // Without a leader both would be waited for in vain.
        if cluster.leader().is_some() {
            let (formats, servers) = join(store.upgrade(UpgradeRequest::default()), store.servers()).await;
            cluster.formats = formats.ok();
            cluster.servers = servers.ok().map(|reply| reply.servers);
        }
        Ok(cluster)
    };
    Some(asked.await.map_err(|failure: Failure| failure.to_string()))
}

async fn ask_proxies(reach: &Reach) -> Vec<(String, Result<ProxyStatus, String>)> {
    let answers = reach.addresses.iter().map(|address| async move {
        let status = proxy_status(&reach.dial, address).await;
        (address.clone(), status.map_err(|failure| failure.to_string()))
    });
    join_all(answers).await
}
