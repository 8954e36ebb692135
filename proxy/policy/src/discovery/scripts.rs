//! What becomes of views, and who of one is a member, as a golden script: `scripts/discovery.script` beside the crate.
//!
//! `tell CLUSTER VERSION` tells a view of servers (`"server NODE INSTANCE URL [APPLICATION]"`, at the version at which each stands
//! there; `"copied ..."` stands at one of the first generation), of those that were taken out (`"retired NODE INSTANCE"`), and of wishes
//! (`"wish OF VERSION WORDS [by=NAME]"`); with `pressing=OF` while an operator waits. `wish OF WORDS` is an operator's here; `telling
//! OF [pressing]` begins to tell it to the store, `answer VERSION` is the answer to what was told last, and `restart` keeps the wishes and reads
//! them again. Each is answered with what is held, and before that with what changed. `select` answers who is a member: `allow` is the beginning of addresses, `means` of a name is
//! `NAME=ADDRESS,ADDRESS` or `NAME=`, and `file` a member of the file, `ROUTE=AUTHORITY`.

use std::error::Error;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use super::*;
use crate::Maintenances;
use crate::wishes::{StoredWish, Wish, Wishes};

type Told = Result<String, Box<dyn Error>>;

#[derive(Default)]
struct Stage {
    held: View,
    /// What the store was told last.
    told: StoredWish,
}

fn said(of: &str, words: &str, version: u64) -> StoredWish {
    let (words, who) = words.split_once(" by=").unwrap_or((words, ""));
    StoredWish {
        of: of.replace(':', " "),
        said: words.into(),
        who: who.to_owned(),
        version,
        ..StoredWish::default()
    }
}

/// The view that a command tells.
fn view(arguments: &mut goldenscript::ArgumentConsumer<'_>) -> Result<View, Box<dyn Error>> {
    let cluster = arguments.next_pos().ok_or("which cluster")?.to_owned().into();
    let version = arguments.next_pos().ok_or("which version")?.parse()?;
    let mut view = View {
        cluster,
        version,
        ..View::default()
    };
    while let Some(line) = arguments.next_pos() {
        let words: Vec<&str> = line.split(' ').collect();
        match *words {
            [
                kind @ ("server" | "copied"),
                node,
                instance,
                url,
                ref applications @ ..,
            ] => view.servers.push(Announced {
                node: node.into(),
                instance: instance.parse()?,
                version: match kind {
                    "copied" => u64::try_from(view.servers.len())?,
                    _ => version + u64::try_from(view.servers.len())?,
                },
                threads: 0,
                url: url.into(),
                applications: applications.iter().map(|name| (*name).into()).collect(),
                carried: false,
            }),
            ["retired", node, instance] => view.retired.push(Retired {
                node: node.into(),
                instance: instance.parse()?,
                version,
            }),
            ["wish", of, version, ref words @ ..] => {
                // What is not understood is noted in the view.
                let _ = view.hear(&said(of, &words.join(" "), version.parse()?));
            }
            _ => return Err(format!("{line} is not understood").into()),
        }
    }
    Ok(view)
}

fn shown(view: &View) -> String {
    let mut text = format!("{} {}\n", view.cluster, view.version);
    for server in &view.servers {
        let carried = if server.carried { ", carried" } else { "" };
        let (node, instance, url) = (&server.node, server.instance, &server.url);
        let _ = writeln!(text, "  {node}#{instance} at {url}{carried}");
    }
    text + &shown_wishes(&view.wishes)
}

fn shown_wishes(wishes: &Wishes) -> String {
    let kept = format!("{}{}", wishes.write(), wishes.pools.write());
    let lines = kept.lines().filter(|line| !line.starts_with("remora-proxy"));
    lines.map(|line| format!("  wish {line}\n")).collect()
}

impl Stage {
    /// A wish of a route, as an operator says it here.
    fn wish(&mut self, of: &str, words: &str) -> Result<(), Box<dyn Error>> {
        let route = of.strip_prefix("route:").ok_or("a route's")?;
        let (mut own, said) = (Wishes::default(), said(of, words, 0));
        own.hear(&said)?;
        let wish = Wish {
            who: (!said.who.is_empty()).then(|| said.who.into()),
            ..own.of(route)
        };
        self.held.wishes.set(route, wish, true);
        Ok(())
    }

