//! How store nodes and proxies are asked; the only place of this crate that names tonic. Backups (`copies`) and watches
//! (`watching`) travel as streams.
//!
//! The store is asked at any address that answers: a node that does not lead forwards the question. An election is
//! waited out for a few seconds. What changes something is asked again only while it is known that nothing happened. A
//! proxy is asked at exactly the address given, because each keeps its own books.

mod copies;
mod mistakes;
mod proxies;
mod watching;

use std::time::{Duration, Instant};

use remora_process::tls::{Dial, encoded};
use remora_proto::v1::registry_client::RegistryClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_proto::v1::{
    ChangeMemberReply, ChangeMemberRequest, HandOverReply, HandOverRequest, KillMatchingRequest,
    KillSessionsReply, KillSessionsRequest, ListServersReply, ListServersRequest, ListSessionsReply,
    ListSessionsRequest, RecoverReply, RecoverRequest, RetireNodeRequest, RetireReply, SessionDetail,
    SessionStatsReply, SessionStatsRequest, SessionValues, ShowSessionRequest, StoreStatus,
    StoreStatusRequest, UpgradeReply, UpgradeRequest,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::Failure;
use mistakes::Asked;

pub use copies::BackupStream;
pub use proxies::{UpstreamWish, console_token, explain, foresee, lately, maintain, proxy_status, wish};
pub use watching::{Watching, Word};

/// How long one address may take to connect or answer; a person is waiting.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a kill may take to be answered: the store ends sessions page by page, and each page waits for a majority.
const KILL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a count may take to be answered: the store walks all sessions, seconds for millions, and a node that does not lead gives
/// the leader 8 s.
const COUNT_TIMEOUT: Duration = Duration::from_secs(9);

/// How long a step of a change of the membership may take: the store gives it 5 s to be committed, and a second to ask who is
/// to be added. As long for a Tomcat that is taken out, of whom the proxies have a second to let go.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);

/// How long an election or an overload is waited out; several times the slowest failover that we promise.
const ELECTION_WAIT: Duration = Duration::from_secs(5);

/// Pause between two rounds over all addresses; short against an election, long against a busy loop.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// How a sentence begins where nobody answered.
const NO_ANSWER: &str = "no answer";

/// Whom to ask, and how they are reached.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Their addresses, each host:port.
    pub addresses: Vec<String>,
    /// With TLS or without.
    pub dial: Dial,
}

/// Asks whichever store node answers.
#[derive(Debug)]
pub struct Store {
    reach: Reach,
    /// For whom it is asked, where that is not whoever the certificate names.
    on_behalf_of: Option<Behalf>,
}

/// A name as it goes with a question.
type Behalf = MetadataValue<Ascii>;

/// Where the name goes.
const BEHALF: &str = "remora-for";

/// Bytes of the name that the store takes.
const BEHALF_BYTES_MAX: usize = 128;

/// One question to the store, so that one loop serves them all.
trait Question: Clone {
    type Answer;
    /// How long one address may take to answer.
    const TIMEOUT: Duration;
    /// Whether asking twice is the same as asking once.
    const IS_READ: bool;
    async fn ask(self, channel: Channel, on_behalf_of: Option<Behalf>) -> Result<Self::Answer, Status>;
}

/// The question for a session with its values; without them the same words ask another method.
#[derive(Clone)]
struct ValuesOf(ShowSessionRequest);

impl tonic::IntoRequest<ShowSessionRequest> for ValuesOf {
    fn into_request(self) -> tonic::Request<ShowSessionRequest> {
        tonic::Request::new(self.0)
    }
}

macro_rules! question {
    ($request:ty, $answer:ty, $client:ident.$method:ident, $timeout:expr, $is_read:expr) => {
        impl Question for $request {
            type Answer = $answer;
            // The constant that the question was declared with, and its reason there.
            const TIMEOUT: Duration = $timeout;
            const IS_READ: bool = $is_read;
            async fn ask(self, channel: Channel, on_behalf_of: Option<Behalf>) -> Result<$answer, Status> {
                let mut request = tonic::IntoRequest::into_request(self);
                if let Some(name) = on_behalf_of {
                    request.metadata_mut().insert(BEHALF, name);
                }
                let answer = $client::new(channel).$method(request).await;
                answer.map(tonic::Response::into_inner)
            }
        }
    };
}

