//! The operator's side: status, members, formats, and sessions killed (`killing`), listed, shown (`listing`), counted (`stats`)
//! and watched (`watching`); copies of the table (`copies`).
//!
//! Reads are linearizable. Attribute values leave through one method alone, which takes an operator (`rights`) and is
//! written down, and a session is known only by the hash of its id.

use std::sync::Arc;
use std::time::Instant;

use remora_process::audit;
use remora_proto::v1;
use remora_proto::v1::store_admin_server::StoreAdmin;
use remora_proto::v1::upgrade_request::Wish;
use tonic::{Request, Response, Status, Streaming};

use crate::raft::{Role, StaysError};
use crate::runtime;
use remora_table::{ListFilter, Room};

use super::copies::{self, Backups};
use super::desk::Desk;
use super::gate::{self, did};
use super::killing;
use super::listing;
use super::members;
use super::rights::{self, Need};
use super::stats::{self, Counts};
use super::status::{malformed, status};
use super::upgrade;
use super::watching::{self, Watchers};

/// The service.
pub(super) struct Admin {
    pub(super) desk: Arc<Desk>,
    pub(super) started: Instant,
    pub(super) backups: Backups,
    pub(super) watchers: Watchers,
    pub(super) counts: Counts,
}

#[tonic::async_trait]
impl StoreAdmin for Admin {
    async fn status(
        &self,
        _request: Request<v1::StoreStatusRequest>,
    ) -> Result<Response<v1::StoreStatus>, Status> {
        Ok(Response::new(self.node_status()))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsReply>, Status> {
        within(&request, Need::LookWithin, "StoreAdmin/ListSessions")?;
        let listed = listing::page(&self.desk, request.into_inner()).await;
        listed.map(Response::new)
    }

    async fn show_session(
        &self,
        request: Request<v1::ShowSessionRequest>,
    ) -> Result<Response<v1::SessionDetail>, Status> {
        let (key, session) = listing::one(&self.desk, request.into_inner().filter).await?;
        let now = self.desk.raft.table().table_time();
        Ok(Response::new(listing::detail(&key, &session, now)))
    }

    async fn show_values(
        &self,
        request: Request<v1::ShowSessionRequest>,
    ) -> Result<Response<v1::SessionValues>, Status> {
        let (key, session) = listing::one(&self.desk, request.into_inner().filter).await?;
        let now = self.desk.raft.table().table_time();
        let told = listing::values(&key, &session, now);
        Ok(did(told, &format!("told the values of session {key}")))
    }

    async fn session_stats(
        &self,
        request: Request<v1::SessionStatsRequest>,
    ) -> Result<Response<v1::SessionStatsReply>, Status> {
        let figures = stats::figures(&self.desk, &self.counts, request.into_inner()).await;
        figures.map(Response::new)
    }

    type WatchSessionsStream = watching::Tellings;

    async fn watch_sessions(
        &self,
        request: Request<v1::WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        let desk = Arc::clone(&self.desk);
        let watched = self.watchers.watch(desk, request.into_inner()).await;
        watched.map(Response::new)
    }

    async fn upgrade(
        &self,
        request: Request<v1::UpgradeRequest>,
    ) -> Result<Response<v1::UpgradeReply>, Status> {
        self.desk.barrier().await.map_err(status)?;
        let wish = Wish::try_from(request.get_ref().wish);
        let wish = wish.map_err(|_| {
            status(malformed(
                "the wish is of a later release: ask only, or upgrade the store",
            ))
        })?;
        upgrade::wish(&self.desk, wish).await?;
        Ok(did(upgrade::tell(&self.desk), wish.as_str_name()))
    }

    async fn hand_over(
        &self,
        request: Request<v1::HandOverRequest>,
    ) -> Result<Response<v1::HandOverReply>, Status> {
        let to = Some(request.get_ref().to_node).filter(|node| *node != 0);
        let now = self.desk.raft.hand_over(to).await;
        let now = now.map_err(|stays| match stays {
            StaysError::NoVoter(_) => Status::failed_precondition(stays.to_string()),
            _ => Status::unavailable(stays.to_string()),
        })?;
        let reply = v1::HandOverReply {
            leader: now.leader.unwrap_or_default(),
            term: now.term,
        };
        Ok(did(reply, &format!("node {} leads", reply.leader)))
    }

    async fn change_member(
        &self,
        request: Request<v1::ChangeMemberRequest>,
    ) -> Result<Response<v1::ChangeMemberReply>, Status> {
        let request = request.into_inner();
        let verb = request.verb().as_str_name();
        let what = format!("{verb} node {} {}", request.node_id, request.peer_address);
        let changed = members::change(&self.desk, request).await?;
        Ok(did(changed, &what))
    }

    type BackupStream = copies::Pieces;

    async fn backup(
        &self,
        _request: Request<v1::BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        self.backups.take(&self.desk).await.map(Response::new)
    }

    async fn restore(
        &self,
        request: Request<Streaming<v1::BackupChunk>>,
    ) -> Result<Response<v1::RestoreReply>, Status> {
        let restored = copies::restore(&self.desk, request.into_inner()).await;
        restored.map(Response::new)
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverReply>, Status> {
        let recovered = copies::recover(&self.desk, request.get_ref().really).await;
        let what = if request.get_ref().really {
            "goes on alone"
        } else {
            "asked only"
        };
        recovered.map(|reply| did(reply, what))
    }

    async fn kill_sessions(
        &self,
        request: Request<v1::KillSessionsRequest>,
    ) -> Result<Response<v1::KillSessionsReply>, Status> {
        within(&request, Need::EndWithin, "StoreAdmin/KillSessions")?;
        let asker = gate::asker(&request);
        let ask = request.into_inner();
        let filter = listing::meant(ask.filter, None)?;
        if filter == ListFilter::default() && !ask.all {
            let sentence = "the filter is empty: say `all` if every session is meant";
            return Err(status(malformed(sentence)));
        }
        killing::kill(&self.desk, (asker, "StoreAdmin/KillSessions"), filter, None).await
    }

    async fn kill_matching(
        &self,
        request: Request<v1::KillMatchingRequest>,
    ) -> Result<Response<v1::KillSessionsReply>, Status> {
        let asker = gate::asker(&request);
        let ask = request.into_inner();
        let filter = listing::meant(ask.filter, ask.conditions)?;
        if filter == ListFilter::default() {
            let sentence = "nothing is said of which sessions are meant: KillSessions takes `all`";
            return Err(status(malformed(sentence)));
        }
        let at_most = Some(ask.at_most).filter(|most| *most != 0);
        killing::kill(&self.desk, (asker, "StoreAdmin/KillMatching"), filter, at_most).await
    }
}

/// What a request says of which sessions are meant.
trait Meant {
    fn filter(&self) -> Option<&v1::SessionFilter>;
}

impl Meant for v1::ListSessionsRequest {
    fn filter(&self) -> Option<&v1::SessionFilter> {
        self.filter.as_ref()
    }
}

impl Meant for v1::KillSessionsRequest {
    fn filter(&self) -> Option<&v1::SessionFilter> {
        self.filter.as_ref()
    }
}

/// Refuses who asks of sessions that are not his; a line in the books says so.
fn within<T: Meant>(request: &Request<T>, need: Need, action: &str) -> Result<(), Status> {
    let reached = rights::reaches(&gate::caller(request), need, request.get_ref().filter());
    let answered = reached.map(|()| Response::new(())).map_err(|refused| {
        audit::refused(action, &refused.message);
        status(refused)
    });
    gate::written(answered).map(|_| ())
}

impl Admin {
    fn node_status(&self) -> v1::StoreStatus {
        let now = self.desk.raft.status();
        let table = self.desk.raft.table();
        let role = match now.role {
            Role::Forming if self.desk.raft.awaits_restore() => "awaiting restore",
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Learner => "learner",
            Role::Forming => "forming",
            Role::Waiting => "waiting",
        };
        let members = now.members.into_iter().map(|member| v1::StoreMember {
            node_id: member.node,
            peer_address: member.peer_address,
            client_address: member.client_address,
            voter: member.voter,
            reachable: member.reachable,
            matched_index: member.matched_index,
            disk: member.disk.0,
        });
        let waiting = now.waiting.into_iter().map(|waiting| v1::WaitingNode {
            node_id: waiting.node,
            disk: waiting.disk.0,
            peer_address: waiting.peer_address,
        });
        let room = match self.desk.raft.room() {
            Room::Ample => "ample",
            Room::Short => "short",
            Room::Reserve => "reserve",
        };
        let formats = upgrade::tell(&self.desk);
        v1::StoreStatus {
            node_id: now.node,
            cluster: now.cluster,
            role: role.to_owned(),
            ready: now.ready,
            term: now.term,
            leader_id: now.leader.unwrap_or(0),
            last_log_index: now.last_log_index,
            committed_index: now.committed_index,
            applied_index: now.applied_index,
            sessions: table.sessions(),
            session_bytes: table.bytes(),
            uptime_seconds: runtime::since(self.started).as_secs(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            members: members.collect(),
            disk: now.disk.0,
            waiting: waiting.collect(),
            disk_room: room.to_owned(),
            format: formats.format,
            ready_format: formats.ready_format,
            format_held: formats.held,
            disk_free_bytes: now.free_bytes.unwrap_or(0),
            disk_bytes: now.disk_bytes,
            sync_micros: u64::try_from(now.slowest_sync.as_micros()).unwrap_or(u64::MAX),
        }
    }
}
