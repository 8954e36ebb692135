//! What is asked of a proxy.
//!
//! Left out on purpose: repeats. A proxy is asked once, at exactly the address given, because each answers for itself, also where the
//! store keeps what is wished for all of them.

use std::time::Duration;

use remora_process::tls::Dial;
use remora_proto::v1::foresee_request::Wish;
use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{
    ConsoleTokenReply, ConsoleTokenRequest, DrainReply, DrainRequest, ExplainReply, ExplainRequest,
    ForeseeRequest, LatelyReply, LatelyRequest, MaintainReply, MaintainRequest, ProxyStatus,
    ProxyStatusRequest, SetRequest,
};
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::mistakes::{self, Asked};
use super::{ATTEMPT_TIMEOUT, connect, failure};
use crate::Failure;

/// How long a wish may take to be answered: a proxy does it at once, and gives the store 2 s to keep it before it says that the store
/// does not.
const WISH_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator wishes of upstreams.
#[derive(Clone)]
pub enum UpstreamWish {
    /// That their users leave, now or by a deadline.
    Drain(DrainRequest),
    /// That they stay.
    Undrain(DrainRequest),
    /// A state or a weight.
    Set(SetRequest),
}

/// The status of one proxy.
pub async fn proxy_status(dial: &Dial, address: &str) -> Result<ProxyStatus, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.status(ProxyStatusRequest {}).await
    })
    .await
}

/// Says a wish of a pool to one proxy.
pub async fn maintain(dial: &Dial, address: &str, wish: &MaintainRequest) -> Result<MaintainReply, Failure> {
    asked_within(WISH_TIMEOUT, dial, address, async |mut proxy| {
        proxy.maintain(wish.clone()).await
    })
    .await
}

/// Says a wish of upstreams to one proxy.
pub async fn wish(dial: &Dial, address: &str, wish: &UpstreamWish) -> Result<DrainReply, Failure> {
    asked_within(WISH_TIMEOUT, dial, address, async |mut proxy| match wish {
        UpstreamWish::Drain(request) => proxy.drain(request.clone()).await,
        UpstreamWish::Undrain(request) => proxy.undrain(request.clone()).await,
        UpstreamWish::Set(request) => proxy.set(request.clone()).await,
    })
    .await
}

/// Why a request goes where, by one proxy.
pub async fn explain(dial: &Dial, address: &str, request: &ExplainRequest) -> Result<ExplainReply, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.explain(request.clone()).await
    })
    .await
}

/// What changed at one proxy behind a change of this number; all that it remembers behind 0.
pub async fn lately(dial: &Dial, address: &str, after: u64) -> Result<LatelyReply, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.lately(LatelyRequest { after }).await
    })
    .await
}

/// A secret by which a browser may open the console of one proxy.
pub async fn console_token(
    dial: &Dial,
    address: &str,
    request: &ConsoleTokenRequest,
) -> Result<ConsoleTokenReply, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.console_token(*request).await
    })
    .await
}

/// What a wish would take from the pools of one proxy, a sentence for each; none where it costs nobody anything. A proxy that fails
/// to say it may follow the wish all the same.
pub async fn foresee(dial: &Dial, address: &str, wish: &UpstreamWish) -> Result<Vec<String>, Failure> {
    let wish = match wish {
        UpstreamWish::Drain(request) => Wish::Drain(request.clone()),
        UpstreamWish::Set(request) => Wish::Set(request.clone()),
        UpstreamWish::Undrain(_) => return Ok(Vec::new()),
    };
    let asked = asked(dial, address, async |mut proxy| {
        proxy.foresee(ForeseeRequest { wish: Some(wish) }).await
    });
    match asked.await {
        Ok(reply) => Ok(reply.emptied),
        // Only a proxy tells its status.
        Err(Failure::Older(_)) => proxy_status(dial, address).await.map(|_| {
            vec!["it is of an earlier release, and does not say what this takes from whom".to_owned()]
        }),
        Err(failure) => Err(failure),
    }
}

/// What one proxy answers, or which mistake it is that it does not.
async fn asked<T>(
    dial: &Dial,
    address: &str,
    ask: impl AsyncFnOnce(ProxyAdminClient<Channel>) -> Result<Response<T>, Status>,
) -> Result<T, Failure> {
    asked_within(ATTEMPT_TIMEOUT, dial, address, ask).await
}

/// The same of a question that may take longer.
async fn asked_within<T>(
    timeout: Duration,
    dial: &Dial,
    address: &str,
    ask: impl AsyncFnOnce(ProxyAdminClient<Channel>) -> Result<Response<T>, Status>,
) -> Result<T, Failure> {
    let answer = match connect(dial, address, timeout).await {
        Ok(channel) => ask(ProxyAdminClient::new(channel)).await,
        Err(status) => Err(status),
    };
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => Err(
            match mistakes::named(dial, address, Asked::Proxy, &status).await {
                Some(mistake) => mistake,
                None => failure(dial, address, &status),
            },
        ),
    }
}
