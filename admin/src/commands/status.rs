//! `remora status`: the whole site on one screen, and exit 1 when something needs a person, with what to do about it.
//!
//! This file asks, everybody at once; what is wrong with the answers is `judge`'s to say, which asks nobody; how they are
//! arranged is `shown`'s. Whatever does not answer is a trouble among others and hides nothing: a store that is away is what
//! an operator looks for.
//!
//! Invariant: nothing is asked that takes more than a reader's right, or that the store writes in its books: this is what scripts
//! and monitoring repeat.

mod judge;
mod shown;

use futures::future::{join, join_all};
use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::{ProxyStatus, StoreStatus};

use super::nodes::{self, Node};
use crate::client::{Reach, Store, check_site, proxy_status};
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
    /// The Tomcats, or why the store does not say who is there; absent while nobody leads, who could say it.
    pub(super) servers: Option<Result<Vec<Server>, String>>,
}

impl Cluster {
    /// The node that leads, as it says itself.
    pub(super) fn leader(&self) -> Option<&Node> {
        let leads = |node: &&Node| node.status.as_ref().is_some_and(|status| status.role == "leader");
        self.nodes.iter().find(leads)
    }

    /// What the leader says of itself and of the cluster.
    pub(super) fn led(&self) -> Option<&StoreStatus> {
        self.leader().and_then(|leader| leader.status.as_ref())
    }

    /// What the cluster writes; nothing where the leader is of a release that does not say it.
    pub(super) fn format(&self) -> Option<u32> {
        let told = self.led().map(|leader| leader.format);
        told.filter(|format| *format > 0)
    }

    /// The Tomcats, where it is known who is there.
    pub(super) fn tomcats(&self) -> Option<&[Server]> {
        let told = self.servers.as_ref().and_then(|servers| servers.as_ref().ok());
        told.map(Vec::as_slice)
    }
}

/// Shows whatever was named: the store, the proxies, or both.
pub(super) async fn show(store: &Reach, proxies: &Reach) -> Result<Report, Failure> {
    check_site(store, proxies)?;
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
        // Without a leader it would be waited for in vain.
        if cluster.leader().is_some() {
            let told = store.servers().await;
            let told = told.map(|reply| reply.servers);
            cluster.servers = Some(told.map_err(|failure| failure.to_string()));
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
