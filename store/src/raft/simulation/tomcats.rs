//! The clients of a simulation: Tomcats that create, save, claim, touch, remove and read sessions, each one thing after the
//! other, and repeat what was not answered, with the same request id, at whoever leads now.
//!
//! Left out: near copies. What a Tomcat may show unasked is for the service above the table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use remora_table::{
    Attribute, Command, Epoch, Outcome, Proposal, RemoveReason, RequestId, Save, Saved, Touched, Version,
};

use crate::raft::tests::key;
use crate::raft::{Fate, NodeId, Refusal};

use super::dice::Dice;
use super::oracle::{Question, Verdict};
use super::turns::Turns;
use super::world::{Answer, World};

/// Sessions that a Tomcat creates, so that several meet at each.
const CREATED_MAX: u64 = 4;
/// How long sessions last unused, in seconds; 0 is for ever. Long enough that not all are gone before the end.
const IDLE_SECONDS: [i32; 4] = [0, 0, 1, 2];
/// From one serial to the next: between them is room for a broken rule that takes a repeat for something new.
pub(super) const SERIAL_STEP: u64 = 1_000;
/// How long a Tomcat waits before it asks again, in milliseconds.
const AGAIN_MS: (u64, u64) = (5, 30);

/// One Tomcat.
pub(super) struct Tomcat {
    world: World,
    instance: u64,
    serial: u64,
    created: u64,
    /// What it owns, and what it owned last, by session.
    copies: BTreeMap<u64, Near>,
    former: BTreeMap<u64, Near>,
    /// Who it believes leads.
    leader: NodeId,
}

/// What a Tomcat knows of a session.
#[derive(Clone, Copy, Debug)]
struct Near {
    epoch: Epoch,
    version: Version,
    created: Version,
}

