//! One stream to one node: opened, listened to, and answered with what is followed.
//!
//! Invariants: every wait for the store has an end · a view holds for each request that begins from then on before it is said to be
//! followed · a view that the store never tells ends the stream, and changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, Stream};
use remora_policy::View;
use remora_process::tls::Dial;
use remora_proto::v1::registry_client::RegistryClient;
use remora_proto::v1::{FollowReply, FollowRequest, Refusal};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use super::parts::{Parts, Told};
use super::search::TryEnded;
use super::{CONNECT, Following, SILENCE, hearing};

/// Bytes of one message. Twice what a store says in one.
const PART_BYTES: usize = 1024 * 1024;

impl Following {
    /// Follows at this address for as long as that goes well.
    pub(super) async fn stream(&self, dial: &Dial, address: &str) -> TryEnded {
        let began = Instant::now();
        let mut ended = TryEnded {
            followed: false,
            lived: Duration::ZERO,
            leader: None,
            why: String::new(),
        };
        let opened = async {
            let channel = connect(dial, address).await?;
            let (followed, words) = watch::channel(0);
            let requests = said(self.0.name.clone(), words);
            let mut client = RegistryClient::new(channel.clone()).max_decoding_message_size(PART_BYTES);
            let replies = within(SILENCE, client.follow(requests)).await?;
            Ok((channel, followed, replies.into_inner()))
        };
        let status = match opened.await {
            Ok((channel, followed, replies)) => {
                self.listen(channel, &followed, replies, &mut ended.followed)
                    .await
            }
            Err(status) => status,
        };
        let refused = refusal(&status);
        ended.leader = refused
            .map(|refusal| refusal.leader)
            .filter(|leader| !leader.is_empty());
        ended.why = told(&status);
        ended.lived = began.elapsed();
        ended
    }

    /// Takes what is said in until something is amiss, and says what.
    async fn listen(
        &self,
        channel: Channel,
        followed: &watch::Sender<u64>,
        mut replies: Streaming<FollowReply>,
        is_followed: &mut bool,
    ) -> Status {
        let mut parts = Parts::default();
        loop {
            let reply = match within(SILENCE, replies.message()).await {
                Ok(Some(reply)) => reply,
                Ok(None) => return Status::unavailable("the stream ended"),
                Err(status) => return status,
            };
            match parts.take(reply) {
                Ok(Told::More) => {}
                Ok(Told::Stands) => self.is_heard(),
                Ok(Told::Whole(view)) => {
                    let version = view.version;
                    if let Err(why) = self.take(view) {
                        return Status::data_loss(why);
                    }
                    followed.send_replace(version);
                    *is_followed = true;
                    self.is_heard();
                    self.0.leader.send_if_modified(|leader| {
                        let was_none = leader.is_none();
                        *leader = Some(channel.clone());
                        was_none
                    });
                }
                Err(why) => return Status::data_loss(why),
            }
        }
    }

    /// A view holds from now on, here and for every request that begins.
    fn take(&self, told: View) -> Result<(), String> {
        let (cluster, version) = (Arc::clone(&told.cluster), told.version);
        let before = self.0.directory.view();
        let is_another = before.cluster != cluster;
        if is_another && before.is_told() {
            tracing::warn!(
                before = &*before.cluster,
                now = &*cluster,
                "the store is another cluster: whom it does not name stays until he is retired there"
            );
        }
        let pressing = self.books().pressing.clone();
        let followed = self.0.directory.discover(told, &pressing);
        if followed.version != version {
            let known = followed.version;
            return Err(format!(
                "it tells version {version} of its registry, and told {known} before"
            ));
        }
        hearing::note(&self.0.directory, &followed);
        self.changed();
        Ok(())
    }
}

/// What this side says: who it is, and then the newest view that is followed.
fn said(name: String, words: watch::Receiver<u64>) -> impl Stream<Item = FollowRequest> + Send + 'static {
    stream::unfold((Some(name), words), |(name, mut words)| async move {
        if name.is_none() {
            words.changed().await.ok()?;
        }
        let followed = *words.borrow_and_update();
        let request = FollowRequest {
            proxy: name.unwrap_or_default(),
            followed,
        };
        Some((request, (None, words)))
    })
}

async fn connect(dial: &Dial, address: &str) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Status::invalid_argument("not an address: write HOST:PORT"))?;
    let connecting = endpoint.connect_with_connector(dial.clone());
    match timeout(CONNECT, connecting).await {
        Ok(connected) => connected.map_err(|error| Status::unavailable(root_cause(&error))),
        Err(_) => Err(Status::unavailable(format!("no answer within {CONNECT:?}"))),
    }
}

/// What comes in time.
async fn within<T>(limit: Duration, coming: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    timeout(limit, coming)
        .await
        .unwrap_or_else(|_| Err(Status::unavailable(format!("nothing was said for {limit:?}"))))
}

/// What a store says beside a status that is a refusal.
fn refusal(status: &Status) -> Option<Refusal> {
    let bytes = status.metadata().get_bin("remora-refusal-bin")?.to_bytes().ok()?;
    prost::Message::decode(bytes).ok()
}

/// Why, for people.
fn told(status: &Status) -> String {
    match (status.code(), std::error::Error::source(status)) {
        (Code::Unimplemented, _) => {
            "the store is of an earlier release and tells no registry: upgrade it".to_owned()
        }
        (_, Some(source)) => root_cause(source),
        (_, None) => status.message().to_owned(),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
