//! What must hold, judged by what clients asked and were told: whoever is told something is held to it.
//!
//! Each client says what it is about to ask, and gets the *floor*: what had been told to anybody by then. The answer must not
//! lie below it. So an acknowledged save that is lost, a read from a table that is behind, a session that comes back after
//! its end, and an owner who writes after another's claim was answered are seen at the first answer that shows them. Every
//! value that is written names its request, so that what took effect twice is seen too, and what nobody wrote.
//!
//! Left out: that replicas are equal, and that something happens at all (`story`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use remora_table::{Attribute, Epoch, Merged, Owner, Saved, Session};

use super::RATE_PERCENT_MAX;

/// A broken promise, in a sentence.
pub(super) type Verdict = Result<(), String>;

/// How much earlier than its time, by the world's clock, a session may go because times are rounded to milliseconds.
const ROUNDED: Duration = Duration::from_millis(5);

/// What was told to anybody before something was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Floor {
    asked_at: Duration,
    version: u64,
    epoch: u64,
    /// The newest told version of each attribute.
    attributes: BTreeMap<String, u64>,
    ended: bool,
}

/// What is known of one session.
#[derive(Debug, Default)]
struct Known {
    told: Floor,
    created: bool,
    /// Whether anybody asked to end it.
    end_asked: bool,
    /// When the last renewal was asked that is known to have happened, and for how long it holds; none is for ever.
    renewed: Option<(Duration, Option<Duration>)>,
    /// What each version wrote, and where each request's value came to stand.
    values: BTreeMap<u64, String>,
    places: BTreeMap<String, u64>,
    /// Whose the ownerships are that claims and creations were told of.
    begun: BTreeMap<u64, u64>,
    /// Who had a claim of which it never learned the ownership.
    unlearned: BTreeSet<u64>,
    /// Ownerships that were seen, and older ones that were refused, with the instance for whose sake.
    seen: BTreeMap<u64, u64>,
    fenced: BTreeSet<(u64, u64)>,
}

/// The judge of one simulation.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    sessions: BTreeMap<u64, Known>,
}

/// A request about a session, as it was asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Which session.
    pub(super) user: u64,
    /// Who asks.
    pub(super) instance: u64,
    /// What its values are marked with.
    pub(super) mark: String,
    /// What had been told by then.
    pub(super) floor: Floor,
}

impl Oracle {
    /// Somebody is about to ask something about a session for the first time.
    pub(super) fn ask(&mut self, user: u64, instance: u64, serial: u64, now: Duration) -> Question {
        let known = self.sessions.entry(user).or_default();
        Question {
            user,
            instance,
            mark: format!("{instance}.{serial}"),
            floor: Floor {
                asked_at: now,
                ..known.told.clone()
            },
        }
    }

    /// Somebody is about to end a session.
    pub(super) fn ask_end(&mut self, user: u64) {
        self.sessions.entry(user).or_default().end_asked = true;
    }

    /// Sessions that stand, as far as anybody was told.
    pub(super) fn standing(&self) -> Vec<u64> {
        let standing = self
            .sessions
            .iter()
            .filter(|(_, known)| known.created && !known.told.ended);
        standing.map(|(user, _)| *user).collect()
    }

    /// Sessions that must have expired by now, if table time moved all along.
    pub(super) fn overdue(&self, now: Duration) -> Vec<u64> {
        let due = |known: &Known| {
            let renewed = known.renewed.and_then(|(at, idle)| Some(at + idle?));
            renewed.is_some_and(|due| due < now)
        };
        let overdue = self
            .sessions
            .iter()
            .filter(|(_, known)| known.created && due(known));
        overdue.map(|(user, _)| *user).collect()
    }

    fn known(&mut self, question: &Question) -> &mut Known {
        self.sessions.entry(question.user).or_default()
    }

    /// A save was answered Saved.
    pub(super) fn saved(
        &mut self,
        question: &Question,
        (epoch, late, idle): (Epoch, bool, Option<Duration>),
        name: &str,
        saved: &Saved,
    ) -> Verdict {
        let known = self.known(question);
        known.stands(question)?;
        let version = saved.version.0;
        if version <= question.floor.version {
            return Err(format!(
                "a save got version {version}, but {} was told before it was asked",
                question.floor.version
            ));
        }
        let creates = epoch == Epoch(0);
        if !late && !creates && epoch.0 < question.floor.epoch {
            return Err(format!(
                "a save of ownership {epoch} was taken after ownership {} was told",
                question.floor.epoch
            ));
        }
        if !late && !creates && saved.epoch != epoch {
            return Err(format!(
                "a save of ownership {epoch} was answered with {}",
                saved.epoch
            ));
        }
        known.place(version, &question.mark)?;
        if let Some(merged) = &saved.merged {
            known.merged(&merged.attributes)?;
        }
        if creates {
            known.created = true;
            known.begun.insert(saved.epoch.0, question.instance);
        }
        known.tell(version, saved.epoch.0);
        known.tell_attribute(name, version);
        let idle = if creates { idle } else { known.idle() };
        known.renew(question.floor.asked_at, idle);
        Ok(())
    }

    /// A save was answered Conflict.
    pub(super) fn conflict(&mut self, question: &Question, merged: &Merged) -> Verdict {
        let known = self.known(question);
        known.stands(question)?;
        let own = merged
            .attributes
            .iter()
            .find(|attribute| mark(attribute) == question.mark);
        if let Some(own) = own {
            return Err(format!(
                "a save was refused for its own change, which stands as version {}",
                own.version
            ));
        }
        known.merged(&merged.attributes)
    }

