//! The notation of the scripts.
//!
//! Nodes are written `n1` (instance 1) or `n1/7` (instance 7), so that a restarted node can be told from itself. Sessions
//! are names; `name.3` is in slot 3, all others in slot 0; `name@5` is a session and the epoch or version meant. Serials
//! rise by themselves; `serial=4` repeats. In answers `v` is a version, `e` an epoch, `c` the version that created the
//! session, `†` a tombstone.
//! `announce n1 listens url="http://h"` has the server n1 say so much; `retire-node n1 instance=7` and `wish "route n1"
//! said=drain who=ada base=3` are an operator's, `registry` shows the view, `announced n1` whether n1 may be silent.
//! `limit="principal:3 end"` allows three sessions with that label and ends the oldest; without `end` it refuses.
//! `local="socket:Socket"` turns an attribute local, `label="principal:ada"` sets the labels, `label=none` takes them away.
//! After `watch`, what watchers are told is shown behind what owners are.
//! The value `bound` wants to hear when its session ends. `2@7` is node 2 on disk 7.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;

use super::registry::announcement;
use super::show::{
    name, show_checked, show_cluster, show_event, show_happening, show_ousted, show_outcome, show_session,
};
use super::words::{Fault, label, limit, local, login, named};
use crate::{
    Attribute, Command, Epoch, Format, Formats, HEARS_ITS_END, ImageDecoder, Killed, ListFilter, ListStart,
    Proposal, RemoveReason, RequestId, Save, SessionKey, SessionTable, Stamp, Tidings, Touched, Version,
};

/// What a stage understands: its scripts raise the format to ones that no program writes yet.
const EVERY_FORMAT: Formats = Formats {
    oldest: Format::FIRST,
    newest: Format(u8::MAX),
};

pub(super) type Arguments<'a> = goldenscript::ArgumentConsumer<'a>;

