//! How a pool's members are checked where the other proxy asks nobody, or merely opens a connection.
//!
//! Ours asks each member with `OPTIONS *`, which every Tomcat answers itself. Another server may refuse that, and would be down for good
//! although it serves. So whoever is a Tomcat by any sign is asked, and nobody else is asked what he was not asked before.
//!
//! Invariant: no member is down here for an answer that the other proxy would not have minded.
//!
//! Left out on purpose: pages. What the other files ask for is asked for here, whoever answers.

use crate::site::{Health, Pool};

/// Statuses of all answers: whoever sends one is there.
const ANY: &str = "200-599";

/// How the other proxy knows that members are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// By requests alone.
    Never,
    /// By a connection, or by what a server that is no Tomcat may have answered otherwise.
    Connected,
    /// By what is asked here as well.
    Asked,
}

impl Checked {
    /// Gives a pool the checks that it can have, and says in what they differ. What makes a pool one of Tomcats is a route that its
    /// members have, users that stick by a cookie, or AJP.
    pub(crate) fn apply(self, by: &str, is_tomcats: bool, pool: &mut Pool) -> Option<String> {
        match (self, is_tomcats) {
            (Checked::Asked, _) => None,
            (Checked::Never, true) => Some(format!(
                "{by} notices with a request that a member is away; ours asks each member every second as well (OPTIONS *), which every Tomcat \
                 answers. `health = \"off\"` leaves that"
            )),
            (Checked::Never, false) => {
                pool.health = Health {
                    off: true,
                    ..Health::default()
                };
                pool.origin.note(
                    "Nothing in the other files says that its members are Tomcats, so that nobody is asked (OPTIONS *) who may not answer. \
                     For Tomcats take the line `health` out.",
                );
                Some(format!(
                    "no checks, as before: `health = \"off\"`, because nothing says that this is a Tomcat, and another server may refuse what is \
                     asked here (OPTIONS *). Requests that fail take a member out for 10 s, where {by} has counts and times of its own. For a \
                     Tomcat take that line out"
                ))
            }
            (Checked::Connected, true) => Some(format!(
                "{by} opens a connection; ours asks Tomcat itself (OPTIONS *), which one that is stuck does not answer"
            )),
            (Checked::Connected, false) => {
                pool.health.status = Some(ANY.to_owned());
                Some(format!(
                    "{by} opens a connection; ours asks (OPTIONS *), and any answer passes: `status`, because nothing says that this is a \
                     Tomcat. For a Tomcat take `status` out"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_what_he_may_refuse_unless_he_is_a_tomcat() {
        for (checked, is_tomcats, off, status, tells) in [
            (Checked::Never, true, false, None, true),
            (Checked::Never, false, true, None, true),
            (Checked::Connected, true, false, None, true),
            (Checked::Connected, false, false, Some(ANY), true),
            (Checked::Asked, true, false, None, false),
            (Checked::Asked, false, false, None, false),
        ] {
            let mut pool = Pool::default();
            let told = checked.apply("nginx", is_tomcats, &mut pool);
            let found = (pool.health.off, pool.health.status.as_deref(), told.is_some());
            assert_eq!(found, (off, status, tells), "{checked:?} {is_tomcats}");
        }
    }
}
