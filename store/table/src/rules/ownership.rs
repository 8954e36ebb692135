//! Claim and Release: who holds a session; and what is asked of every command that only the owner may give, which releases
//! and renames are.
//!
//! Invariants: an epoch is the version of the command that began it, so none is met twice; whoever began the present one is
//! the owner, and instance 0 is nobody; the epoch before it stays in the record.
//! Left out on purpose: that a claim is answered only when the former owner has dropped its copy. The table says who is to be
//! told; who waits for that is the node around it.

use std::sync::Arc;

use crate::command::Command;
use crate::happening::What;
use crate::outcome::{EventKind, Outcome};
use crate::repeat;
use crate::slot::{Found, Standing};
use crate::table::{Call, SessionTable, deadline};
use crate::types::{Epoch, Owner, RecordedChange, RecordedClaim, RecordedKind, Session, SessionKey, Version};

impl SessionTable {
    /// The caller owns the session from now on. A key that was given up serves no claim: that is how a planted id
    /// never opens a login.
    pub(crate) fn claim(&mut self, call: &mut Call<'_>, session: &SessionKey) -> Outcome {
        let found = self.contents.find(session);
        let current = match found {
            Found { moved: true, .. } => return Outcome::Renamed,
            Found {
                what: Standing::Live(current),
                ..
            } => current,
            Found {
                what: Standing::Tombstone(tombstone),
                ..
            } => {
                return Outcome::Gone {
                    tombstone: tombstone.version,
                };
            }
            Found {
                what: Standing::Absent,
                ..
            } => {
                return Outcome::Gone {
                    tombstone: Version(0),
                };
            }
        };
        if let Some(outcome) = repeat::answer(&current, call.id(), &call.proposal.command) {
            return outcome;
        }
        call.tell(session, &current, EventKind::OwnershipLost);
        let moves = current.owner.instance != call.instance();
        let from = moves.then(|| Arc::clone(&current.owner.node));
        drop(current);

        let version = self.next_version();
        let (owner, now) = (self.owner(call), self.now());
        let epoch = Epoch(version.0);
        let last_claim = call.id().map(|id| RecordedClaim { id, epoch });
        self.change(session, |record, _| {
            record.version = version;
            record.begin_epoch(epoch, owner);
            record.deadline = deadline(now, record.max_idle_seconds);
            record.last_claim = last_claim;
        });
        match self.contents.find(session).what {
            Standing::Live(claimed) => {
                if let Some(from) = from {
                    call.happened(session, &claimed, What::Moved { from });
                }
                Outcome::Claimed(claimed)
            }
            _ => Outcome::Gone {
                tombstone: Version(0),
            },
        }
    }

    /// Nobody owns the session from now on; the epoch ends, so that nothing the caller still has under way applies.
    pub(crate) fn release(&mut self, call: &mut Call<'_>, session: &SessionKey, epoch: Epoch) -> Outcome {
        let (key, current) = match self.owned(call, session, epoch) {
            Ok(owned) => owned,
            Err(outcome) => return *outcome,
        };
        call.happened(&key, &current, What::Released);
        drop(current);
        let version = self.next_version();
        let last_change = call.id().map(|id| RecordedChange {
            id,
            version,
            kind: RecordedKind::Released,
        });
        self.change(&key, |record, _| {
            record.version = version;
            let nobody = Owner {
                instance: 0,
                ..record.owner.clone()
            };
            record.begin_epoch(Epoch(version.0), nobody);
            record.last_change = last_change;
        });
        Outcome::Released
    }

    /// The live record that the caller owns and the key it is under, or the answer if there is none.
    pub(super) fn owned(
        &self,
        call: &Call<'_>,
        session: &SessionKey,
        epoch: Epoch,
    ) -> Result<(SessionKey, Arc<Session>), Box<Outcome>> {
        let Found { moved, key, what } = self.contents.find(session);
        let current = match what {
            Standing::Live(current) => current,
            Standing::Tombstone(tombstone) if !moved => {
                return Err(Box::new(Outcome::Gone {
                    tombstone: tombstone.version,
                }));
            }
            _ => {
                return Err(Box::new(Outcome::Gone {
                    tombstone: Version(0),
                }));
            }
        };
        if let Some(outcome) = repeat::answer(&current, call.id(), &call.proposal.command) {
            return Err(Box::new(outcome));
        }
        let gives_up_again = matches!(call.proposal.command, Command::Rename { .. });
        if moved && (gives_up_again || epoch != current.epoch) {
            return Err(Box::new(Outcome::Renamed));
        }
        if epoch != current.epoch {
            return Err(Box::new(Outcome::Fenced {
                owner: current.owner.clone(),
            }));
        }
        Ok((key, current))
    }
}
