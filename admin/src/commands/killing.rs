//! `remora sessions kill`: ends sessions, which logs their users out.
//!
//! Invariants: a kill says exactly what it is for: one session, which is looked up first so that a short prefix ends nobody
//! else's, or what a filter and conditions mean, or `--all` in so many words. But for a single session it counts first, says what
//! would end, and goes on with `--yes` or a person's yes alone; then it ends no more than it counted, or nothing (`--all` ends all,
//! and a store of an earlier release what matches). A kill is sent once. Names that no session
//! has, or none has together, are a failure; times and sizes that none has are not.

use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{
    KillMatchingRequest, KillSessionsRequest, SessionConditions, SessionFilter, ShowSessionRequest,
};

use crate::args::{Conditions, SessionKill};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::Store;

use super::listing;
use super::meant::{Meant, Picked, check_names, hexadecimal, picked, wall_ms};
use super::stats;

/// Applications that a sentence names; of more it says how many.
const APPLICATIONS_SAID: u64 = 3;

/// Ends what the command line says.
pub(super) async fn run(store: &Store, ask: &SessionKill) -> Result<Report, Failure> {
    if let Some(one) = picked(&ask.named)? {
        return kill_one(store, ask, &one).await;
    }
    let meant = Meant::new(&ask.filter, &ask.conditions, wall_ms());
    if meant.is_everything() && !ask.all {
        return Err(Failure::Usage(
            "say which sessions: a KEY, --id -, --cookie -, or --application, --label, --user, --owner, --idle, --age, --size, \
             --attribute, or --all"
                .into(),
        ));
    }
    let found = look(store, &meant).await?;
    if found.sessions == Some(0) {
        check_names(store, &meant.filter).await?;
        check_borne(store, &meant.names()).await?;
    }
    let what = if ask.all {
        format!("every session, now {}", found.said())
    } else {
        found.said()
    };
    if ask.dry_run || found.sessions == Some(0) {
        return Ok(ended(0).hint(ask.dry_run.then(|| format!("this would end {what}"))));
    }
    confirm(&format!("this ends {what}"), ask.yes)?;
    kill(store, meant, found.bound).await
}

/// Looks first, so that a prefix of several keys ends nobody's session.
async fn kill_one(store: &Store, ask: &SessionKill, one: &Picked) -> Result<Report, Failure> {
    let given = &ask.filter;
    if given.labels().next().is_some() || given.owner.is_some() || !is_empty(&ask.conditions) {
        return Err(Failure::Usage(
            "one session is named: leave conditions away, or list what they mean".into(),
        ));
    }
    let filter = SessionFilter {
        application: given.application.clone().unwrap_or_default(),
        key_prefix: one.digits.clone(),
        ..SessionFilter::default()
    };
    let found = store.show(ShowSessionRequest { filter: Some(filter) }).await;
    let found = found.map_err(|failure| one.missed(failure))?;
    let summary = found.summary.unwrap_or_default();
    let session = summary.session.unwrap_or_default();
    let digits = hexadecimal(&session.key);
    if ask.dry_run {
        let whose = if summary.principal.is_empty() {
            String::new()
        } else {
            format!(" of {}", summary.principal)
        };
        let said = format!("this would end {digits}{whose} in {}", session.application);
        return Ok(ended(0).hint(Some(said)));
    }
    let filter = SessionFilter {
        application: session.application,
        key_prefix: digits,
        ..SessionFilter::default()
    };
    let conditions = SessionConditions::default();
    // Its whole key bounds it.
    kill(store, Meant { filter, conditions }, None).await
}

fn is_empty(conditions: &Conditions) -> bool {
    let Conditions {
        idle,
        age,
        size,
        attribute,
    } = conditions;
    idle.is_none() && age.is_none() && size.is_none() && attribute.is_none()
}

/// Ends what is meant; nothing at all where more match than a bound.
async fn kill(store: &Store, meant: Meant, bound: Option<u64>) -> Result<Report, Failure> {
    let all = meant.is_everything();
    let Meant { filter, conditions } = meant;
    let filter = Some(filter);
    let reply = match bound {
        Some(at_most) if !all => {
            let request = KillMatchingRequest {
                filter,
                conditions: Some(conditions),
                at_most,
            };
            store.kill_matching(request).await?
        }
        _ => store.kill(KillSessionsRequest { filter, all }).await?,
    };
    Ok(ended(reply.killed))
}