/// A table and the actors before it.
pub(super) struct Stage {
    pub(super) table: SessionTable,
    serials: BTreeMap<u64, u64>,
    watches: bool,
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage {
            table: SessionTable::new(),
            serials: BTreeMap::new(),
            watches: false,
        }
    }

    pub(super) fn propose(
        &mut self,
        who: &str,
        serial: Option<&str>,
        command: Command,
    ) -> Result<String, Fault> {
        let (node, instance) = actor(who)?;
        let last = self.serials.entry(instance).or_default();
        let serial = match serial {
            Some(serial) => serial.parse()?,
            None => {
                *last += 1;
                *last
            }
        };
        let request_id = Some(RequestId { instance, serial });
        Ok(self.apply(&Proposal {
            request_id,
            node: node.into(),
            command,
        }))
    }

    fn apply(&mut self, proposal: &Proposal) -> String {
        let mut told = Tidings::default();
        let outcome = self.table.apply(proposal, &mut told);
        let mut shown = show_outcome(&outcome);
        for event in &told.owners {
            let _ = write!(shown, "\n  {}", show_event(event));
        }
        for ousted in &told.ousted {
            let _ = write!(shown, "\n  {}", show_ousted(ousted));
        }
        for happening in told.watchers.iter().filter(|_| self.watches) {
            let _ = write!(shown, "\n  {}", show_happening(happening));
        }
        shown
    }

    fn run(&mut self, command: &goldenscript::Command) -> Result<String, Fault> {
        let mut arguments = command.consume_args();
        let serial = arguments.take_key("serial");
        let mut next = || arguments.next_pos().ok_or("a word is missing");
        let told = match command.name.as_str() {
            "at" => {
                self.table.begin_entry(Stamp(next()?.parse()?));
                format!("table time {}", self.table.reader().table_time().0)
            }
            "forward" => {
                let until = next()?.parse()?;
                self.forward(until);
                format!("table time {}", self.table.reader().table_time().0)
            }
            "claim" => {
                let (session, who) = (key(next()?), next()?);
                self.propose(who, serial, Command::Claim { session })?
            }
            "save" => {
                let (session, who) = (key(next()?), next()?);
                let save = save(session, &mut arguments)?;
                self.propose(who, serial, Command::Save(save))?
            }
            "touch" => {
                let who = next()?;
                let sessions = pairs(&mut arguments)?;
                let touched = |(session, epoch)| Touched {
                    session,
                    epoch: Epoch(epoch),
                    last_access_ms: 0,
                };
                self.propose(
                    who,
                    serial,
                    Command::Touch {
                        sessions: sessions.into_iter().map(touched).collect(),
                    },
                )?
            }
            "rename" => {
                let (session, target, who) = (key(next()?), key(next()?), next()?);
                let epoch = Epoch(number(&mut arguments, "epoch")?);
                self.propose(
                    who,
                    serial,
                    Command::Rename {
                        session,
                        new_key: target.key,
                        epoch,
                    },
                )?
            }
            "remove" => {
                let (session, who) = (key(next()?), next()?);
                let command = remove(session, &mut arguments)?;
                self.propose(who, serial, command)?
            }
            "release" => {
                let (session, who) = (key(next()?), next()?);
                let epoch = Epoch(number(&mut arguments, "epoch")?);
                self.propose(who, serial, Command::Release { session, epoch })?
            }
            _ => self.run_others(command, serial, &mut arguments)?,
        };
        arguments.reject_next()?;
        Ok(told)
    }

    fn run_others(
        &mut self,
        command: &goldenscript::Command,
        serial: Option<&str>,
        arguments: &mut Arguments<'_>,
    ) -> Result<String, Fault> {
        match command.name.as_str() {
            "sweep" | "bury" | "leavers" => self.run_leavers(&command.name, serial, arguments),
            "kill" => {
                let who = arguments.next_pos().ok_or("who")?;
                let killed = |(session, version)| Killed {
                    session,
                    created_version: Version(version),
                };
                let sessions = pairs(arguments)?.into_iter().map(killed).collect();
                self.propose(who, serial, Command::Kill { sessions })
            }
            "announce" => {
                let who = arguments.next_pos().ok_or("who")?;
                self.propose(who, None, Command::Announce(announcement(arguments)))
            }
            "retire" => self.propose(arguments.next_pos().ok_or("who")?, None, Command::Retire),
            "retire-node" | "wish" | "registry" | "announced" => self.run_registry(&command.name, arguments),
            "check" => {
                let session = key(arguments.next_pos().ok_or("which")?);
                let (epoch, version) = (number(arguments, "epoch")?, number(arguments, "version")?);
                Ok(show_checked(&self.table.reader().check(
                    &session,
                    Epoch(epoch),
                    Version(version),
                )))
            }
            "preview" => {
                let preview = self
                    .table
                    .reader()
                    .claim_preview(&key(arguments.next_pos().ok_or("which")?));
                Ok(preview.map_or("must be proposed".into(), |outcome| show_outcome(&outcome)))
            }
            "owned" => {
                let session = key(arguments.next_pos().ok_or("which")?);
                let epoch = Epoch(number(arguments, "epoch")?);
                let owned = self.table.reader().owned(&session, epoch);
                Ok(owned.map_or("not owned".into(), |session| show_session(&session)))
            }
            "table" => Ok(self.dump()),
            "watch" => {
                self.watches = true;
                Ok("watched from here on".to_owned())
            }
            "carriers" => self.carriers(arguments.next_pos().ok_or("which label")?),
            "restart" => {
                self.table = restored(&self.table)?;
                Ok(self.clocks())
            }
            "anew" => self.anew(number(arguments, "draw")?),
            name => self.format(name, arguments),
        }
    }

    /// The table of a new cluster of node 1 on disk 7.
    fn anew(&mut self, draw: u64) -> Result<String, Fault> {
        let image = self.table.image().anew(&BTreeMap::from([(1, 7)]), draw);
        self.table.restore(image.ok_or("no generation is left")?);
        Ok(self.clocks())
    }

    fn clocks(&self) -> String {
        let reader = self.table.reader();
        format!(
            "table time {}, version {}",
            reader.table_time().0,
            reader.version()
        )
    }

    /// What the store asks of itself.
    pub(super) fn own(&mut self, command: Command) -> String {
        self.apply(&Proposal {
            request_id: None,
            node: "".into(),
            command,
        })
    }

    fn format(&mut self, name: &str, arguments: &mut Arguments<'_>) -> Result<String, Fault> {
        let mut words = Vec::new();
        while let Some(word) = arguments.next_pos() {
            words.push(word);
        }
        let word = words.first().copied().unwrap_or_default();
        let command = match name {
            "members" => {
                let disks = words.into_iter().map(disk).collect::<Result<_, _>>()?;
                self.table.set_members(&disks);
                return Ok(show_cluster(&self.table.reader().cluster()));
            }
            "formats" => return Ok(show_cluster(&self.table.reader().cluster())),
            "understands" => {
                let (node, disk) = disk(word)?;
                let formats = Formats {
                    oldest: Format(u8::try_from(number(arguments, "oldest")?)?),
                    newest: Format(u8::try_from(number(arguments, "newest")?)?),
                };
                Command::Understands { node, disk, formats }
            }
            "raise" => Command::Raise {
                format: Format(word.parse()?),
                asked: words.get(1) != Some(&"unasked"),
            },
            "hold" => Command::Hold { held: word == "on" },
            _ => return Err(format!("no command {name}").into()),
        };
        Ok(self.own(command))
    }

    /// Sessions that carry a label, as people find them.
    fn carriers(&self, text: &str) -> Result<String, Fault> {
        let filter = ListFilter {
            labels: named(text)?.into_iter().map(label).collect(),
            ..ListFilter::default()
        };
        let listing = self
            .table
            .reader()
            .list(&filter, &ListStart::default(), usize::MAX);
        let names: Vec<String> = listing.sessions.iter().map(|(key, _)| name(key)).collect();
        Ok(format!("[{}]", names.join(" ")))
    }

    fn dump(&self) -> String {
        let reader = self.table.reader();
        let sessions = reader
            .list(&ListFilter::default(), &ListStart::default(), usize::MAX)
            .sessions;
        let counted = format!("{} sessions, {} bytes", reader.sessions(), reader.bytes());
        let shown = sessions
            .iter()
            .map(|(key, session)| format!("{}: {}", name(key), show_session(session)));
        lines(shown.chain([counted]))
    }
}

