//! The unary calls of `SessionStore`, and the door to its stream.
//!
//! Every call is a visit of one request (`visit`); it comes here at the leader only (`forward`). What was refused or not
//! learned becomes a status.

use std::sync::Arc;

use futures::stream::BoxStream;
use remora_process::tls::Caller;
use remora_proto::v1;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::request::Ask;
use remora_proto::v1::session_store_server::SessionStore;
use tonic::{Request, Response, Status, Streaming};

use super::convert;
use super::desk::Desk;
use super::exchange;
use super::gate;
use super::rights;
use super::status::status;
use super::visit::Visit;

/// The service.
pub(super) struct Sessions {
    pub(super) desk: Arc<Desk>,
}

impl Sessions {
    async fn answer(&self, ask: Ask, caller: &Caller) -> Result<Answer, Status> {
        let asked = rights::within(caller, convert::lone(ask));
        match Visit::alone(&self.desk, asked).await {
            Answer::Refusal(refusal) => Err(status(refusal)),
            Answer::Unknown(unknown) => Err(status(unknown)),
            answer => Ok(answer),
        }
    }
}

/// The service out of its unary calls, each with the variant of what is asked and answered.
macro_rules! session_store {
    ($($call:ident: $kind:ident, $request:ident -> $reply:ident;)*) => {
        #[tonic::async_trait]
        impl SessionStore for Sessions {
            $(async fn $call(&self, request: Request<v1::$request>) -> Result<Response<v1::$reply>, Status> {
                let caller = gate::caller(&request);
                match self.answer(Ask::$kind(request.into_inner()), &caller).await? {
                    Answer::$kind(reply) => Ok(Response::new(reply)),
                    other => {
                        tracing::error!(ending = ?convert::ending(&other), "an answer of another kind");
                        Err(status(v1::Unknown::default()))
                    }
                }
            })*

            type ExchangeStream = BoxStream<'static, Result<v1::ExchangeReply, Status>>;

            async fn exchange(
                &self,
                request: Request<Streaming<v1::ExchangeRequest>>,
            ) -> Result<Response<Self::ExchangeStream>, Status> {
                let from = (request.extensions().get().cloned(), gate::caller(&request));
                let stream = exchange::open(Arc::clone(&self.desk), from, request.into_inner()).await?;
                Ok(Response::new(stream))
            }
        }
    };
}

session_store! {
    claim: Claim, ClaimRequest -> ClaimReply;
    save: Save, SaveRequest -> SaveReply;
    touch: Touch, TouchRequest -> TouchReply;
    rename: Rename, RenameRequest -> RenameReply;
    remove: Remove, RemoveRequest -> RemoveReply;
    release: Release, ReleaseRequest -> ReleaseReply;
    check: Check, CheckRequest -> CheckReply;
}
