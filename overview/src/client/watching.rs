//! A watch of sessions that goes on for as long as somebody looks: at one node, and at the next when that one fails.
//!
//! Any node can be watched, so the end of one is the end of nothing: the next is asked to go on where the last word left off.
//! It tells what happened meanwhile, or says that something was missed.

use std::time::{Duration, Instant};

use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_proto::v1::{SessionFilter, WatchSessionsReply, WatchSessionsRequest};
use tonic::{Code, Status, Streaming};

use super::{
    ATTEMPT_TIMEOUT, ELECTION_WAIT, ROUND_INTERVAL, Store, endpoint, failure, is_passing, root_cause,
};
use crate::Failure;

/// How long a node may say nothing: it says something every second.
const SILENT_WITHIN: Duration = Duration::from_secs(5);

/// How long a watch that had begun looks for a node to go on at: a restart of all of them.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// A watch.
pub struct Watching<'a> {
    store: &'a Store,
    /// Which sessions, and where to go on: nowhere before the first word.
    ask: WatchSessionsRequest,
    /// Position of the address that is asked next, or whose node is watched.
    at: usize,
    stream: Option<Streaming<WatchSessionsReply>>,
}

/// What a watch has to say.
#[derive(Debug)]
pub enum Word {
    /// A node is watched from here on.
    Watched {
        /// Its address.
        at: String,
    },
    /// Something happened, or was missed.
    Told(WatchSessionsReply),
    /// The node that was watched is so no more; another is looked for.
    Broken(Failure),
}

impl Store {
    /// Begins to watch the sessions that a filter means.
    pub fn watch(&self, filter: SessionFilter) -> Watching<'_> {
        Watching {
            store: self,
            ask: WatchSessionsRequest {
                filter: Some(filter),
                ..WatchSessionsRequest::default()
            },
            at: 0,
            stream: None,
        }
    }
}

impl Watching<'_> {
    /// The next word. Not to be dropped and called again.
    pub async fn next(&mut self) -> Result<Word, Failure> {
        let Some(stream) = &mut self.stream else {
            let stream = self.begin().await?;
            self.stream = Some(stream);
            let at = self.address().to_owned();
            return Ok(Word::Watched { at });
        };
        let message = match tokio::time::timeout(SILENT_WITHIN, stream.message()).await {
            Ok(Ok(Some(message))) => {
                self.ask.from.clone_from(&message.next);
                return Ok(Word::Told(message));
            }
            Ok(Ok(None)) => Status::unavailable("the node ended the watch"),
            Ok(Err(status)) => status,
            Err(_) => Status::unavailable(format!("the node has said nothing for {SILENT_WITHIN:?}")),
        };
        self.stream = None;
        let broken = failure(&self.store.reach.dial, self.address(), &message);
        self.at += 1;
        if passes(&message) {
            Ok(Word::Broken(broken))
        } else {
            Err(broken)
        }
    }

    fn address(&self) -> &str {
        let addresses = &self.store.reach.addresses;
        &addresses[self.at % addresses.len()]
    }

    /// Asks one node after the other until one can be watched.
    async fn begin(&mut self) -> Result<Streaming<WatchSessionsReply>, Failure> {
        let within = if self.ask.from.is_empty() {
            ELECTION_WAIT
        } else {
            GOES_ON_WITHIN
        };
        let started = Instant::now();
        loop {
            for _ in 0..self.store.reach.addresses.len() {
                let status = match self.ask().await {
                    Ok(stream) => return Ok(stream),
                    Err(status) => status,
                };
                let failed = failure(&self.store.reach.dial, self.address(), &status);
                if status.code() == Code::Unimplemented {
                    let sentence = format!(
                        "{}: this store is of an earlier release and cannot be watched",
                        self.address()
                    );
                    return Err(Failure::Refused(sentence));
                }
                if !passes(&status) || started.elapsed() > within {
                    return Err(failed);
                }
                self.at += 1;
            }
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }

    async fn ask(&self) -> Result<Streaming<WatchSessionsReply>, Status> {
        let silent = |_| Status::unavailable("no answer");
        let asked = async {
            let endpoint = endpoint(self.address());
            let endpoint =
                endpoint.map_err(|_| Status::invalid_argument("not an address: write HOST:PORT"))?;
            let endpoint = endpoint.connect_timeout(ATTEMPT_TIMEOUT);
            let channel = endpoint
                .connect_with_connector(self.store.reach.dial.clone())
                .await
                .map_err(|error| Status::unavailable(format!("no answer: {}", root_cause(&error))))?;
            StoreAdminClient::new(channel)
                .watch_sessions(self.ask.clone())
                .await
        };
        let answered = tokio::time::timeout(SILENT_WITHIN, asked)
            .await
            .map_err(silent)??;
        Ok(answered.into_inner())
    }
}

/// Whether another node may do better. A status with a source was made up on this side: the connection ended.
fn passes(status: &Status) -> bool {
    is_passing(status) || std::error::Error::source(status).is_some()
}
