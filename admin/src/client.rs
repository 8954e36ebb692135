//! How store nodes and proxies are asked; the only file that names tonic.
//!
//! The store is asked at any address that answers: a node that does not lead forwards the question. An election is
//! waited out for a few seconds. A proxy is asked at exactly the address given, because each keeps its own books.

use std::time::{Duration, Instant};

use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_proto::v1::{
    DrainReply, DrainRequest, KillSessionsReply, KillSessionsRequest, ListSessionsReply, ListSessionsRequest,
    ProxyStatus, ProxyStatusRequest, SessionDetail, ShowSessionRequest, StoreStatus, StoreStatusRequest,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::commands::Failure;

/// How long one address may take to connect or answer; a person is waiting.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an election or an overload is waited out; several times the slowest failover that we promise.
const ELECTION_WAIT: Duration = Duration::from_secs(5);

/// Pause between two rounds over all addresses; short against an election, long against a busy loop.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// Asks whichever store node answers.
#[derive(Debug)]
pub(crate) struct Store {
    addresses: Vec<String>,
}

/// One question to the store, so that one loop serves them all.
trait Question: Clone {
    type Answer;
    async fn ask(self, client: StoreAdminClient<Channel>) -> Result<Self::Answer, Status>;
}

macro_rules! question {
    ($request:ty, $answer:ty, $method:ident) => {
        impl Question for $request {
            type Answer = $answer;
            async fn ask(self, mut client: StoreAdminClient<Channel>) -> Result<$answer, Status> {
                client.$method(self).await.map(tonic::Response::into_inner)
            }
        }
    };
}

question!(StoreStatusRequest, StoreStatus, status);
question!(ListSessionsRequest, ListSessionsReply, list_sessions);
question!(ShowSessionRequest, SessionDetail, show_session);
question!(KillSessionsRequest, KillSessionsReply, kill_sessions);

impl Store {
    /// A client for the given addresses; usage failure when there are none.
    pub(crate) fn new(addresses: &[String]) -> Result<Store, Failure> {
        if addresses.is_empty() {
            return Err(Failure::Usage(
                "say where the store is: --store HOST:PORT[,HOST:PORT], or set REMORA_STORE".into(),
            ));
        }
        Ok(Store {
            addresses: addresses.to_vec(),
        })
    }

    /// The status of the first node that answers.
    pub(crate) async fn status(&self) -> Result<StoreStatus, Failure> {
        self.ask(StoreStatusRequest {}).await
    }

    /// The status of the node at exactly this address.
    pub(crate) async fn status_of(address: &str) -> Result<StoreStatus, Failure> {
        attempt(address, StoreStatusRequest {})
            .await
            .map_err(|status| failure(address, &status))
    }

    /// One page of sessions.
    pub(crate) async fn list(&self, request: ListSessionsRequest) -> Result<ListSessionsReply, Failure> {
        self.ask(request).await
    }

    /// One session.
    pub(crate) async fn show(&self, request: ShowSessionRequest) -> Result<SessionDetail, Failure> {
        self.ask(request).await
    }

    /// Ends sessions.
    pub(crate) async fn kill(&self, request: KillSessionsRequest) -> Result<KillSessionsReply, Failure> {
        self.ask(request).await
    }

    /// Every question here may be repeated: reads by nature, a kill because the dead stay dead.
    async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, Failure> {
        let started = Instant::now();
        loop {
            let mut last = None;
            for address in &self.addresses {
                match attempt(address, question.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(status) if is_passing(&status) => last = Some(failure(address, &status)),
                    Err(status) => return Err(failure(address, &status)),
                }
            }
            if started.elapsed() > ELECTION_WAIT {
                return Err(last.unwrap_or_else(|| Failure::Refused("no store address given".into())));
            }
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }
}

async fn attempt<Q: Question>(address: &str, question: Q) -> Result<Q::Answer, Status> {
    question.ask(StoreAdminClient::new(connect(address).await?)).await
}

async fn connect(address: &str) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Status::invalid_argument("not an address: write HOST:PORT"))?;
    endpoint
        .connect_timeout(ATTEMPT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .connect()
        .await
        .map_err(|error| Status::unavailable(format!("no answer: {}", root_cause(&error))))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled
    )
}

fn failure(address: &str, status: &Status) -> Failure {
    Failure::Refused(format!("{address}: {}", status.message()))
}

/// The status of one proxy.
pub(crate) async fn proxy_status(address: &str) -> Result<ProxyStatus, Failure> {
    let channel = connect(address)
        .await
        .map_err(|status| failure(address, &status))?;
    let answer = ProxyAdminClient::new(channel).status(ProxyStatusRequest {}).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| failure(address, &status))
}

/// Drains or undrains a route at one proxy.
pub(crate) async fn set_drain(address: &str, route: &str, drain: bool) -> Result<DrainReply, Failure> {
    let channel = connect(address)
        .await
        .map_err(|status| failure(address, &status))?;
    let mut client = ProxyAdminClient::new(channel);
    let request = DrainRequest {
        route: route.to_owned(),
    };
    let answer = if drain {
        client.drain(request).await
    } else {
        client.undrain(request).await
    };
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| failure(address, &status))
}
