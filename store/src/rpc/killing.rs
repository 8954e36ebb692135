//! Sessions that an operator ends: read page by page, and ended by bounded commands that name the life of each key, so that a
//! session created meanwhile under the same key is not touched.
//!
//! A kill is a task of its own. Once begun it goes on to its end, though whoever asked may be gone or the call be cut at a node
//! that forwarded it, and however it ends it writes in the books how many it ended. It is answered when no owner can show a copy of
//! what it ended.
//!
//! Left out: a way to stop it half way.

use std::sync::Arc;

use remora_process::audit::Asker;
use remora_proto::v1;
use remora_table::{
    Command, KILLED_MAX, Killed, ListFilter, ListStart, Outcome, Proposal, SessionKey, Version,
};
use tonic::{Code, Response, Status};

use super::books::{self, Books};
use super::desk::Desk;
use super::gate;
use super::hub::Wait;
use super::listing;
use super::status::status;

/// Sessions that one walk of the table collects for a kill: a walk of millions for every command would never end. Some
/// MiB of keys.
const KILL_PAGE: usize = 65_536;

/// Ends what is meant, in the name of whoever asked by this method.
pub(super) async fn kill(
    desk: &Arc<Desk>,
    (asker, action): (Asker, &'static str),
    filter: ListFilter,
    at_most: Option<u64>,
) -> Result<Response<v1::KillSessionsReply>, Status> {
    let killing = Killing {
        desk: Arc::clone(desk),
        filter,
        at_most,
        ended: 0,
        books: Books::open(asker, action),
    };
    books::to_its_end(killing.finish()).await
}

/// A kill that goes on.
struct Killing {
    desk: Arc<Desk>,
    filter: ListFilter,
    /// As many as whoever asked has counted; none if any number is meant.
    at_most: Option<u64>,
    /// Sessions that it has ended.
    ended: u64,
    books: Books,
}

impl Killing {
    async fn finish(mut self) -> Result<Response<v1::KillSessionsReply>, Status> {
        self.note(0);
        let done = self.pages().await;
        let done = done.map_err(|status| half_way(self.ended, status));
        self.books.ended(&done);
        done?;
        let reply = v1::KillSessionsReply { killed: self.ended };
        Ok(gate::did(reply, &self.books.did))
    }

    /// So many more were ended.
    fn note(&mut self, more: u32) {
        self.ended += u64::from(more);
        let which = listing::named(&self.filter);
        self.books.did = format!("ended {} sessions: {which}", self.ended);
    }

    /// Ends page by page what matched when it was read. Sessions created behind the page that is read stay.
    async fn pages(&mut self) -> Result<(), Status> {
        self.desk.barrier().await.map_err(status)?;
        let mut start = ListStart::default();
        let mut told: Vec<SessionKey> = Vec::new();
        let mut left = None;
        loop {
            let (filter, from) = (self.filter.clone(), start.clone());
            let page = listing::walk(&self.desk, move |table| table.list(&filter, &from, KILL_PAGE)).await?;
            start.after = page.ends_at;
            // Counted once, before anything is ended. What begins to match meanwhile must not make it more.
            let most = match left {
                None => counted(page.matching, self.at_most)?,
                Some(left) => left,
            };
            let sessions = page.sessions.into_iter().take(most);
            let targets: Vec<Killed> = sessions
                .map(|(session, record)| Killed {
                    session,
                    created_version: record.created_version,
                })
                .collect();
            let rest = most - targets.len();
            left = Some(rest);
            for sessions in targets.chunks(KILLED_MAX) {
                let ended = self.these(sessions.to_vec()).await?;
                self.note(ended);
            }
            told.extend(targets.into_iter().map(|target| target.session));
            told.retain(|session| self.desk.hub.due(killed(session)).is_some());
            if start.after.is_none() || rest == 0 {
                break;
            }
        }
        // All of them were told before: whoever is waited for last has had the time of all the others.
        for session in &told {
            if let Some(settled) = self.desk.hub.due(killed(session)) {
                settled.await;
            }
        }
        Ok(())
    }

    async fn these(&self, sessions: Vec<Killed>) -> Result<u32, Status> {
        let proposal = Proposal {
            request_id: None,
            node: Arc::from("operator"),
            command: Command::Kill { sessions },
        };
        match self.desk.propose(proposal).await.map_err(status)? {
            Outcome::Killed { killed } => Ok(killed),
            other => {
                tracing::error!(outcome = ?other, "the table gave an outcome of another command");
                Err(Status::internal(
                    "the kill was answered by the outcome of another command",
                ))
            }
        }
    }
}

/// How many may be ended where so many match, if that is no more than whoever asked has counted.
fn counted(matching: u64, at_most: Option<u64>) -> Result<usize, Status> {
    match at_most {
        Some(most) if matching > most => Err(Status::failed_precondition(format!(
            "{matching} match by now, more than the {most} that were counted; nothing was ended"
        ))),
        Some(most) => Ok(usize::try_from(most).unwrap_or(usize::MAX)),
        None => Ok(usize::MAX),
    }
}

/// The status of a kill that failed, which says what it had ended: no refusal then, for a refusal says that nothing happened, and
/// whoever hears one asks again.
fn half_way(ended: u64, status: Status) -> Status {
    if ended == 0 {
        return status;
    }
    Status::aborted(match status.code() {
        Code::Unknown => format!(
            "{ended} sessions were ended, and it is not known whether up to {KILLED_MAX} more were: look which are left"
        ),
        _ => format!("{ended} sessions were ended, and no more: {}", status.message()),
    })
}

/// What the answer to a kill waits for. A kill has no request id, so it may be the repeat of what another leader decided.
fn killed(session: &SessionKey) -> Wait {
    Wait {
        session: session.clone(),
        asks: 0,
        version: Version(0),
    }
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::refusal::Reason;

    use super::super::status::{REFUSAL_METADATA, refusal};
    use super::*;

    #[test]
    fn what_is_ended_is_no_more_than_was_counted() {
        assert_eq!(counted(3, None).unwrap(), usize::MAX);
        assert_eq!(
            (counted(3, Some(3)).unwrap(), counted(2, Some(3)).unwrap()),
            (3, 3)
        );
        let refused = counted(4, Some(3)).unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(
            refused.message(),
            "4 match by now, more than the 3 that were counted; nothing was ended"
        );
    }

    #[test]
    fn a_kill_that_fails_half_way_says_what_it_ended_and_is_no_refusal() {
        let refused = || status(refusal(Reason::NotLeader, "go elsewhere"));
        assert!(
            half_way(0, refused())
                .metadata()
                .get_bin(REFUSAL_METADATA)
                .is_some()
        );
        let failed = half_way(256, refused());
        assert_eq!(failed.code(), Code::Aborted);
        assert!(failed.metadata().get_bin(REFUSAL_METADATA).is_none());
        assert_eq!(
            failed.message(),
            "256 sessions were ended, and no more: go elsewhere"
        );
        let unknown = || status(v1::Unknown::default());
        assert_eq!(half_way(0, unknown()).code(), Code::Unknown);
        let failed = half_way(512, unknown());
        assert_eq!(failed.code(), Code::Aborted);
        assert!(
            failed
                .message()
                .starts_with("512 sessions were ended, and it is not known")
        );
    }
}