question!(
    StoreStatusRequest,
    StoreStatus,
    StoreAdminClient.status,
    ATTEMPT_TIMEOUT,
    true
);
question!(
    ListSessionsRequest,
    ListSessionsReply,
    StoreAdminClient.list_sessions,
    ATTEMPT_TIMEOUT,
    true
);
question!(
    ShowSessionRequest,
    SessionDetail,
    StoreAdminClient.show_session,
    ATTEMPT_TIMEOUT,
    true
);
question!(
    ValuesOf,
    SessionValues,
    StoreAdminClient.show_values,
    ATTEMPT_TIMEOUT,
    true
);
question!(
    SessionStatsRequest,
    SessionStatsReply,
    StoreAdminClient.session_stats,
    COUNT_TIMEOUT,
    true
);
question!(
    KillMatchingRequest,
    KillSessionsReply,
    StoreAdminClient.kill_matching,
    KILL_TIMEOUT,
    false
);
question!(
    ListServersRequest,
    ListServersReply,
    RegistryClient.list_servers,
    ATTEMPT_TIMEOUT,
    true
);
// The instance that is named is gone after one as after two.
question!(
    RetireNodeRequest,
    RetireReply,
    RegistryClient.retire_node,
    STEP_TIMEOUT,
    true
);
// A wish that is said twice is the same wish.
question!(
    UpgradeRequest,
    UpgradeReply,
    StoreAdminClient.upgrade,
    ATTEMPT_TIMEOUT,
    true
);
// Not for whoever comes next: the one that took over would hand over in its turn.
question!(
    HandOverRequest,
    HandOverReply,
    StoreAdminClient.hand_over,
    ATTEMPT_TIMEOUT,
    false
);
// The store takes one step, and a step that was taken is not taken again.
question!(
    ChangeMemberRequest,
    ChangeMemberReply,
    StoreAdminClient.change_member,
    STEP_TIMEOUT,
    true
);
// Once a node goes on alone it is another cluster's.
question!(
    RecoverRequest,
    RecoverReply,
    StoreAdminClient.recover,
    KILL_TIMEOUT,
    false
);
question!(
    KillSessionsRequest,
    KillSessionsReply,
    StoreAdminClient.kill_sessions,
    KILL_TIMEOUT,
    false
);

/// Why a question has no answer.
enum Missed {
    /// It may be asked again, here or elsewhere.
    Passing(Failure),
    /// The address is not one to ask. Another may be.
    Mistaken(Failure),
    /// It must not, or it would be in vain.
    Final(Failure),
}

impl Missed {
    fn into_failure(self) -> Failure {
        let (Missed::Passing(failure) | Missed::Mistaken(failure) | Missed::Final(failure)) = self;
        failure
    }
}

impl Store {
    /// A client for the given addresses; usage failure when there are none.
    pub fn new(reach: &Reach) -> Result<Store, Failure> {
        if reach.addresses.is_empty() {
            return Err(Failure::Usage(
                "say where the store is: --store HOST:PORT[,HOST:PORT], or set REMORA_STORE".into(),
            ));
        }
        check_addresses(&reach.addresses)?;
        Ok(Store {
            reach: reach.clone(),
            on_behalf_of: None,
        })
    }

