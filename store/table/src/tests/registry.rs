//! The words of the scripts about the registry: what is announced, retired by an operator, wished, and the view of it.

use bytes::Bytes;

use super::show::{show_owner, show_retired, show_server, show_wish};
use super::stage::{Arguments, Stage, actor, lines, number};
use super::words::Fault;
use crate::{Announcement, Command, Owner, RegistryView, Version, Wish};

impl Stage {
    /// What operators ask of the registry, and what is read of it.
    pub(super) fn run_registry(
        &mut self,
        name: &str,
        arguments: &mut Arguments<'_>,
    ) -> Result<String, Fault> {
        match name {
            "retire-node" => {
                let node = arguments.next_pos().ok_or("which node")?.into();
                let instance = arguments.take_key("instance").map(str::parse).transpose()?;
                Ok(self.own(Command::RetireNode { node, instance }))
            }
            "wish" => {
                let of = arguments.next_pos().ok_or("of what")?.into();
                let base = arguments.take_key("base").map(str::parse).transpose()?;
                let mut word = |key| arguments.take_key(key).unwrap_or_default();
                let (said, who) = (
                    Bytes::copy_from_slice(word("said").as_bytes()),
                    word("who").into(),
                );
                let wish = Wish {
                    of,
                    said,
                    who,
                    at_ms: number(arguments, "at")?,
                    version: Version(0),
                };
                let base = base.map(Version);
                Ok(self.own(Command::Wish { wish, base }))
            }
            "announced" => self.announced(arguments),
            _ => Ok(view(&self.table.reader().registry())),
        }
    }

    /// Whether a server has to announce itself.
    fn announced(&self, arguments: &mut Arguments<'_>) -> Result<String, Fault> {
        let (node, instance) = actor(arguments.next_pos().ok_or("who")?)?;
        let server = Owner {
            node: node.into(),
            instance,
        };
        let announced = self.table.reader().is_announced(instance);
        Ok(format!("{}: announced {announced}", show_owner(&server)))
    }
}

/// What a server says of itself: that it listens, and its address.
pub(super) fn announcement(arguments: &mut Arguments<'_>) -> Announcement {
    let said = announces(arguments.take_key("url").unwrap_or("http://h"));
    let listens = arguments.next_pos() == Some("listens");
    Announcement {
        listened: said.applications.iter().filter(|_| listens).cloned().collect(),
        ..said
    }
}

/// What a server of the shop says that is reached here.
pub(super) fn announces(url: &str) -> Announcement {
    Announcement {
        url: url.into(),
        applications: vec!["shop".into()],
        listened: Vec::new(),
        mode: "".into(),
        software: "".into(),
        threads: 0,
        unprotected: Vec::new(),
    }
}

fn view(view: &RegistryView) -> String {
    let servers = view.servers.iter().map(|entry| show_server(entry));
    let wishes = view.wishes.iter().map(|wish| show_wish(wish));
    let retired = view.retired.iter().map(show_retired);
    let shown = [format!("view v{}", view.version)];
    lines(shown.into_iter().chain(servers).chain(wishes).chain(retired))
}
