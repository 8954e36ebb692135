//! What a store of today says of its only session: ada's, on n1, just used.

use std::net::SocketAddr;

use remora_proto::v1::list_servers_reply::Server;
use remora_proto::v1::registry_server::Registry;
use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{
    AnnounceReply, AnnounceRequest, Attribute, ListServersReply, ListServersRequest, ListSessionsReply,
    ListSessionsRequest, LocalAttribute, RetireNodeRequest, RetireReply, RetireRequest, SessionConditions,
    SessionDetail, SessionFigures, SessionFilter, SessionGroup, SessionKey, SessionStatsReply,
    SessionStatsRequest, SessionSummary, SessionValues, ShowSessionRequest, StoreMember, StoreStatus,
};
use tonic::{Request, Response, Status};

/// The key of the only session of a store of today: of the id 0123456789ABCDEF0123456789ABCDEF, see SessionIdsTest.java.
pub(crate) const KEY: &str = "cd6c1f7d1dc6717d6371d2647910ca71";

/// What the only session of a store of today holds in its cart.
pub(crate) const CART: &str =
    "a shark \u{1b}[2J and much that is longer than a line of a table may be, whole all the same";

fn key() -> SessionKey {
    let pairs = (0..KEY.len()).step_by(2).map(|at| &KEY[at..at + 2]);
    let bytes: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("digits"))
        .collect();
    SessionKey {
        application: "localhost/shop".into(),
        key: bytes.into(),
    }
}

fn summary() -> SessionSummary {
    SessionSummary {
        session: Some(key()),
        principal: "ada".into(),
        ..SessionSummary::default()
    }
}

/// What the only node of a store says of itself that is reached there.
pub(crate) fn leads(own: SocketAddr) -> StoreStatus {
    StoreStatus {
        node_id: 1,
        cluster: "c1".into(),
        role: "leader".into(),
        ready: true,
        leader_id: 1,
        members: vec![StoreMember {
            node_id: 1,
            client_address: own.to_string(),
            voter: true,
            ..StoreMember::default()
        }],
        format: 5,
        ..StoreStatus::default()
    }
}

/// What a node says of itself while its cluster is not formed.
pub(crate) fn forms(_: SocketAddr) -> StoreStatus {
    StoreStatus {
        node_id: 1,
        role: "forming".into(),
        ..StoreStatus::default()
    }
}

/// Whether the only session is meant; by conditions it never is.
fn is_meant(filter: Option<SessionFilter>, conditions: Option<SessionConditions>) -> bool {
    let filter = filter.unwrap_or_default();
    let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    let labels = filter.labels.iter();
    is(&filter.application, "localhost/shop")
        && is(&filter.owner, "n1")
        && KEY.starts_with(&filter.key_prefix)
        && labels
            .map(|label| label.value.as_str())
            .all(|value| value == "ada")
        && conditions.unwrap_or_default() == SessionConditions::default()
}

pub(crate) fn list(ask: ListSessionsRequest) -> ListSessionsReply {
    let found = is_meant(ask.filter, ask.conditions);
    ListSessionsReply {
        sessions: found.then(summary).into_iter().collect(),
        matching: Some(found.into()),
        knows: 1,
        ..ListSessionsReply::default()
    }
}

pub(crate) fn show(ask: ShowSessionRequest) -> Option<SessionDetail> {
    let detail = || SessionDetail {
        summary: Some(summary()),
        local: vec![LocalAttribute {
            name: "connection_of-0123456789ABCDEF0123456789ABCDEF".into(),
            class: "com.example.Connection".into(),
        }],
        ..SessionDetail::default()
    };
    is_meant(ask.filter, None).then(detail)
}

pub(crate) fn values(session: SessionDetail) -> SessionValues {
    let length = u8::try_from(CART.len()).expect("a short text");
    let cart = Attribute {
        name: "cart_of-0123456789ABCDEF0123456789ABCDEF".into(),
        r#type: 1,
        value: [&[length], CART.as_bytes()].concat().into(),
        ..Attribute::default()
    };
    SessionValues {
        session: Some(session),
        attributes: vec![cart],
    }
}

pub(crate) fn stats(ask: SessionStatsRequest) -> SessionStatsReply {
    let name = match ask.by() {
        By::Application => "localhost/shop",
        By::Owner => "n1",
        By::Principal => "ada",
        By::Attribute => "cart",
    };
    let found = is_meant(ask.filter, ask.conditions);
    let figures = SessionFigures {
        sessions: found.into(),
        bytes: 4_096,
        logged_in: found.into(),
        idle: vec![found.into(), 0, 0, 0, 0, 0, 0, 0],
        ..SessionFigures::default()
    };
    let group = SessionGroup {
        name: name.into(),
        figures: Some(figures.clone()),
    };
    SessionStatsReply {
        all: Some(figures),
        groups: found.then_some(group).into_iter().collect(),
        ..SessionStatsReply::default()
    }
}

/// The Tomcat that serves the shop, and another application that has no session.
#[tonic::async_trait]
impl Registry for super::Store {
    async fn announce(&self, _: Request<AnnounceRequest>) -> Result<Response<AnnounceReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn retire(&self, _: Request<RetireRequest>) -> Result<Response<RetireReply>, Status> {
        Err(Status::unimplemented(""))
    }

    /// Takes out whoever is named with its instance, and nobody else.
    async fn retire_node(
        &self,
        request: Request<RetireNodeRequest>,
    ) -> Result<Response<RetireReply>, Status> {
        self.operates("RetireNode");
        let RetireNodeRequest { node, instance } = request.into_inner();
        let mut announced = self.announced.lock().expect("no test has failed");
        let before = announced.len();
        announced.retain(|server| {
            let owner = server.server.clone().unwrap_or_default();
            (owner.node.as_str(), owner.instance) != (node.as_str(), instance)
        });
        let retired = announced.len() < before;
        if retired {
            self.retired.lock().expect("no test has failed").push(node);
        }
        Ok(Response::new(RetireReply { retired }))
    }

    async fn wish(
        &self,
        _: Request<remora_proto::v1::WishRequest>,
    ) -> Result<Response<remora_proto::v1::WishReply>, Status> {
        Err(Status::unimplemented(""))
    }

    type FollowStream = futures::stream::BoxStream<'static, Result<remora_proto::v1::FollowReply, Status>>;

    async fn follow(
        &self,
        _: Request<tonic::Streaming<remora_proto::v1::FollowRequest>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_servers(
        &self,
        _: Request<ListServersRequest>,
    ) -> Result<Response<ListServersReply>, Status> {
        if self.forgets {
            return Err(Status::internal("the books are shut"));
        }
        let announced = self.announced.lock().expect("no test has failed").clone();
        if !announced.is_empty() {
            return Ok(Response::new(ListServersReply { servers: announced }));
        }
        Ok(Response::new(ListServersReply {
            servers: vec![Server {
                applications: vec!["localhost/quiet".into(), "localhost/shop".into()],
                ..Server::default()
            }],
        }))
    }
}
