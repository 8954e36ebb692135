//! Application servers that are taken out of the registry: by themselves, or by an operator. Answered when the proxies that follow
//! know it ([`super::followers`]), a repeat as well.
//!
//! What an operator asks for is a task of its own, as a kill is: it goes on to its end though whoever asked may be gone, and writes
//! in the books what came of it. A server that lives hears of it from what is applied (`hub`), and so also where nobody learned the
//! outcome.

use std::sync::Arc;

use remora_process::audit::Asker;
use remora_proto::v1;
use remora_table::{Outcome, Proposal, Version};
use tonic::{Response, Status};

use super::books::{self, Books};
use super::convert;
use super::desk::Desk;
use super::gate;
use super::registry::unexpected;
use super::status::status;

/// Takes out the server that asks; gives whether it is out.
pub(super) async fn retire(desk: &Desk, ask: &v1::RetireRequest) -> Result<bool, Status> {
    let proposal = convert::retire(ask).map_err(status)?;
    let retired = take_out(desk, proposal).await?;
    followed(desk, retired).await;
    Ok(retired.is_some())
}

/// Takes out a server in the name of an operator.
pub(super) async fn retire_node(
    desk: &Arc<Desk>,
    asker: Asker,
    ask: v1::RetireNodeRequest,
) -> Result<Response<v1::RetireReply>, Status> {
    let desk = Arc::clone(desk);
    books::to_its_end(async move {
        let mut books = Books::open(asker, "Registry/RetireNode");
        books.did = format!("application server {}", ask.node);
        let retired = by_an_operator(&desk, &ask, &mut books).await;
        books.ended(&retired);
        let retired = retired?;
        Ok(gate::did(v1::RetireReply { retired }, &books.did))
    })
    .await
}

async fn by_an_operator(desk: &Desk, ask: &v1::RetireNodeRequest, books: &mut Books) -> Result<bool, Status> {
    let proposal = convert::retire_node(ask).map_err(status)?;
    let retired = take_out(desk, proposal).await?;
    books.did = match retired {
        None => format!("no application server {}", ask.node),
        Some(version) => {
            let instance = instance(desk, &ask.node, version).unwrap_or(ask.instance);
            format!(
                "took out application server {}, instance {instance:016x}",
                ask.node
            )
        }
    };
    followed(desk, retired).await;
    Ok(retired.is_some())
}

/// Gives when the server was taken out, now or before, if that is known.
async fn take_out(desk: &Desk, proposal: Proposal) -> Result<Option<Version>, Status> {
    match desk.propose(proposal).await.map_err(status)? {
        Outcome::Retired { version } => Ok(version),
        other => Err(unexpected(desk, &other)),
    }
}

/// Waits until nobody is sent to whoever was taken out.
async fn followed(desk: &Desk, retired: Option<Version>) {
    if let Some(version) = retired {
        desk.hub.followers.followed(version).await;
    }
}

/// The instance of a node that was taken out at this version.
fn instance(desk: &Desk, node: &str, version: Version) -> Option<u64> {
    let view = desk.raft.table().registry();
    let mut marks = view.retired.iter();
    let mark = marks.find(|mark| mark.version == version && *mark.server.node == *node);
    mark.map(|mark| mark.server.instance)
}
