//! The unary calls of `SessionStore`, and the door to its stream.
//!
//! Every unary call goes the same way: here if this node leads, else one hop to the leader; the caller is checked, the
//! request converted, answered at the desk, counted, and a refusal or an unknown outcome becomes a status.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::BoxStream;
use remora_proto::v1;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::session_store_server::SessionStore;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::metrics::Kind;

use super::bounds::MESSAGE_BYTES_MAX;
use super::convert::{self, Asker, Checked};
use super::desk::Desk;
use super::exchange;
use super::forward::{Forwards, Way, onward};
use super::status::{Turned, status};

/// The service.
pub(super) struct Sessions {
    pub(super) desk: Arc<Desk>,
    pub(super) forwards: Arc<Forwards>,
}

impl Sessions {
    async fn answer(&self, kind: Kind, request: Checked<convert::Request>) -> Result<Answer, Status> {
        let began = Instant::now();
        let answer = match request {
            Ok(request) => self.desk.answer(request).await,
            Err(refusal) => Answer::Refusal(refusal),
        };
        self.desk.count(kind, &answer, began.elapsed());
        match answer {
            Answer::Refusal(refusal) => Err(status(Turned::Refused(refusal))),
            Answer::Unknown(unknown) => Err(status(Turned::Unknown(unknown))),
            answer => Ok(answer),
        }
    }

    async fn command<T>(
        &self,
        kind: Kind,
        caller: Option<&v1::Caller>,
        convert: fn(&Asker, u64, T) -> Checked<convert::Request>,
        message: T,
    ) -> Result<Answer, Status> {
        let request = convert::caller(caller).and_then(|(asker, serial)| convert(&asker, serial, message));
        self.answer(kind, request).await
    }
}

fn client(channel: Channel) -> SessionStoreClient<Channel> {
    SessionStoreClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// The reply out of an answer; an answer of another kind cannot come out of `convert::answer`.
macro_rules! reply {
    ($answer:expr, $kind:ident) => {
        match $answer {
            Answer::$kind(reply) => Ok(Response::new(reply)),
            other => {
                tracing::error!(ending = ?convert::ending(&other), "an answer of another kind");
                Err(status(Turned::Unknown(v1::Unknown::default())))
            }
        }
    };
}

#[tonic::async_trait]
impl SessionStore for Sessions {
    type ExchangeStream = BoxStream<'static, Result<v1::ExchangeReply, Status>>;

    async fn claim(&self, request: Request<v1::ClaimRequest>) -> Result<Response<v1::ClaimReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).claim(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Claim, ask.caller.clone().as_ref(), convert::claim, ask)
                .await?,
            Claim
        )
    }

    async fn save(&self, request: Request<v1::SaveRequest>) -> Result<Response<v1::SaveReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).save(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Save, ask.caller.clone().as_ref(), convert::save, ask)
                .await?,
            Save
        )
    }

    async fn touch(&self, request: Request<v1::TouchRequest>) -> Result<Response<v1::TouchReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).touch(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Touch, ask.caller.clone().as_ref(), convert::touch, ask)
                .await?,
            Touch
        )
    }

    async fn rename(&self, request: Request<v1::RenameRequest>) -> Result<Response<v1::RenameReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).rename(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Rename, ask.caller.clone().as_ref(), convert::rename, ask)
                .await?,
            Rename
        )
    }

    async fn remove(&self, request: Request<v1::RemoveRequest>) -> Result<Response<v1::RemoveReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).remove(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Remove, ask.caller.clone().as_ref(), convert::remove, ask)
                .await?,
            Remove
        )
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).release(onward(request.into_inner())).await;
        }
        let ask = request.into_inner();
        reply!(
            self.command(Kind::Release, ask.caller.clone().as_ref(), convert::release, ask)
                .await?,
            Release
        )
    }

    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::CheckReply>, Status> {
        if let Way::There(leader) = self.forwards.way(&self.desk, &request)? {
            return client(leader).check(onward(request.into_inner())).await;
        }
        reply!(
            self.answer(Kind::Check, convert::check(request.into_inner()))
                .await?,
            Check
        )
    }

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let stream = exchange::open(Arc::clone(&self.desk), request.into_inner()).await?;
        Ok(Response::new(stream))
    }
}
