//! A site at one moment: what everybody answers who was asked, all at once.
//!
//! Invariant: whatever does not answer is a sentence among the answers: a store that is away is what an operator looks for.

use futures::future::{join, join_all};
use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::{ProxyStatus, StoreMember, StoreStatus};

use crate::Failure;
use crate::client::{Reach, Store, proxy_status};

/// What was answered by whom; a sentence in the place of who did not.
#[derive(Default)]
pub struct Site {
    /// Absent where nobody asked for it.
    pub store: Option<Result<Cluster, String>>,
    /// By their addresses.
    pub proxies: Vec<(String, Result<ProxyStatus, String>)>,
}

impl Site {
    /// The Tomcats, where the store was asked and says who is there.
    pub fn tomcats(&self) -> Option<&[Server]> {
        let cluster = self.store.as_ref()?.as_ref().ok()?;
        cluster.tomcats()
    }
}

/// The store, as its nodes tell it.
#[derive(Default)]
pub struct Cluster {
    /// The members, by their ids.
    pub nodes: Vec<Node>,
    /// The Tomcats, or why the store does not say who is there; absent while nobody leads, who could say it.
    pub servers: Option<Result<Vec<Server>, String>>,
}

impl Cluster {
    /// The node that leads, as it says itself.
    pub fn leader(&self) -> Option<&Node> {
        let leads = |node: &&Node| node.status.as_ref().is_some_and(|status| status.role == "leader");
        self.nodes.iter().find(leads)
    }

    /// What the leader says of itself and of the cluster.
    pub fn led(&self) -> Option<&StoreStatus> {
        self.leader().and_then(|leader| leader.status.as_ref())
    }

    /// What the cluster writes; nothing where the leader is of a release that does not say it.
    pub fn format(&self) -> Option<u32> {
        let told = self.led().map(|leader| leader.format);
        told.filter(|format| *format > 0)
    }

    /// The Tomcats, where it is known who is there.
    pub fn tomcats(&self) -> Option<&[Server]> {
        let told = self.servers.as_ref().and_then(|servers| servers.as_ref().ok());
        told.map(Vec::as_slice)
    }
}

/// A member of the cluster and what it said of itself; nothing when it did not answer.
#[derive(Debug, Default)]
pub struct Node {
    /// As the cluster knows it.
    pub member: StoreMember,
    /// What it said.
    pub status: Option<StoreStatus>,
    /// Why it did not answer; empty where it did.
    pub silent: String,
}

/// The name of a Tomcat, which is its route.
pub fn name(server: &Server) -> &str {
    server.server.as_ref().map_or("", |owner| owner.node.as_str())
}

/// How many entries a member's log is behind the leader's, as the leader knows it.
pub fn behind(leader: &StoreStatus, node: u64) -> Option<u64> {
    let member = leader.members.iter().find(|member| member.node_id == node);
    Some(leader.last_log_index.saturating_sub(member?.matched_index?))
}

/// Asks everybody who is named.
pub async fn ask(store: &Reach, proxies: &Reach) -> Site {
    let (store, proxies) = join(ask_store(store), ask_proxies(proxies)).await;
    Site { store, proxies }
}

/// Asks the store; nothing where none is named.
pub async fn ask_store(reach: &Reach) -> Option<Result<Cluster, String>> {
    if reach.addresses.is_empty() {
        return None;
    }
    let asked = async {
        let store = Store::new(reach)?;
        let mut cluster = Cluster {
            nodes: ask_nodes(&store).await?,
            ..Cluster::default()
        };
        // Without a leader it would be waited for in vain.
        if let Some(leader) = cluster.leader() {
            // It alone knows how they fare and who is there.
            let told = store.servers_at(&leader.member.client_address).await;
            let told = told.map(|reply| reply.servers);
            cluster.servers = Some(told.map_err(|failure| failure.to_string()));
        }
        Ok(cluster)
    };
    Some(asked.await.map_err(|failure: Failure| failure.to_string()))
}

/// Asks every member that the cluster names, all at once; in the order of their ids.
pub async fn ask_nodes(store: &Store) -> Result<Vec<Node>, Failure> {
    let view = store.status().await?;
    let asked = view.members.into_iter().map(|member| async move {
        let answer = match member.client_address.as_str() {
            "" => Err(Failure::Refused("its client address is not known yet".into())),
            address => store.status_of(address).await,
        };
        match answer {
            Ok(status) => Node {
                member,
                status: Some(status),
                silent: String::new(),
            },
            Err(failure) => Node {
                member,
                status: None,
                silent: failure.to_string(),
            },
        }
    });
    let mut nodes = join_all(asked).await;
    nodes.sort_by_key(|node| node.member.node_id);
    Ok(nodes)
}

async fn ask_proxies(reach: &Reach) -> Vec<(String, Result<ProxyStatus, String>)> {
    let answers = reach.addresses.iter().map(|address| async move {
        let status = proxy_status(&reach.dial, address).await;
        (address.clone(), status.map_err(|failure| failure.to_string()))
    });
    join_all(answers).await
}