fn ended(sessions: u64) -> Report {
    Report::default().record("result", vec![("sessions ended", Cell::Count(sessions))])
}

/// What a kill would end.
#[derive(Debug, Default)]
struct Found {
    /// How many sessions; nothing where a store of an earlier release does not say.
    sessions: Option<u64>,
    /// How many a kill may end at most, where the store can be bound.
    bound: Option<u64>,
    /// How many users, where the store tells.
    users: Number,
    /// The names of applications that it tells, and how many there are.
    applications: (Vec<String>, Number),
}

/// A number that may be too low: a store tells so many groups apart, and no more.
#[derive(Debug, Clone, Copy, Default)]
struct Number {
    counted: u64,
    or_more: bool,
}

impl Number {
    fn said(self, what: &str) -> String {
        let more = if self.or_more { " or more" } else { "" };
        format!("{}{more}", counted(self.counted, what))
    }
}

impl Found {
    fn said(&self) -> String {
        let Some(sessions) = self.sessions else {
            return "sessions, and this store is of an earlier release and does not say how many".to_owned();
        };
        let users = match self.users.counted {
            0 => String::new(),
            _ => format!(" of {}", self.users.said("user")),
        };
        let (names, number) = &self.applications;
        let applications = match number.counted {
            0 => String::new(),
            1..=APPLICATIONS_SAID => format!(" in {}", names.join(", ")),
            _ => format!(" in {}", number.said("application")),
        };
        let more = match self.bound {
            None => ", and what comes meanwhile: this store is of an earlier release",
            Some(_) => "",
        };
        format!("{}{users}{applications}{more}", counted(sessions, "session"))
    }
}

fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

async fn look(store: &Store, meant: &Meant) -> Result<Found, Failure> {
    let by_user = match stats::groups(store, meant, By::Principal).await {
        Ok(told) => told,
        Err(Failure::Older(_)) if meant.conditions == SessionConditions::default() => {
            let sessions = listing::count(store, meant.filter.clone()).await?;
            return Ok(Found {
                sessions,
                ..Found::default()
            });
        }
        Err(other) => return Err(other),
    };
    let by_application = stats::groups(store, meant, By::Application).await?;
    let named = by_user.groups.iter().filter(|group| !group.name.is_empty());
    let users = Number {
        counted: named.count() as u64 + by_user.other_groups,
        or_more: by_user.too_many_groups,
    };
    let names: Vec<String> = by_application
        .groups
        .into_iter()
        .map(|group| group.name)
        .collect();
    let number = Number {
        counted: names.len() as u64 + by_application.other_groups,
        or_more: by_application.too_many_groups,
    };
    let sessions = Some(by_user.all.unwrap_or_default().sessions);
    Ok(Found {
        sessions,
        bound: sessions,
        users,
        applications: (names, number),
    })
}

/// Names that no session has, or none has together, are rather wrong ones.
async fn check_borne(store: &Store, names: &Meant) -> Result<(), Failure> {
    if names.is_everything() || look(store, names).await?.sessions != Some(0) {
        return Ok(());
    }
    Err(Failure::Missing(format!(
        "no session has {}: nothing was ended",
        names.said()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_is_said_in_words() {
        let number = |counted| Number {
            counted,
            or_more: counted == 65_536,
        };
        let found = |sessions, users, applications: &[&str]| Found {
            sessions,
            bound: sessions,
            users: number(users),
            applications: (
                applications.iter().map(|name| (*name).to_owned()).collect(),
                number(applications.len() as u64),
            ),
        };
        let mut many = found(Some(99_999), 65_536, &["a", "b"]);
        many.applications.1 = number(1_200);
        assert_eq!(
            many.said(),
            "99999 sessions of 65536 users or more in 1200 applications"
        );
        assert_eq!(
            found(Some(12), 3, &["localhost/shop"]).said(),
            "12 sessions of 3 users in localhost/shop"
        );
        assert_eq!(
            found(Some(1), 1, &["a", "b"]).said(),
            "1 session of 1 user in a, b"
        );
        assert_eq!(
            found(Some(9), 0, &["a", "b", "c", "d"]).said(),
            "9 sessions in 4 applications"
        );
        assert!(found(None, 0, &[]).said().contains("of an earlier release"));
        let unbound = Found {
            bound: None,
            ..found(Some(2), 0, &[])
        };
        assert_eq!(
            unbound.said(),
            "2 sessions, and what comes meanwhile: this store is of an earlier release"
        );
    }
}
