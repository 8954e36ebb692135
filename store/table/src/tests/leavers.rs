//! The words of the scripts about what expires: `sweep`, `bury`, `leavers`, and the time until then.

use super::show::{name, show_session};
use super::stage::{Arguments, Stage, lines, pairs};
use super::words::Fault;
use crate::{Command, LeaverKey, Stamp, Version};

impl Stage {
    /// What expires, and what becomes of it.
    pub(super) fn run_leavers(
        &mut self,
        name: &str,
        serial: Option<&str>,
        arguments: &mut Arguments<'_>,
    ) -> Result<String, Fault> {
        match name {
            "sweep" => {
                let limit = arguments.next_pos().ok_or("how many")?.parse()?;
                let leavers_bytes_max = arguments.take_key("leavers").map_or(Ok(u64::MAX), str::parse)?;
                Ok(self.own(Command::Sweep {
                    limit,
                    leavers_bytes_max,
                }))
            }
            "bury" => {
                let who = arguments.next_pos().ok_or("who")?;
                let (session, version) = pairs(arguments)?.pop().ok_or("session@version")?;
                let created_version = Version(version);
                let leaver = LeaverKey {
                    session,
                    created_version,
                };
                self.propose(who, serial, Command::Bury(leaver))
            }
            _ => Ok(self.leavers()),
        }
    }

    /// Entries of ten seconds each until this time.
    pub(super) fn forward(&mut self, until: u64) {
        let mut now = self.table.reader().table_time().0;
        while now < until {
            now = until.min(now + super::ENTRY_MS);
            self.table.begin_entry(Stamp(now));
        }
    }

    fn leavers(&self) -> String {
        let reader = self.table.reader();
        let waiting = reader.leavers_behind(None, usize::MAX);
        let counted = format!(
            "{} wait, {} bytes, {} lost",
            reader.leavers(),
            reader.leaver_bytes(),
            reader.leavers_lost()
        );
        let shown = waiting.iter().map(|(leaver, session)| {
            format!(
                "{}@{}: {}",
                name(&leaver.session),
                leaver.created_version,
                show_session(session)
            )
        });
        lines(shown.chain([counted]))
    }
}
