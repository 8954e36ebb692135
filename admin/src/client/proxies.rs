//! What is asked of a proxy.
//!
//! Left out on purpose: repeats. A proxy is asked once, at exactly the address given, because each keeps its own books.

use remora_process::tls::Dial;
use remora_proto::v1::foresee_request::Wish;
use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{
    DrainReply, DrainRequest, ExplainReply, ExplainRequest, ForeseeRequest, MaintainReply, MaintainRequest,
    ProxyStatus, ProxyStatusRequest, SetRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::mistakes::{self, Asked};
use super::{ATTEMPT_TIMEOUT, connect, failure};
use crate::failure::Failure;

/// What an operator wishes of upstreams.
pub(crate) enum UpstreamWish {
    /// That their users leave, now or by a deadline.
    Drain(DrainRequest),
    /// That they stay.
    Undrain(DrainRequest),
    /// A state or a weight.
    Set(SetRequest),
}

/// The status of one proxy.
pub(crate) async fn proxy_status(dial: &Dial, address: &str) -> Result<ProxyStatus, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.status(ProxyStatusRequest {}).await
    })
    .await
}

/// Says a wish of a pool to one proxy.
pub(crate) async fn maintain(
    dial: &Dial,
    address: &str,
    wish: &MaintainRequest,
) -> Result<MaintainReply, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.maintain(wish.clone()).await
    })
    .await
}

/// Says a wish of upstreams to one proxy.
pub(crate) async fn wish(dial: &Dial, address: &str, wish: &UpstreamWish) -> Result<DrainReply, Failure> {
    asked(dial, address, async |mut proxy| match wish {
        UpstreamWish::Drain(request) => proxy.drain(request.clone()).await,
        UpstreamWish::Undrain(request) => proxy.undrain(request.clone()).await,
        UpstreamWish::Set(request) => proxy.set(request.clone()).await,
    })
    .await
}

/// Why a request goes where, by one proxy.
pub(crate) async fn explain(
    dial: &Dial,
    address: &str,
    request: &ExplainRequest,
) -> Result<ExplainReply, Failure> {
    asked(dial, address, async |mut proxy| {
        proxy.explain(request.clone()).await
    })
    .await
}

/// What a wish would take from the pools of one proxy, a sentence for each. A proxy that answers nothing will not follow the wish
/// either, and says why then.
pub(crate) async fn foresee(dial: &Dial, address: &str, wish: &UpstreamWish) -> Vec<String> {
    let wish = match wish {
        UpstreamWish::Drain(request) => Wish::Drain(request.clone()),
        UpstreamWish::Set(request) => Wish::Set(request.clone()),
        UpstreamWish::Undrain(_) => return Vec::new(),
    };
    let Ok(channel) = connect(dial, address, ATTEMPT_TIMEOUT).await else {
        return Vec::new();
    };
    let mut proxy = ProxyAdminClient::new(channel);
    match proxy.foresee(ForeseeRequest { wish: Some(wish) }).await {
        Ok(reply) => reply.into_inner().emptied,
        // Any other server knows no more of it than an earlier release, and no status either.
        Err(status) if status.code() == Code::Unimplemented => {
            match proxy.status(ProxyStatusRequest {}).await {
                Ok(_) => {
                    vec!["it is of an earlier release, and does not say what this takes from whom".to_owned()]
                }
                Err(_) => Vec::new(),
            }
        }
        Err(_) => Vec::new(),
    }
}

/// What one proxy answers, or which mistake it is that it does not.
async fn asked<T>(
    dial: &Dial,
    address: &str,
    ask: impl AsyncFnOnce(ProxyAdminClient<Channel>) -> Result<Response<T>, Status>,
) -> Result<T, Failure> {
    let answer = match connect(dial, address, ATTEMPT_TIMEOUT).await {
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