impl Tomcat {
    /// With nothing yet.
    pub(super) fn new(world: World, instance: u64) -> Self {
        Self {
            world,
            instance,
            serial: 0,
            created: 0,
            copies: BTreeMap::new(),
            former: BTreeMap::new(),
            leader: 1,
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        self.world.turns.draw(draw)
    }

    /// Does one thing, and waits until it is known.
    pub(super) async fn act(&mut self) {
        let (what, pick) = self.draw(|dice| (dice.below(100), dice.next()));
        let own: Vec<u64> = self.copies.keys().copied().collect();
        let lost: Vec<u64> = self.former.keys().copied().collect();
        let all = self.world.oracle().standing();
        let one = |of: &[u64]| {
            of.get(usize::try_from(pick % (of.len() as u64).max(1)).unwrap_or(0))
                .copied()
        };
        match what {
            0..20 if self.created < CREATED_MAX => {
                self.create(None).await;
            }
            20..55 if let Some(user) = one(&own) => self.save(user, false).await,
            55..62 if let Some(user) = one(&lost) => self.save(user, true).await,
            62..74 if let Some(user) = one(&all) => self.claim(user).await,
            74..78 if let Some(user) = one(&own) => self.touch(user).await,
            78..81 if let Some(user) = one(&own) => self.remove(user).await,
            81..100 if let Some(user) = one(&all) => self.read(user).await,
            _ => {}
        }
        let pause = self.draw(|dice| dice.between_ms(1, 20));
        Turns::pass(pause).await;
    }

    /// Creates a session that lasts so many seconds unused, or as long as the dice say; gives its number.
    pub(super) async fn create(&mut self, lasts: Option<i32>) -> u64 {
        self.created += 1;
        let user = self.instance * 100 + self.created;
        let drawn = self.draw(|dice| dice.one_of(&IDLE_SECONDS)).unwrap_or(0);
        let idle = lasts.unwrap_or(drawn);
        let near = Near {
            epoch: Epoch(0),
            version: Version(0),
            created: Version(0),
        };
        self.store(user, near, (false, Some(idle))).await;
        user
    }

    /// Saves a session that it owns, or late one that it owned.
    pub(super) async fn save(&mut self, user: u64, late: bool) {
        let known = if late { &self.former } else { &self.copies };
        if let Some(near) = known.get(&user).copied() {
            self.store(user, near, (late, None)).await;
        }
    }

    async fn store(&mut self, user: u64, near: Near, (late, idle): (bool, Option<i32>)) {
        let question = self.question(user);
        let name = self
            .draw(|dice| dice.one_of(&["cart", "user", "note"]))
            .unwrap_or("cart");
        let save = Save {
            session: key(user),
            epoch: near.epoch,
            base: near.version,
            changed: vec![Attribute {
                name: Arc::from(name),
                version: Version(0),
                type_tag: 1,
                value: Bytes::from(question.mark.clone()),
            }],
            removed: Vec::new(),
            local: Vec::new(),
            login: None,
            labels: None,
            max_idle_seconds: idle,
            late,
            limit: None,
            created_ms: 0,
            last_access_ms: 0,
        };
        let outcome = self.known(Command::Save(save)).await;
        let lasts = idle
            .filter(|idle| *idle > 0)
            .and_then(|idle| u64::try_from(idle).ok());
        let asked = (near.epoch, late, lasts.map(Duration::from_secs));
        let judged = match &outcome {
            Outcome::Saved(saved) => {
                let judged = self.world.oracle().saved(&question, asked, name, saved);
                self.took(user, near, late, saved);
                judged
            }
            Outcome::Conflict { version, merged } => {
                self.saw(user, late, *version);
                self.world.oracle().conflict(&question, merged)
            }
            other => self.lost(&question, near.epoch, other),
        };
        self.judge(&question, "save", judged);
    }

    /// A save is in the record.
    fn took(&mut self, user: u64, near: Near, late: bool, saved: &Saved) {
        let now = Near {
            version: saved.version,
            created: saved.created_version,
            epoch: if late { near.epoch } else { saved.epoch },
        };
        let known = if late { &mut self.former } else { &mut self.copies };
        known.insert(user, now);
    }

    fn saw(&mut self, user: u64, late: bool, version: Version) {
        let known = if late { &mut self.former } else { &mut self.copies };
        if let Some(near) = known.get_mut(&user) {
            near.version = version;
        }
    }

    /// A command was answered by what says that this Tomcat does not own the session.
    fn lost(&mut self, question: &Question, epoch: Epoch, outcome: &Outcome) -> Verdict {
        let user = question.user;
        let was = self.copies.remove(&user);
        let now = self.world.turns.passed();
        match outcome {
            Outcome::Fenced { owner } => {
                self.former.remove(&user);
                if let Some(was) = was {
                    self.former.insert(user, was);
                }
                self.world.oracle().fenced(question, epoch, owner)
            }
            Outcome::Gone { .. } => {
                self.former.remove(&user);
                self.world.oracle().gone(question, now)
            }
            other => Err(format!("nobody expects {other:?}")),
        }
    }

    async fn claim(&mut self, user: u64) {
        let question = self.question(user);
        let outcome = self.known(Command::Claim { session: key(user) }).await;
        let judged = match &outcome {
            Outcome::Claimed(session) => {
                let near = Near {
                    epoch: session.epoch,
                    version: session.version,
                    created: session.created_version,
                };
                self.former.remove(&user);
                self.copies.insert(user, near);
                self.world.oracle().record(&question, true, session)
            }
            Outcome::Stale => {
                self.copies.remove(&user);
                self.world.oracle().stale(&question);
                Ok(())
            }
            other => {
                // It may have happened before somebody ended the session.
                self.world.oracle().stale(&question);
                self.lost(&question, Epoch(0), other)
            }
        };
        self.judge(&question, "claim", judged);
    }

    async fn touch(&mut self, user: u64) {
        let Some(near) = self.copies.get(&user).copied() else {
            return;
        };
        let question = self.question(user);
        let touched = Touched {
            session: key(user),
            epoch: near.epoch,
            last_access_ms: 0,
        };
        let outcome = self
            .known(Command::Touch {
                sessions: vec![touched],
            })
            .await;
        let now = self.world.turns.passed();
        let judged = match &outcome {
            Outcome::Touched { fenced, gone } if fenced.is_empty() && gone.is_empty() => {
                self.world.oracle().touched(&question)
            }
            Outcome::Touched { gone, .. } if !gone.is_empty() => {
                self.copies.remove(&user);
                self.world.oracle().gone(&question, now)
            }
            _ => {
                self.copies.remove(&user);
                Ok(())
            }
        };
        self.judge(&question, "touch", judged);
    }

    async fn remove(&mut self, user: u64) {
        let Some(near) = self.copies.remove(&user) else {
            return;
        };
        let question = self.question(user);
        self.world.oracle().ask_end(user);
        let command = Command::Remove {
            session: key(user),
            created_version: near.created,
            epoch: near.epoch,
            reason: RemoveReason::Logout,
        };
        let outcome = self.known(command).await;
        let judged = match &outcome {
            Outcome::Removed { .. } => {
                self.world.oracle().removed(&question);
                Ok(())
            }
            other => self.lost(&question, near.epoch, other),
        };
        self.judge(&question, "remove", judged);
    }

    /// Reads at any node, until one answers.
    pub(super) async fn read(&mut self, user: u64) {
        let question = self.question(user);
        while self.world.broken().is_none() {
            let node = self.any();
            if let Answer::Said(Ok(read)) = self.world.read(node, key(user)).await {
                let now = self.world.turns.passed();
                let judged = match read {
                    Some(session) => self.world.oracle().record(&question, false, &session),
                    None => self.world.oracle().gone(&question, now),
                };
                self.judge(&question, "read", judged);
                return;
            }
            self.wait().await;
        }
    }

    fn question(&mut self, user: u64) -> Question {
        self.serial += SERIAL_STEP;
        let now = self.world.turns.passed();
        self.world.oracle().ask(user, self.instance, self.serial, now)
    }

    fn judge(&self, question: &Question, what: &str, judged: Verdict) {
        let (instance, user) = (self.instance, question.user);
        let told = judged.as_ref().map_or_else(String::as_str, |()| "as it should");
        self.world.chronicle.note(&format!(
            "tomcat {instance} {what} {user} as {}: {told}",
            question.mark
        ));
        if let Err(broken) = judged {
            self.world.break_off(format!(
                "session {user}, {what} {} of tomcat {instance}: {broken}",
                question.mark
            ));
        }
    }

    fn any(&self) -> NodeId {
        let all = self.world.all();
        self.draw(|dice| dice.one_of(&all)).unwrap_or(1)
    }

    async fn wait(&self) {
        let pause = self.draw(|dice| dice.between_ms(AGAIN_MS.0, AGAIN_MS.1));
        Turns::pass(pause).await;
    }

    /// Asks for a command until its outcome is known. The serial is that of the question before.
    async fn known(&mut self, command: Command) -> Outcome {
        let proposal = Proposal {
            request_id: Some(RequestId {
                instance: self.instance,
                serial: self.serial,
            }),
            node: Arc::from(format!("n{}", self.instance)),
            command,
        };
        loop {
            match self.world.propose(self.leader, proposal.clone()).await {
                Answer::Said(Fate::Done(outcome)) => return outcome,
                Answer::Said(Fate::Refused(Refusal::NotLeader { leader: Some(leader) })) => {
                    self.leader = leader;
                }
                Answer::Said(Fate::Refused(_) | Fate::Unknown) | Answer::Nobody | Answer::Silence => {
                    self.leader = self.any();
                }
            }
            self.wait().await;
        }
    }
}
