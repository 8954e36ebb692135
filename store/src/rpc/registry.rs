//! The registry of application servers, and what operators wish: entered and taken out through the log, listed behind a barrier.
//!
//! What stands already is proposed like anything else, and the table answers that nothing has changed: answered from a look at the
//! table, it would overtake what the same instance asked for before, and tell one that is about to be retired that it stands. Nobody is
//! retired while it lives: when such a server is taken out its stream ends, whoever still waits for the answer, and on the next it is
//! told to announce itself again (`hub`); so is one that another displaced, as soon as its name is free (`twins`).

use std::sync::Arc;
use std::time::Duration;

use remora_process::audit;
use remora_process::tls::Caller;
use remora_proto::v1;
use remora_proto::v1::registry_server::Registry;
use tonic::{Request, Response, Status, Streaming};

use remora_table::{Outcome, Proposal, RegisteredServer};

use super::convert;
use super::desk::Desk;
use super::following;
use super::gate::{self, did};
use super::hub::Presence;
use super::retiring;
use super::rights;
use super::status::status;
use super::twins::Displaced;

/// The service.
pub(super) struct Registered {
    pub(super) desk: Arc<Desk>,
}

#[tonic::async_trait]
impl Registry for Registered {
    async fn announce(
        &self,
        request: Request<v1::AnnounceRequest>,
    ) -> Result<Response<v1::AnnounceReply>, Status> {
        let caller = gate::caller(&request);
        let announced = request.into_inner();
        let applications = announced.applications.iter().map(String::as_str);
        rights::speaks_for(&caller, applications).map_err(written_down)?;
        let proposal = convert::announce(announced).map_err(status)?;
        self.may_have(&caller, &proposal).await?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Announced { version } => Ok(Response::new(v1::AnnounceReply { version: version.0 })),
            other => Err(unexpected(&self.desk, &other)),
        }
    }

    async fn retire(&self, request: Request<v1::RetireRequest>) -> Result<Response<v1::RetireReply>, Status> {
        let retired = retiring::retire(&self.desk, request.get_ref()).await?;
        Ok(Response::new(v1::RetireReply { retired }))
    }

    async fn retire_node(
        &self,
        request: Request<v1::RetireNodeRequest>,
    ) -> Result<Response<v1::RetireReply>, Status> {
        let asker = gate::asker(&request);
        retiring::retire_node(&self.desk, asker, request.into_inner()).await
    }

    async fn wish(&self, request: Request<v1::WishRequest>) -> Result<Response<v1::WishReply>, Status> {
        let wished = request.get_ref().wish.clone().unwrap_or_default();
        let proposal = convert::wish(request.into_inner()).map_err(status)?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Wished { version } => {
                let what = if wished.said.is_empty() {
                    "takes back"
                } else {
                    "keeps"
                };
                let reply = v1::WishReply { version: version.0 };
                Ok(did(reply, &format!("{what} the wish of {}", wished.of)))
            }
            Outcome::Behind { version } => Err(Status::failed_precondition(format!(
                "another wish of {} was taken in meanwhile, of version {}: nothing was changed",
                wished.of, version.0
            ))),
            other => Err(unexpected(&self.desk, &other)),
        }
    }

    type FollowStream = following::Views;

    async fn follow(
        &self,
        request: Request<Streaming<v1::FollowRequest>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let followed = following::follow(Arc::clone(&self.desk), request.into_inner()).await;
        followed.map(Response::new)
    }

    async fn list_servers(
        &self,
        _request: Request<v1::ListServersRequest>,
    ) -> Result<Response<v1::ListServersReply>, Status> {
        self.desk.barrier().await.map_err(status)?;
        let servers = self.desk.raft.table().servers();
        let displaced = self.desk.hub.displaced();
        Ok(Response::new(v1::ListServersReply {
            servers: servers
                .iter()
                .map(|entry| self.listed(entry, &displaced))
                .collect(),
        }))
    }
}

impl Registered {
    /// Refuses a name that another application server has, to whoever does not speak for that one's applications too. As the registry
    /// stands now: of two that ask for a free name at once, the later has it.
    async fn may_have(&self, caller: &Caller, proposal: &Proposal) -> Result<(), Status> {
        if caller.roles().is_none() {
            return Ok(());
        }
        self.desk.barrier().await.map_err(status)?;
        let instance = proposal.request_id.map(|id| id.instance);
        let entry = self.desk.raft.table().server(&proposal.node);
        let Some(entry) = entry.filter(|entry| Some(entry.server.instance) != instance) else {
            return Ok(());
        };
        let applications = entry.applications.iter().map(|application| &**application);
        rights::takes_name(caller, &proposal.node, applications).map_err(written_down)
    }

    fn listed(
        &self,
        entry: &RegisteredServer,
        displaced: &[(u64, Displaced)],
    ) -> v1::list_servers_reply::Server {
        let (hub, instance) = (&self.desk.hub, entry.server.instance);
        let named = |names: &[Arc<str>]| names.iter().map(|name| name.to_string()).collect();
        let Presence { present, silent } = hub.presence(instance);
        v1::list_servers_reply::Server {
            server: Some(convert::owner(&entry.server)),
            url: entry.url.to_string(),
            applications: named(&entry.applications),
            mode: entry.mode.to_string(),
            version: entry.software.to_string(),
            threads: entry.threads,
            unprotected: named(&entry.unprotected),
            listened: named(&entry.listened),
            status: hub.status_of(instance).map(Arc::unwrap_or_clone),
            present,
            silent_seconds: silent.as_ref().map(Duration::as_secs),
            twins: displaced
                .iter()
                .filter_map(|(instance, displaced)| displaced.beside(*instance, &entry.server))
                .collect(),
        }
    }
}

/// The answer to an announcement that somebody has no right to, and a line in the books.
fn written_down(refused: v1::Refusal) -> Status {
    audit::refused("Registry/Announce", &refused.message);
    status(refused)
}

/// The answer where the table gave an outcome of another command.
pub(super) fn unexpected(desk: &Desk, outcome: &Outcome) -> Status {
    tracing::error!(
        ?outcome,
        "the table gave an outcome of another command: answered as unknown"
    );
    status(desk.unknown())
}

#[cfg(test)]
mod tests;