    /// The same asked for somebody whom the store writes down beside whoever asks it, whatever letters the name has. It believes that for
    /// no right.
    #[must_use]
    pub fn on_behalf_of(self, name: &str) -> Store {
        let mut end = name.len().min(BEHALF_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        Store {
            // The encoded is always a value.
            on_behalf_of: Behalf::try_from(encoded(&name[..end])).ok(),
            ..self
        }
    }

    /// The status of the first node that answers and belongs to a cluster: one that waits to be added knows nobody. Of such a
    /// one only if nobody else answers.
    pub async fn status(&self) -> Result<StoreStatus, Failure> {
        for address in &self.reach.addresses {
            if let Ok(status) = self.status_of(address).await
                && !status.cluster.is_empty()
            {
                return Ok(status);
            }
        }
        self.ask(StoreStatusRequest {}).await
    }

    /// The status of the node at exactly this address.
    pub async fn status_of(&self, address: &str) -> Result<StoreStatus, Failure> {
        self.attempt(address, StoreStatusRequest {})
            .await
            .map_err(Missed::into_failure)
    }

    /// One page of sessions.
    pub async fn list(&self, request: ListSessionsRequest) -> Result<ListSessionsReply, Failure> {
        self.ask(request).await
    }

    /// One session.
    pub async fn show(&self, request: ShowSessionRequest) -> Result<SessionDetail, Failure> {
        self.ask(request).await
    }

    /// One session with the values of its attributes.
    pub async fn values(&self, request: ShowSessionRequest) -> Result<SessionValues, Failure> {
        self.ask(ValuesOf(request)).await
    }

    /// Figures of sessions.
    pub async fn stats(&self, request: SessionStatsRequest) -> Result<SessionStatsReply, Failure> {
        self.ask(request).await
    }

    /// Asks about the cluster's format, or says what it shall be.
    pub async fn upgrade(&self, request: UpgradeRequest) -> Result<UpgradeReply, Failure> {
        self.ask(request).await
    }

    /// Asks the leader, at exactly this address, to hand over.
    pub async fn hand_over(&self, address: &str, request: HandOverRequest) -> Result<HandOverReply, Failure> {
        let asked = self.attempt(address, request).await;
        asked.map_err(Missed::into_failure)
    }

    /// Takes the next step of adding, replacing or removing a node.
    pub async fn change_member(&self, request: ChangeMemberRequest) -> Result<ChangeMemberReply, Failure> {
        self.ask(request).await
    }

    /// Asks the node at exactly this address what it would give up if it went on alone, or lets it.
    pub async fn recover(&self, address: &str, request: RecoverRequest) -> Result<RecoverReply, Failure> {
        let asked = self.attempt(address, request).await;
        asked.map_err(Missed::into_failure)
    }

    /// The Tomcats that announced themselves.
    pub async fn servers(&self) -> Result<ListServersReply, Failure> {
        self.ask(ListServersRequest {}).await
    }

    /// The Tomcats that announced themselves, as the node at exactly this address knows how they fare.
    pub async fn servers_at(&self, address: &str) -> Result<ListServersReply, Failure> {
        let asked = self.attempt(address, ListServersRequest {}).await;
        asked.map_err(Missed::into_failure)
    }

    /// The same of the leader, which alone knows what each told of itself, and who is there. An election is waited out.
    pub async fn servers_at_leader(&self) -> Result<ListServersReply, Failure> {
        let started = Instant::now();
        loop {
            let view = self.status().await?;
            let mut members = view.members.into_iter();
            if let Some(leader) = members.find(|member| member.node_id == view.leader_id) {
                return self.servers_at(&leader.client_address).await;
            }
            if started.elapsed() > ELECTION_WAIT {
                return Err(Failure::Refused(
                    "no node leads at the moment: `remora nodes list` shows who answers".into(),
                ));
            }
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }

    /// Takes a Tomcat out of the registry.
    pub async fn retire(&self, request: RetireNodeRequest) -> Result<RetireReply, Failure> {
        self.ask(request).await
    }

    /// Ends sessions.
    pub async fn kill(&self, request: KillSessionsRequest) -> Result<KillSessionsReply, Failure> {
        self.ask(request).await
    }

    /// Ends sessions by conditions.
    pub async fn kill_matching(&self, request: KillMatchingRequest) -> Result<KillSessionsReply, Failure> {
        self.ask(request).await
    }

    async fn attempt<Q: Question>(&self, address: &str, question: Q) -> Result<Q::Answer, Missed> {
        let dial = &self.reach.dial;
        let channel = match connect(dial, address, Q::TIMEOUT).await {
            Ok(channel) => channel,
            Err(status) => {
                let mistake = mistakes::named(dial, address, Asked::Store, &status).await;
                return Err(mistake.map_or_else(
                    || Missed::Passing(failure(dial, address, &status)),
                    Missed::Mistaken,
                ));
            }
        };
        let status = match question.ask(channel, self.on_behalf_of.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if let Some(mistake) = mistakes::named(dial, address, Asked::Store, &status).await {
            return Err(Missed::Mistaken(mistake));
        }
        Err(match status {
            status if !Q::IS_READ && !is_learned(&status) => Missed::Final(Failure::Refused(format!(
                "{address}: unknown whether it was done; look again with `remora sessions list`"
            ))),
            // With a source it was made up on this side: the connection ended, and another node may answer.
            status if is_passing(&status) || std::error::Error::source(&status).is_some() => {
                Missed::Passing(failure(dial, address, &status))
            }
            status => Missed::Final(failure(dial, address, &status)),
        })
    }

    async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, Failure> {
        let started = Instant::now();
        loop {
            let (mut last, mut passing) = (None, false);
            for address in &self.reach.addresses {
                match self.attempt(address, question.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(Missed::Passing(failure)) => {
                        last = Some(failure);
                        passing = true;
                    }
                    // What can be learned from another is worth more.
                    Err(Missed::Mistaken(failure)) => last = last.or(Some(failure)),
                    Err(Missed::Final(failure)) => return Err(failure),
                }
            }
            if !passing || started.elapsed() > ELECTION_WAIT {
                return Err(last.unwrap_or_else(|| Failure::Refused("no store address given".into())));
            }
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }
}

/// Whether anybody is named, store or proxies or both, at what can be addresses.
pub fn check_site(store: &Reach, proxies: &Reach) -> Result<(), Failure> {
    if store.addresses.is_empty() && proxies.addresses.is_empty() {
        return Err(Failure::Usage(
            "say whom to ask: --store HOST:PORT and --proxy HOST:PORT, or set REMORA_STORE and REMORA_PROXY"
                .into(),
        ));
    }
    check_addresses(&store.addresses)?;
    check_addresses(&proxies.addresses)
}

/// Whether the addresses can be ones, before anybody is asked.
pub fn check_addresses(addresses: &[String]) -> Result<(), Failure> {
    let is_one = |address: &String| {
        let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(1..))) && endpoint(address).is_ok()
    };
    match addresses.iter().find(|address| !is_one(address)) {
        None => Ok(()),
        Some(wrong) => Err(Failure::Usage(format!(
            "{wrong:?} is not an address: write HOST:PORT"
        ))),
    }
}

/// Whether the store itself said what became of the question. A status with a source was made up on this side.
fn is_learned(status: &Status) -> bool {
    let vague = matches!(
        status.code(),
        Code::Unknown | Code::Cancelled | Code::DeadlineExceeded
    );
    !vague && std::error::Error::source(status).is_none()
}

fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    Endpoint::from_shared(format!("http://{address}"))
}

async fn connect(dial: &Dial, address: &str, timeout: Duration) -> Result<Channel, Status> {
    endpoint(address)
        .map_err(|_| Status::invalid_argument("not an address: write HOST:PORT"))?
        .connect_timeout(ATTEMPT_TIMEOUT)
        .timeout(timeout)
        .connect_with_connector(dial.clone())
        .await
        .map_err(|error| Status::unavailable(format!("{NO_ANSWER}: {}", root_cause(&error))))
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

/// Why an address gave no answer. A status with a source was made up on this side: then the connection ended, and a server that
/// speaks TLS ends one that does not.
fn failure(dial: &Dial, address: &str, status: &Status) -> Failure {
    let Some(source) = std::error::Error::source(status) else {
        return match status.code() {
            Code::FailedPrecondition => Failure::Against(format!("{address}: {}", status.message())),
            Code::NotFound => Failure::Missing(format!("{address}: {}", status.message())),
            Code::Unimplemented => Failure::Older(format!(
                "{address}: this is of an earlier release, or the store's leader is, and does not know that"
            )),
            _ => Failure::Refused(format!("{address}: {}", status.message())),
        };
    };
    let hint = if dial.is_secured() {
        ""
    } else {
        "; if it speaks TLS, name --tls-authority, --tls-cert and --tls-key"
    };
    Failure::Refused(format!("{address}: {NO_ANSWER}: {}{hint}", root_cause(source)))
}
