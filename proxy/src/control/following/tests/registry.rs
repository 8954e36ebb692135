//! A registry that says what a test lets it say.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use remora_proto::v1;
use remora_proto::v1::registry_server::{self, RegistryServer};
use remora_proto::v1::{FollowReply, FollowRequest, Refusal, WishReply, WishRequest, follow_reply};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// A registry; its clones are one.
#[derive(Clone)]
pub(super) struct Registry {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

type Words = mpsc::Sender<Result<FollowReply, Status>>;

#[derive(Default)]
struct State {
    /// Of the open stream.
    words: Option<Words>,
    /// Streams that were opened, and the number of the last to which something was said.
    opened: u64,
    spoken: u64,
    refuses: Option<Status>,
    proxy: String,
    followed: u64,
    wished: Vec<WishRequest>,
    answers: VecDeque<Result<u64, Status>>,
    /// A file of the proxy's, and what stood in it when the first wish came.
    looked_at: Option<(PathBuf, String)>,
}

impl Registry {
    /// Starts one; it ends with the test.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self {
            address: listener.local_addr().unwrap().to_string(),
            state: Arc::default(),
        };
        let service = RegistryServer::new(registry.clone());
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener)),
        );
        registry
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn send(&self, word: Result<FollowReply, Status>) {
        let mut word = Some(word);
        super::until("a stream is open", || {
            let mut state = self.state();
            let Some(words) = &state.words else { return false };
            match words.try_send(word.take().unwrap()) {
                Ok(()) => state.spoken = state.opened,
                Err(refused) => {
                    word = Some(refused.into_inner());
                    state.words = None;
                }
            }
            word.is_none()
        })
        .await;
    }

    /// Says this on the stream, once there is one.
    pub(super) async fn say(&self, reply: FollowReply) {
        self.send(Ok(reply)).await;
    }

    /// Ends the stream.
    pub(super) async fn end(&self, status: Status) {
        self.send(Err(status)).await;
        self.state().words = None;
    }

    /// Waits until the proxy has opened another stream than the one to which something was said last.
    pub(super) async fn opened_anew(&self) {
        super::until("another stream is open", || {
            let state = self.state();
            state.opened > state.spoken
        })
        .await;
    }

    /// Opens no stream from now on, or does.
    pub(super) fn refuse(&self, status: Option<Status>) {
        self.state().refuses = status;
    }

    /// What it answers to the next wish, and the last of these to all that follow.
    pub(super) fn answer(&self, answer: Result<u64, Status>) {
        self.state().answers = [answer].into();
    }

    /// The newest view that the proxy says it follows.
    pub(super) fn followed(&self) -> u64 {
        self.state().followed
    }

    /// What the proxy calls itself.
    pub(super) fn proxy_name(&self) -> String {
        self.state().proxy.clone()
    }

    /// Reads this file when the next wish comes.
    pub(super) fn look_at(&self, file: PathBuf) {
        self.state().looked_at = Some((file, String::new()));
    }

    /// What stood in it.
    pub(super) fn seen(&self) -> String {
        let looked_at = self.state().looked_at.clone();
        looked_at.map(|(_, seen)| seen).unwrap_or_default()
    }

    /// The last wish.
    pub(super) fn wished(&self) -> WishRequest {
        self.state().wished.last().unwrap().clone()
    }
}

#[tonic::async_trait]
impl registry_server::Registry for Registry {
    async fn announce(&self, _: Request<v1::AnnounceRequest>) -> Result<Response<v1::AnnounceReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn retire(&self, _: Request<v1::RetireRequest>) -> Result<Response<v1::RetireReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn retire_node(
        &self,
        _: Request<v1::RetireNodeRequest>,
    ) -> Result<Response<v1::RetireReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_servers(
        &self,
        _: Request<v1::ListServersRequest>,
    ) -> Result<Response<v1::ListServersReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn wish(&self, request: Request<WishRequest>) -> Result<Response<WishReply>, Status> {
        let mut state = self.state();
        if let Some((file, seen)) = &mut state.looked_at
            && seen.is_empty()
        {
            *seen = std::fs::read_to_string(file).unwrap_or_default();
        }
        state.wished.push(request.into_inner());
        let answer = state.answers.front().cloned();
        let version = answer.unwrap_or_else(|| Err(Status::unavailable("nobody said what")))?;
        Ok(Response::new(WishReply { version }))
    }

    type FollowStream = BoxStream<'static, Result<FollowReply, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<FollowRequest>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        if let Some(status) = &self.state().refuses {
            return Err(status.clone());
        }
        let mut requests = request.into_inner();
        let registry = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let mut state = registry.state();
                if !request.proxy.is_empty() {
                    state.proxy = request.proxy;
                }
                state.followed = request.followed;
            }
        });
        let (words, said) = mpsc::channel(16);
        let mut state = self.state();
        state.words = Some(words);
        state.opened += 1;
        drop(state);
        let said = stream::unfold(said, |mut said| async move { Some((said.recv().await?, said)) });
        Ok(Response::new(said.boxed()))
    }
}

/// A whole view of cluster `c1`.
pub(super) fn view(version: u64, servers: &[follow_reply::Server]) -> FollowReply {
    FollowReply {
        cluster: "c1".to_owned(),
        version,
        servers: servers.to_vec(),
        ..FollowReply::default()
    }
}

/// Word that it stands.
pub(super) fn stands() -> FollowReply {
    FollowReply {
        stands: true,
        ..FollowReply::default()
    }
}

/// A Tomcat, and the last part of its address.
pub(super) fn server(node: &str, instance: u64) -> follow_reply::Server {
    follow_reply::Server {
        server: Some(v1::Owner {
            node: node.to_owned(),
            instance,
        }),
        url: format!("http://10.0.0.{instance}:8080"),
        ..follow_reply::Server::default()
    }
}

/// What an operator wishes somewhere.
pub(super) fn wish(of: &str, said: &str, version: u64) -> v1::Wish {
    v1::Wish {
        of: of.to_owned(),
        said: said.as_bytes().to_vec().into(),
        version,
        ..v1::Wish::default()
    }
}

/// A refusal that names who leads; nobody where that is empty.
pub(super) fn not_leader(leader: &str) -> Status {
    let refusal = Refusal {
        leader: leader.to_owned(),
        ..Refusal::default()
    };
    let mut status = Status::unavailable("this store node does not lead");
    status.metadata_mut().insert_bin(
        "remora-refusal-bin",
        MetadataValue::from_bytes(&refusal.encode_to_vec()),
    );
    status
}
