//! The registry of application servers: entered and taken out through the log, listed behind a barrier; and beside it what
//! operators wish, which is kept for the proxies.
//!
//! Invariant: whoever is answered that a server was entered or taken out, or that a wish is kept, is answered from the log.
//! Left out on purpose: what entries and wishes are by themselves (`convert`), and who may ask (`rights`).

use std::sync::Arc;

use futures::stream::BoxStream;
use remora_proto::v1;
use remora_proto::v1::registry_server::Registry;
use tonic::{Request, Response, Status, Streaming};

use remora_table::Outcome;

use super::convert;
use super::desk::Desk;
use super::gate;
use super::rights;
use super::status::status;

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
        rights::speaks_for(&caller, applications).map_err(status)?;
        let proposal = convert::announce(announced).map_err(status)?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Announced { version } => Ok(Response::new(v1::AnnounceReply { version: version.0 })),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn retire(&self, request: Request<v1::RetireRequest>) -> Result<Response<v1::RetireReply>, Status> {
        let proposal = convert::retire(request.get_ref()).map_err(status)?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Retired { version } => Ok(Response::new(v1::RetireReply {
                retired: version.is_some(),
            })),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn retire_node(
        &self,
        request: Request<v1::RetireNodeRequest>,
    ) -> Result<Response<v1::RetireReply>, Status> {
        let proposal = convert::retire_node(request.get_ref()).map_err(status)?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Retired { version } => Ok(Response::new(v1::RetireReply {
                retired: version.is_some(),
            })),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn wish(&self, request: Request<v1::WishRequest>) -> Result<Response<v1::WishReply>, Status> {
        let proposal = convert::wish(request.into_inner()).map_err(status)?;
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Wished { version } => Ok(Response::new(v1::WishReply { version: version.0 })),
            Outcome::Behind { .. } => Err(Status::failed_precondition(
                "another wish of the same thing was taken in since: read it, and decide anew",
            )),
            other => Err(self.unexpected(&other)),
        }
    }

    type FollowStream = BoxStream<'static, Result<v1::FollowReply, Status>>;

    async fn follow(
        &self,
        _request: Request<Streaming<v1::FollowRequest>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_servers(
        &self,
        _request: Request<v1::ListServersRequest>,
    ) -> Result<Response<v1::ListServersReply>, Status> {
        self.desk.barrier().await.map_err(status)?;
        let table = self.desk.raft.table();
        let servers = table
            .servers()
            .into_iter()
            .map(|entry| v1::list_servers_reply::Server {
                server: Some(convert::owner(&entry.server)),
                url: entry.url.to_string(),
                applications: entry.applications.iter().map(|name| name.to_string()).collect(),
                mode: entry.mode.to_string(),
                version: entry.software.to_string(),
                threads: entry.threads,
                unprotected: entry.unprotected.iter().map(|name| name.to_string()).collect(),
                listened: entry.listened.iter().map(|name| name.to_string()).collect(),
                status: self
                    .desk
                    .hub
                    .status_of(entry.server.instance)
                    .map(Arc::unwrap_or_clone),
                present: false,
                silent_seconds: None,
            });
        Ok(Response::new(v1::ListServersReply {
            servers: servers.collect(),
        }))
    }
}

impl Registered {
    fn unexpected(&self, outcome: &Outcome) -> Status {
        tracing::error!(
            ?outcome,
            "the table gave an outcome of another command: answered as unknown"
        );
        status(self.desk.unknown())
    }
}
