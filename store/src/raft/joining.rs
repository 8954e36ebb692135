//! How a node with an empty data directory waits to be added to a cluster that exists.
//!
//! It introduces itself to the addresses that it was given, so that operators see it there, and says what is to be done until
//! it was. It forms no cluster, votes for nobody, and does not end because the cluster that it is meant for still knows another
//! disk under its id. What lets it in is the first message that names its disk (`identity`); the book of
//! peers is the membership's from then on.
//!
//! Left out: being added, which the leader does (`membership`).

use std::sync::Arc;

use futures::future::join_all;
use remora_proto::v1;

use crate::log::ClusterId;

use super::PeerEndpoint;
use super::forming::{INTRODUCE_EVERY, INTRODUCE_WITHIN};
use super::identity::NodeIdentity;
use super::link::{LinkError, PeerLink, PeerLinks};
use super::lives::{self, OwnDisk};
use super::saying::Saying;

/// A place where nodes of the cluster are to be found, and the way there.
pub(super) type Contact = (String, Arc<dyn PeerLink>);

/// The ways to the addresses that a node was given. One that is none is said once.
pub(super) fn contacts(addresses: &[String], links: &dyn PeerLinks) -> Vec<Contact> {
    let link = |address: &String| match links.link(0, address) {
        Ok(link) => Some((address.clone(), link)),
        Err(error) => {
            tracing::error!(address, %error, "cannot use the address of a node");
            None
        }
    };
    addresses.iter().filter_map(link).collect()
}

/// Introduces a node that waits until it was added. Ends then.
pub(super) async fn wait_to_be_added(
    endpoint: PeerEndpoint,
    identity: Arc<NodeIdentity>,
    contacts: Vec<Contact>,
) {
    let mut saying = Saying::default();
    while let Some(waiting) = identity.waiting() {
        let asked = contacts.iter().map(|(address, link)| {
            let request = v1::IntroduceRequest {
                from: Some(endpoint.introduction()),
                to_node: 0,
            };
            let own = endpoint.own_disk();
            async move { heard(own, address, link.introduce(request, INTRODUCE_WITHIN).await) }
        });
        let sentence = format!("{waiting}; {}", join_all(asked).await.join("; "));
        identity.lives.compared(lives::CONTACTS);
        saying.say(&sentence);
        tokio::time::sleep(INTRODUCE_EVERY).await;
    }
    tracing::info!("this node was added to a cluster");
}

/// What a contact said, for people. A copy of this directory from before it was added is known by it.
fn heard(own: &OwnDisk, address: &str, answer: Result<v1::IntroduceReply, LinkError>) -> String {
    if let Ok(reply @ v1::IntroduceReply { from: Some(from), .. }) = &answer {
        if reply.removed {
            own.identity
                .fail(own.identity.was_removed(ClusterId(from.cluster)));
        }
        if let Err(sentence) = lives::compare(own, from.node, reply) {
            return sentence;
        }
    }
    match answer.map(|reply| reply.from) {
        Ok(Some(from)) if from.cluster != 0 => {
            format!(
                "at {address} is node {} of cluster {:016x}",
                from.node, from.cluster
            )
        }
        Ok(Some(from)) => format!(
            "at {address} is node {}, which belongs to no cluster yet",
            from.node
        ),
        Ok(None) => format!("at {address} is nobody who says who it is"),
        Err(error) => format!("at {address}: {error}"),
    }
}