    /// A command that carried this ownership was answered Fenced.
    pub(super) fn fenced(&mut self, question: &Question, epoch: Epoch, owner: &Owner) -> Verdict {
        let known = self.known(question);
        known.stands(question)?;
        if owner.instance == question.instance {
            return Err("an owner was fenced by itself".to_owned());
        }
        if owner.instance != 0 {
            known.fenced.insert((epoch.0, owner.instance));
        }
        Ok(())
    }

    /// A record was told: to a claim, which then owns it, or to a reader.
    pub(super) fn record(&mut self, question: &Question, claimed: bool, session: &Session) -> Verdict {
        let known = self.known(question);
        known.stands(question)?;
        let (version, epoch, floor) = (session.version.0, session.epoch.0, &question.floor);
        if version < floor.version || epoch < floor.epoch || (claimed && epoch == floor.epoch) {
            return Err(format!(
                "version {version} of ownership {epoch} was told, after version {} and ownership {}",
                floor.version, floor.epoch
            ));
        }
        for (name, least) in &floor.attributes {
            let held = session
                .attributes
                .iter()
                .find(|attribute| *attribute.name == **name);
            if held.is_none_or(|held| held.version.0 < *least) {
                return Err(format!(
                    "the acknowledged change {least} of {name} is not in the record"
                ));
            }
        }
        known.merged(&session.attributes)?;
        if session.owner.instance != 0 {
            known.seen.insert(epoch, session.owner.instance);
        }
        if claimed {
            known.begun.insert(epoch, question.instance);
            let idle = known.idle();
            known.renew(floor.asked_at, idle);
        }
        known.tell(version, epoch);
        Ok(())
    }

    /// A claim was answered Stale: it happened, and passed on.
    pub(super) fn stale(&mut self, question: &Question) {
        let instance = question.instance;
        self.known(question).unlearned.insert(instance);
    }

    /// A touch moved the deadline.
    pub(super) fn touched(&mut self, question: &Question) -> Verdict {
        let known = self.known(question);
        known.stands(question)?;
        let idle = known.idle();
        known.renew(question.floor.asked_at, idle);
        Ok(())
    }

    /// Somebody was told that the session is gone.
    pub(super) fn gone(&mut self, question: &Question, now: Duration) -> Verdict {
        let known = self.known(question);
        let expired = known.renewed.and_then(|(at, idle)| {
            let least = idle? * 100 / (100 + RATE_PERCENT_MAX);
            Some(now + ROUNDED >= at + least)
        });
        if known.created && !known.end_asked && expired != Some(true) {
            return Err(format!(
                "it is gone, and nobody ended it, nor is its time over: renewed {:?}, now {now:?}",
                known.renewed
            ));
        }
        known.told.ended |= known.created;
        Ok(())
    }

    /// The session was removed.
    pub(super) fn removed(&mut self, question: &Question) {
        self.known(question).told.ended = true;
    }

    /// When all is answered: every ownership that was seen was begun by whoever it names.
    pub(super) fn finish(&self) -> Verdict {
        for (user, known) in &self.sessions {
            for (epoch, instance) in &known.seen {
                let right = known.begun.get(epoch) == Some(instance) || known.unlearned.contains(instance);
                if !right {
                    return Err(format!(
                        "session {user}: {instance} never began ownership {epoch}"
                    ));
                }
            }
            for (epoch, instance) in &known.fenced {
                let mut later = known.begun.range(epoch + 1..);
                if !later.any(|(_, by)| by == instance) && !known.unlearned.contains(instance) {
                    return Err(format!(
                        "session {user}: ownership {epoch} was fenced for {instance}, who began none after it"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Known {
    /// What was ended before somebody asked is not answered as if it stood.
    fn stands(&self, question: &Question) -> Verdict {
        if question.floor.ended {
            return Err("it came back after it was told to be gone".to_owned());
        }
        Ok(())
    }

    /// A request's value stands as this version.
    fn place(&mut self, version: u64, mark: &str) -> Verdict {
        let value = self.values.entry(version).or_insert_with(|| mark.to_owned());
        if value != mark {
            return Err(format!("version {version} wrote both {value} and {mark}"));
        }
        let place = *self.places.entry(mark.to_owned()).or_insert(version);
        if place != version {
            return Err(format!(
                "request {mark} took effect twice, as {place} and as {version}"
            ));
        }
        Ok(())
    }

    fn merged(&mut self, attributes: &[Attribute]) -> Verdict {
        for attribute in attributes {
            self.place(attribute.version.0, &mark(attribute))?;
            self.tell_attribute(&attribute.name, attribute.version.0);
        }
        Ok(())
    }

    fn tell(&mut self, version: u64, epoch: u64) {
        self.told.version = self.told.version.max(version);
        self.told.epoch = self.told.epoch.max(epoch);
    }

    fn tell_attribute(&mut self, name: &str, version: u64) {
        let told = self.told.attributes.entry(name.to_owned()).or_default();
        *told = (*told).max(version);
    }

    fn idle(&self) -> Option<Duration> {
        self.renewed.and_then(|(_, idle)| idle)
    }

    fn renew(&mut self, asked_at: Duration, idle: Option<Duration>) {
        let at = self.renewed.map_or(asked_at, |(at, _)| at.max(asked_at));
        self.renewed = Some((at, idle));
    }
}

/// Which request wrote a value.
fn mark(attribute: &Attribute) -> String {
    String::from_utf8_lossy(&attribute.value).into_owned()
}