impl goldenscript::Runner for Stage {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String, Fault> {
        Stage::run(self, command)
    }
}

/// The table after its image has been written and read.
pub(super) fn restored(table: &SessionTable) -> Result<SessionTable, Fault> {
    let mut decoder = ImageDecoder::new(EVERY_FORMAT);
    for chunk in table.image().into_chunks() {
        decoder.push(&chunk)?;
    }
    let mut fresh = SessionTable::new();
    fresh.restore(decoder.finish()?);
    Ok(fresh)
}

pub(super) fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn actor(text: &str) -> Result<(&str, u64), Fault> {
    let (node, instance) = text
        .split_once('/')
        .unwrap_or((text, text.trim_start_matches('n')));
    Ok((node, instance.parse()?))
}

fn key(text: &str) -> SessionKey {
    let (name, slot) = text.split_once('.').unwrap_or((text, "0"));
    let mut key = [0; 16];
    key[0] = slot.parse().unwrap_or_default();
    let fits = name.len().min(15);
    key[1..=fits].copy_from_slice(&name.as_bytes()[..fits]);
    SessionKey {
        application: "shop".into(),
        key,
    }
}

pub(super) fn number(arguments: &mut Arguments<'_>, key: &str) -> Result<u64, Fault> {
    Ok(arguments.take_key(key).unwrap_or("0").parse()?)
}

pub(super) fn pairs(arguments: &mut Arguments<'_>) -> Result<Vec<(SessionKey, u64)>, Fault> {
    let mut pairs = Vec::new();
    while let Some(word) = arguments.next_pos() {
        let (session, number) = word.split_once('@').ok_or("session@number")?;
        pairs.push((key(session), number.parse()?));
    }
    Ok(pairs)
}

fn disk(word: &str) -> Result<(u64, u64), Fault> {
    let (node, disk) = word.split_once('@').ok_or("node@disk")?;
    Ok((node.parse()?, disk.parse()?))
}

fn save(session: SessionKey, arguments: &mut Arguments<'_>) -> Result<Save, Fault> {
    let mut save = Save {
        session,
        epoch: Epoch(number(arguments, "epoch")?),
        base: Version(number(arguments, "base")?),
        changed: Vec::new(),
        removed: Vec::new(),
        local: named(arguments.take_key("local").unwrap_or("none"))?
            .into_iter()
            .map(local)
            .collect(),
        labels: match arguments.take_key("label") {
            Some(text) => Some(named(text)?.into_iter().map(label).collect()),
            None => None,
        },
        login: arguments.take_key("login").map(login),
        max_idle_seconds: arguments.take_key("idle").map(str::parse).transpose()?,
        late: false,
        limit: arguments.take_key("limit").map(limit).transpose()?,
        created_ms: 0,
        last_access_ms: 0,
    };
    while let Some(name) = arguments.take_key("without") {
        save.removed.push(name.into());
    }
    match arguments.next_pos() {
        None => {}
        Some("late") => save.late = true,
        Some(word) => return Err(format!("what is {word}?").into()),
    }
    while let Some((name, value)) = arguments.next_key() {
        let value = Bytes::copy_from_slice(value.as_bytes());
        let hears = *value == *b"bound";
        save.changed.push(Attribute {
            name: name.into(),
            version: Version(0),
            type_tag: if hears { 1 | HEARS_ITS_END } else { 1 },
            value,
        });
    }
    Ok(save)
}

fn remove(session: SessionKey, arguments: &mut Arguments<'_>) -> Result<Command, Fault> {
    let reason = match arguments.take_key("by").unwrap_or("logout") {
        "logout" => RemoveReason::Logout,
        "operator" => RemoveReason::Operator,
        "expiry" => RemoveReason::Expiry,
        other => return Err(format!("no reason {other}").into()),
    };
    let created_version = Version(number(arguments, "created")?);
    Ok(Command::Remove {
        session,
        created_version,
        epoch: Epoch(number(arguments, "epoch")?),
        reason,
    })
}
