//! What is asked of a proxy before anything is changed, or instead of it.
//!
//! Left out on purpose: repeats. A proxy is asked once, at exactly the address given.

use remora_process::tls::Dial;
use remora_proto::v1::foresee_request::Wish;
use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{ExplainReply, ExplainRequest, ForeseeRequest};
use tonic::Code;

use super::{ATTEMPT_TIMEOUT, UpstreamWish, connect, failure};
use crate::failure::Failure;

/// Why a request goes where, by one proxy.
pub(crate) async fn explain(
    dial: &Dial,
    address: &str,
    request: &ExplainRequest,
) -> Result<ExplainReply, Failure> {
    let channel = connect(dial, address, ATTEMPT_TIMEOUT)
        .await
        .map_err(|status| failure(dial, address, &status))?;
    let answer = ProxyAdminClient::new(channel).explain(request.clone()).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| failure(dial, address, &status))
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
    let request = ForeseeRequest { wish: Some(wish) };
    match ProxyAdminClient::new(channel).foresee(request).await {
        Ok(reply) => reply.into_inner().emptied,
        Err(status) if status.code() == Code::Unimplemented => {
            vec!["it is of an earlier release, and does not say what this takes from whom".to_owned()]
        }
        Err(_) => Vec::new(),
    }
}