    /// A view is told; says what changed with it.
    fn tell(&mut self, arguments: &mut goldenscript::ArgumentConsumer<'_>) -> Told {
        let pressing = arguments.take_key("pressing").map(|of| of.replace(':', " "));
        let pressing: Vec<String> = pressing.into_iter().collect();
        let next = merge(&self.held, view(arguments)?, &pressing);
        let before = std::mem::replace(&mut self.held, next);
        let mut text = String::new();
        for of in overruled(&before.wishes, &self.held.wishes) {
            let _ = writeln!(text, "overruled: {of}");
        }
        for StoredWish { of, said, who, .. } in heard(&before.wishes, &self.held.wishes) {
            let said = match String::from_utf8_lossy(&said) {
                said if said.is_empty() => "taken back".into(),
                said => said,
            };
            let _ = writeln!(text, "heard: {of} {said} by {who:?}");
        }
        Ok(text + &shown(&self.held))
    }

    /// The process begins anew.
    fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        let kept = &self.held.wishes;
        let mut read = Wishes::read(&kept.write())?;
        read.pools = Maintenances::read(&kept.pools.write())?;
        self.held.wishes = read;
        Ok(())
    }

    fn select(&self, arguments: &mut goldenscript::ArgumentConsumer<'_>) -> Told {
        let allow = arguments.take_key("allow").unwrap_or_default().to_owned();
        let applications = arguments.take_key("applications").map(str::to_owned);
        let secured = arguments.take_key("tls").is_some();
        let pairs = |text: Option<&str>| {
            let pairs = text
                .unwrap_or_default()
                .split(' ')
                .filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(one, other)| (one.to_owned(), other.to_owned()))
                .collect::<Vec<_>>()
        };
        let (means, file) = (
            pairs(arguments.take_key("means")),
            pairs(arguments.take_key("file")),
        );
        let taken: Vec<Taken<'_>> = file
            .iter()
            .map(|(route, authority)| Taken { route, authority })
            .collect();
        let addresses = |name: &str| -> Option<Vec<IpAddr>> {
            let (_, addresses) = means.iter().find(|(known, _)| known == name)?;
            Some(
                addresses
                    .split(',')
                    .filter_map(|address| address.parse().ok())
                    .collect(),
            )
        };
        let (chosen, refused) = Selection {
            applications: applications.as_deref(),
            secured,
            allows: &|address| address.to_string().starts_with(&allow),
            means: &addresses,
            taken: &taken,
        }
        .of(&self.held);
        let mut text = String::new();
        for member in chosen {
            let name = if member.secured {
                format!(" as {}", member.host)
            } else {
                String::new()
            };
            let _ = writeln!(
                text,
                "{}#{} at {}{name}",
                member.route, member.instance, member.authority
            );
        }
        for Refused { node, url, why } in refused {
            let _ = writeln!(text, "not {node} at {url}: {why}");
        }
        Ok(text)
    }
}

impl goldenscript::Runner for Stage {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Told {
        let mut arguments = command.consume_args();
        match command.name.as_str() {
            "tell" => self.tell(&mut arguments),
            "telling" => {
                let of = arguments.next_pos().ok_or("of what")?.replace(':', " ");
                let is_pressing = arguments.next_pos() == Some("pressing");
                let told = self.held.telling(&of, is_pressing);
                self.told = told.ok_or("there is nothing to tell")?;
                let (words, over) = (String::from_utf8_lossy(&self.told.said), self.told.version);
                Ok(format!("over {over}: {words}\n") + &shown_wishes(&self.held.wishes))
            }
            "answer" => {
                let version = arguments.next_pos().ok_or("which version")?.parse()?;
                self.held.wishes.answered(&self.told, version);
                Ok(shown_wishes(&self.held.wishes))
            }
            "restart" => {
                self.restart()?;
                Ok(shown_wishes(&self.held.wishes))
            }
            "wish" => {
                let of = arguments.next_pos().ok_or("of what")?.to_owned();
                let words = arguments.next_pos().ok_or("which words")?.to_owned();
                self.wish(&of, &words)?;
                Ok(shown_wishes(&self.held.wishes))
            }
            "anew" => {
                self.held = View::default();
                Ok(String::new())
            }
            "select" => self.select(&mut arguments),
            name => Err(format!("no command is called {name}").into()),
        }
    }
}

#[test]
fn a_script_tells_what_becomes_of_views() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/discovery.script");
    goldenscript::run(&mut Stage::default(), &script).unwrap_or_else(|error| panic!("{error}"));
}
