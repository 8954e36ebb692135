//! The words of `remora.v1.ProxyAdmin`: who may say them, and what is answered when something was not done.
//!
//! Left out on purpose: what is done, which is the same by whichever way it is asked for (`deeds`).

use std::time::Duration;

use remora_process::audit;
use remora_process::tls::{Caller, Role};
use remora_proto::v1::proxy_admin_server::ProxyAdmin;
use remora_proto::v1::{
    ConsoleTokenReply, ConsoleTokenRequest, DrainReply, DrainRequest, ExplainReply, ExplainRequest,
    ForeseeReply, ForeseeRequest, LatelyReply, LatelyRequest, MaintainReply, MaintainRequest, ProxyStatus,
    ProxyStatusRequest, SetRequest,
};
use tonic::{Request, Response, Status};

use super::FarEnd;
use super::deeds::{Control, Refused};
use crate::chronicle::{Changed, Lately};
use crate::console::{self, Console, Issued};

/// What answers operators over gRPC.
pub(super) struct Service {
    pub(super) control: Control,
    /// None where it is off.
    pub(super) console: Option<Console>,
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Status {
        match refused {
            Refused::Wrong(sentence) => Status::invalid_argument(sentence),
            Refused::Unknown(sentence) => Status::not_found(sentence),
            Refused::Against(sentence) => Status::failed_precondition(sentence),
            Refused::Away(sentence) => Status::unavailable(sentence),
            Refused::Broken(sentence) => Status::internal(sentence),
        }
    }
}

/// Who asks, if one of their roles gives the right to it; `names` are those that would.
fn admitted<T>(
    request: &Request<T>,
    action: &str,
    gives: impl Fn(&Role) -> bool,
    names: &str,
) -> Result<Caller, Status> {
    let who = request.extensions().get::<FarEnd>();
    let caller = who.map_or_else(Caller::nobody, FarEnd::caller);
    if caller.is(gives) {
        return Ok(caller);
    }
    let sentence = caller.lacks(action, names);
    audit::refused(action, &sentence);
    Err(Status::permission_denied(sentence))
}

/// Who asks to look at something.
fn reader<T>(request: &Request<T>, action: &str) -> Result<Caller, Status> {
    let looks = |role: &Role| matches!(role, Role::Reader | Role::Admin);
    admitted(request, action, looks, "remora://reader or remora://admin")
}

/// Who asks to change something.
fn operator<T>(request: &Request<T>, action: &str) -> Result<Caller, Status> {
    admitted(request, action, |role| *role == Role::Admin, "remora://admin")
}

fn told(entry: &Changed) -> remora_proto::v1::Change {
    remora_proto::v1::Change {
        number: entry.number,
        at_ms: entry.at_ms,
        kind: entry.sort.as_str().to_owned(),
        of: entry.of.clone(),
        what: entry.what.clone(),
        why: entry.why.clone(),
        who: entry.who.clone(),
    }
}

#[tonic::async_trait]
impl ProxyAdmin for Service {
    async fn status(&self, request: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        reader(&request, "ProxyAdmin/Status")?;
        Ok(Response::new(self.control.status()))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Drain")?;
        Ok(Response::new(
            self.control.drain(caller, request.into_inner()).await?,
        ))
    }

    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Undrain")?;
        Ok(Response::new(
            self.control.undrain(caller, request.into_inner()).await?,
        ))
    }

    async fn set(&self, request: Request<SetRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Set")?;
        Ok(Response::new(
            self.control.set(caller, request.into_inner()).await?,
        ))
    }

    async fn maintain(&self, request: Request<MaintainRequest>) -> Result<Response<MaintainReply>, Status> {
        let caller = operator(&request, "ProxyAdmin/Maintain")?;
        Ok(Response::new(
            self.control.maintain(caller, request.into_inner()).await?,
        ))
    }

    async fn foresee(&self, request: Request<ForeseeRequest>) -> Result<Response<ForeseeReply>, Status> {
        reader(&request, "ProxyAdmin/Foresee")?;
        Ok(Response::new(self.control.foresee(request.into_inner())?))
    }

    async fn lately(&self, request: Request<LatelyRequest>) -> Result<Response<LatelyReply>, Status> {
        reader(&request, "ProxyAdmin/Lately")?;
        let Lately { changes, missed } = self.control.lately(request.get_ref().after);
        let changes = changes.iter().map(|change| told(change)).collect();
        Ok(Response::new(LatelyReply { changes, missed }))
    }

    async fn console_token(
        &self,
        request: Request<ConsoleTokenRequest>,
    ) -> Result<Response<ConsoleTokenReply>, Status> {
        const ACTION: &str = "ProxyAdmin/ConsoleToken";
        let caller = operator(&request, ACTION)?;
        let ConsoleTokenRequest { read_only, seconds } = *request.get_ref();
        let issued = match &self.console {
            Some(console) => {
                let asked = (seconds != 0).then(|| Duration::from_secs(seconds));
                console.issue(&caller, read_only, asked).map_err(Refused::Wrong)
            }
            None => Err(Refused::Against(
                "this proxy has no console: its file says console = \"off\"".to_owned(),
            )),
        };
        match issued {
            Ok(Issued { token, lasts }) => {
                let rights = if read_only { "to look" } else { "to operate" };
                let seconds = lasts.as_secs();
                audit::done(&caller, ACTION, &format!("a token {rights} for {seconds} s"));
                Ok(Response::new(ConsoleTokenReply {
                    token,
                    seconds,
                    path: console::PATH.to_owned(),
                }))
            }
            Err(refused) => {
                audit::failed(&caller, ACTION, refused.sentence());
                Err(refused.into())
            }
        }
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        reader(&request, "ProxyAdmin/Explain")?;
        Ok(Response::new(self.control.explain(request.get_ref())?))
    }
}
