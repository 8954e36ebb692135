//! An operator's wish about a member of the cluster, one step at a time.

use remora_proto::v1;
use remora_proto::v1::change_member_reply::State;
use remora_proto::v1::change_member_request;
use tonic::Status;

use crate::raft::{ChangeError, StepTaken, Verb, Wish};

use super::desk::Desk;
use super::status::{malformed, status};

/// Takes the next step, at the leader.
pub(super) async fn change(
    desk: &Desk,
    request: v1::ChangeMemberRequest,
) -> Result<v1::ChangeMemberReply, Status> {
    let wish = wish(request)?;
    match desk.raft.change_members(&wish).await {
        Ok(progress) => Ok(told(progress)),
        Err(ChangeError::Refused(why)) => Err(Status::failed_precondition(why)),
        Err(ChangeError::Passing(why)) => Err(Status::unavailable(why)),
    }
}

fn wish(request: v1::ChangeMemberRequest) -> Result<Wish, Status> {
    let verb = match request.verb() {
        change_member_request::Verb::Add => Verb::Add,
        change_member_request::Verb::Replace => Verb::Replace,
        change_member_request::Verb::Remove => Verb::Remove,
        change_member_request::Verb::Unspecified => {
            let sentence = "the verb is missing, or of a later release: upgrade the store";
            return Err(status(malformed(sentence)));
        }
    };
    if request.node_id == 0 {
        return Err(status(malformed("node ids begin at 1")));
    }
    if verb != Verb::Remove && request.peer_address.is_empty() {
        let sentence = "peer_address is missing: say where the other nodes reach it";
        return Err(status(malformed(sentence)));
    }
    Ok(Wish {
        verb,
        node: request.node_id,
        peer_address: request.peer_address,
    })
}

fn told(progress: StepTaken) -> v1::ChangeMemberReply {
    let reply = |state: State| v1::ChangeMemberReply {
        state: state.into(),
        ..v1::ChangeMemberReply::default()
    };
    match progress {
        StepTaken::Finished => reply(State::Finished),
        StepTaken::HandedOver => reply(State::HandedOver),
        StepTaken::Removed => reply(State::Removed),
        StepTaken::Learns(disk) => v1::ChangeMemberReply {
            disk: disk.0,
            ..reply(State::Learns)
        },
        StepTaken::CatchesUp(behind) => v1::ChangeMemberReply {
            entries_behind: behind.entries,
            bytes_behind: behind.bytes,
            ..reply(State::CatchesUp)
        },
        StepTaken::Done(disk) => v1::ChangeMemberReply {
            disk: disk.map_or(0, |disk| disk.0),
            ..reply(State::Done)
        },
    }
}
