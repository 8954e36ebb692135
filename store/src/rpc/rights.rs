//! Who may ask what: a table of methods and roles, and the applications that a session manager speaks for.
//!
//! Invariants: what the table does not name takes an operator; whoever has no role has no right; a session manager reaches
//! sessions and registry entries of its own applications alone, lists and ends no others either, and takes no name from a server of others; each request on a stream looked at as each call is.
//!
//! Left out on purpose: who somebody is, which the connection says, or a peer that forwards (`gate`).

use remora_process::tls::{Caller, Role};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_table::{Command, Proposal};

use super::convert::{Asked, Request};
use super::status::{malformed, refusal};

/// What a method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A session manager; of which application, each request says.
    Adapter,
    /// Whoever has to find the others: proxies too.
    Find,
    /// A proxy, or an operator in its place.
    Follow,
    /// The same, who passes on what an operator wishes.
    Wish,
    /// Whoever may look at sessions.
    Look,
    /// The same, or a session manager that looks at those of its own applications ([`reaches`]).
    LookWithin,
    /// An operator.
    Operate,
    /// The same, or a session manager that ends sessions of its own applications ([`reaches`]).
    EndWithin,
    /// A node of a store.
    Peer,
}

/// What a method takes, by its path as gRPC writes it.
pub(super) fn needs(path: &str) -> Need {
    let Some(method) = path.strip_prefix("/remora.v1.") else {
        return Need::Operate;
    };
    match method.split_once('/') {
        Some(("Peer", _)) => Need::Peer,
        Some(("SessionStore", _)) | Some(("Registry", "Announce" | "Retire")) => Need::Adapter,
        Some(("Registry", "Follow")) => Need::Follow,
        Some(("Registry", "Wish")) => Need::Wish,
        Some(("Registry", "ListServers")) | Some(("StoreAdmin", "Status")) => Need::Find,
        Some(("StoreAdmin", "ListSessions")) => Need::LookWithin,
        Some(("StoreAdmin", "KillSessions")) => Need::EndWithin,
        Some(("StoreAdmin", "SessionStats" | "ShowSession" | "WatchSessions")) => Need::Look,
        _ => Need::Operate,
    }
}

impl Need {
    /// Whether somebody has the right.
    pub(super) fn is_met_by(self, caller: &Caller) -> bool {
        caller.is(|role| {
            matches!(
                (self, role),
                (
                    Need::Adapter | Need::LookWithin | Need::EndWithin,
                    Role::Adapter(_)
                ) | (Need::Find, Role::Proxy | Role::Reader | Role::Admin)
                    | (Need::Follow | Need::Wish, Role::Proxy | Role::Admin)
                    | (Need::Look | Need::LookWithin, Role::Reader | Role::Admin)
                    | (Need::Operate | Need::EndWithin, Role::Admin)
                    | (Need::Peer, Role::Peer(_))
            )
        })
    }

    /// Whether the call is one of an operator, which stands in the books.
    pub(super) fn is_booked(self) -> bool {
        matches!(self, Need::Operate | Need::EndWithin | Need::Wish)
    }

    /// The names in a certificate that give it, for people.
    fn names(self) -> &'static str {
        match self {
            Need::Adapter => "remora://adapter/APPLICATION",
            Need::Find => "remora://proxy, remora://reader or remora://admin",
            Need::Follow | Need::Wish => "remora://proxy or remora://admin",
            Need::Look => "remora://reader or remora://admin",
            Need::LookWithin => "remora://adapter/APPLICATION, remora://reader or remora://admin",
            Need::EndWithin => "remora://adapter/APPLICATION or remora://admin",
            Need::Operate => "remora://admin",
            Need::Peer => "remora://peer/ID",
        }
    }

    /// Why somebody may not call a method.
    pub(super) fn refuses(self, caller: &Caller, path: &str) -> v1::Refusal {
        let method = path.rsplit('/').next().unwrap_or(path);
        refusal(Reason::Forbidden, caller.lacks(method, self.names()))
    }
}

/// Whether somebody may speak for all of these applications; the refusal names the first that is not theirs.
pub(super) fn speaks_for<'a>(
    caller: &Caller,
    applications: impl IntoIterator<Item = &'a str>,
) -> Result<(), v1::Refusal> {
    if caller.roles().is_none() {
        return Ok(());
    }
    let mut applications = applications.into_iter();
    match applications.find(|application| !caller.speaks_for(application)) {
        None => Ok(()),
        Some(application) => Err(refusal(
            Reason::Forbidden,
            format!("the certificate of {caller} does not speak for the application {application}"),
        )),
    }
}

/// Whether a filter is one that a caller may use, of a method that he may call: who has the right only as a session manager has to
/// name an application, and it has to be his.
pub(super) fn reaches(
    caller: &Caller,
    need: Need,
    filter: Option<&v1::SessionFilter>,
) -> Result<(), v1::Refusal> {
    let of_all = match need {
        Need::LookWithin => caller.is(|role| matches!(role, Role::Reader | Role::Admin)),
        _ => caller.is(|role| matches!(role, Role::Admin)),
    };
    let application = filter.map_or("", |filter| &*filter.application);
    if of_all || caller.roles().is_none() {
        Ok(())
    } else if application.is_empty() {
        Err(malformed(format!(
            "the filter of {caller} names no application: a session manager asks of its own applications alone"
        )))
    } else {
        speaks_for(caller, [application])
    }
}

/// Whether somebody may announce himself under a name that another application server has, by the applications of that one: whoever
/// takes the name takes its users.
pub(super) fn takes_name<'a>(
    caller: &Caller,
    name: &str,
    applications: impl IntoIterator<Item = &'a str>,
) -> Result<(), v1::Refusal> {
    speaks_for(caller, applications).map_err(|refused| v1::Refusal {
        message: format!(
            "another application server has the name {name} in the registry, and {}: give this Tomcat a name of its own (jvmRoute), or \
             take the other out first (remora applications retire {name})",
            refused.message
        ),
        ..refused
    })
}

/// A request as it was asked, refused if it is about an application of others.
pub(super) fn within(caller: &Caller, asked: Asked) -> Asked {
    let request = asked.request.and_then(|request| {
        match &request {
            Request::Check { session, .. } => speaks_for(caller, [&*session.application]),
            Request::Propose(proposal) => proposes_for(caller, proposal),
        }
        .map(|()| request)
    });
    Asked { request, ..asked }
}

fn proposes_for(caller: &Caller, proposal: &Proposal) -> Result<(), v1::Refusal> {
    match &proposal.command {
        Command::Claim { session }
        | Command::Rename { session, .. }
        | Command::Remove { session, .. }
        | Command::Release { session, .. } => speaks_for(caller, [&*session.application]),
        Command::Bury(leaver) => speaks_for(caller, [&*leaver.session.application]),
        Command::Save(save) => speaks_for(caller, [&*save.session.application]),
        Command::Touch { sessions } => {
            let applications = sessions.iter().map(|touched| &*touched.session.application);
            speaks_for(caller, applications)
        }
        // About no session, or no session manager's to ask.
        Command::Sweep { .. }
        | Command::Announce(_)
        | Command::Retire
        | Command::RetireNode { .. }
        | Command::Wish { .. }
        | Command::Kill { .. }
        | Command::Tick
        | Command::Understands { .. }
        | Command::Raise { .. }
        | Command::Hold { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
