//! Remove, Kill and Sweep: how sessions end.
//!
//! A logout, an operator and an owner who finds a session expired leave a tombstone, so that nothing which is still
//! under way brings the session back. A sweep leaves none: it only takes away what was absent to everybody already, and
//! what becomes of a session then is in `leave.rs`.

use std::sync::Arc;

use crate::command::{KILLED_MAX, Killed, RemoveReason, SWEPT_MAX};
use crate::happening::{Ending, What};
use crate::outcome::{EventKind, Outcome};
use crate::repeat;
use crate::slot::{Found, Slot, Standing, Tombstone};
use crate::table::{Call, SessionTable};
use crate::types::{Epoch, Session, SessionKey, TableTime, Version};

use super::leave::Heard;

/// A tombstone lives as long as a copy in some Tomcat might: the idle limit, but at least this, in seconds.
const TOMBSTONE_SECONDS_MIN: u64 = 60 * 60;
/// And at most this, in seconds, also for sessions that never expire: a tombstone costs memory.
const TOMBSTONE_SECONDS_MAX: u64 = 24 * 60 * 60;

impl SessionTable {
    /// Ends one session. An operator's wish follows a rename; everybody else needs the current epoch at a key that
    /// was given up.
    pub(crate) fn remove(
        &mut self,
        call: &mut Call<'_>,
        session: &SessionKey,
        created_version: Version,
        epoch: Epoch,
        reason: RemoveReason,
    ) -> Outcome {
        let Found { moved, key, what } = self.contents.find(session);
        let current = match what {
            Standing::Live(current) => current,
            Standing::Tombstone(tombstone) => return repeated(&tombstone, call, moved),
            Standing::Absent => {
                return Outcome::Gone {
                    tombstone: Version(0),
                };
            }
        };
        if let Some(outcome) = repeat::answer(&current, call.id(), &call.proposal.command) {
            return outcome;
        }
        if moved && reason != RemoveReason::Operator && epoch != current.epoch {
            return Outcome::Renamed;
        }
        if created_version != current.created_version {
            return Outcome::Gone {
                tombstone: Version(0),
            };
        }
        if reason == RemoveReason::Expiry && epoch != current.epoch {
            return Outcome::Fenced {
                owner: current.owner.clone(),
            };
        }
        Outcome::Removed {
            tombstone: self.bury(call, &key, &current, ending(reason)),
        }
    }

    /// Ends the sessions that an operator named. A session that was renamed meanwhile is found; another life of the
    /// key is not touched.
    pub(crate) fn kill(&mut self, call: &mut Call<'_>, sessions: &[Killed]) -> Outcome {
        let mut killed = 0;
        for target in sessions.iter().take(KILLED_MAX) {
            let Found { key, what, .. } = self.contents.find(&target.session);
            match what {
                Standing::Live(current) if current.created_version == target.created_version => {
                    self.bury(call, &key, &current, Ending::Operator);
                    killed += 1;
                }
                Standing::Tombstone(tombstone)
                    if call.id().is_some() && tombstone.removed_by == call.id() =>
                {
                    killed += 1;
                }
                _ => {}
            }
        }
        Outcome::Killed { killed }
    }

    /// Takes away what is past its deadline, earliest first: bounded, and in an order that every replica shares.
    pub(crate) fn sweep(&mut self, call: &mut Call<'_>, limit: u32, leavers_bytes_max: u64) -> Outcome {
        let limit = limit.min(SWEPT_MAX);
        let (now, heard) = (self.now(), self.heard());
        let mut removed = 0;
        while removed < limit
            && (self.drop_leaver_above(leavers_bytes_max)
                || self.drop_expired(call, now, &heard)
                || self.drop_old_leaver(now))
        {
            removed += 1;
        }
        Outcome::Swept { removed }
    }

    /// Takes away what is past the earliest deadline; false if nothing is past its own.
    fn drop_expired(&mut self, call: &mut Call<'_>, now: TableTime, heard: &Heard) -> bool {
        let first = self.deadlines.first();
        let Some((_, key)) = first.filter(|(deadline, _)| *deadline < now).cloned() else {
            return false;
        };
        if let Some(Slot::Live(session)) = self.take(&key) {
            self.expire(call, &key, session, heard);
        }
        true
    }

    fn bury(&mut self, call: &mut Call<'_>, key: &SessionKey, session: &Session, why: Ending) -> Version {
        call.tell(key, session, EventKind::Gone);
        self.entomb(call, key, session, why)
    }

    /// Puts a tombstone in the place of a session.
    pub(super) fn entomb(
        &mut self,
        call: &mut Call<'_>,
        key: &SessionKey,
        session: &Session,
        why: Ending,
    ) -> Version {
        call.happened(key, session, What::Ended { why });
        let idle = u64::try_from(session.max_idle_seconds)
            .ok()
            .filter(|seconds| *seconds > 0);
        let seconds = idle.map_or(TOMBSTONE_SECONDS_MAX, |idle| {
            idle.clamp(TOMBSTONE_SECONDS_MIN, TOMBSTONE_SECONDS_MAX)
        });
        let version = self.next_version();
        let tombstone = Tombstone {
            version,
            created_version: session.created_version,
            deadline: self.now().plus_ms(seconds * 1_000),
            removed_by: call.id(),
        };
        self.put(key, Slot::Tombstone(Arc::new(tombstone)));
        version
    }
}

fn ending(reason: RemoveReason) -> Ending {
    match reason {
        RemoveReason::Logout => Ending::Logout,
        RemoveReason::Operator => Ending::Operator,
        RemoveReason::Expiry => Ending::Expiry,
    }
}

/// A remove that finds a tombstone: its own, then it is a repeat, or somebody else's.
fn repeated(tombstone: &Tombstone, call: &Call<'_>, moved: bool) -> Outcome {
    if call.id().is_some() && tombstone.removed_by == call.id() {
        return Outcome::Removed {
            tombstone: tombstone.version,
        };
    }
    Outcome::Gone {
        tombstone: if moved { Version(0) } else { tombstone.version },
    }
}
