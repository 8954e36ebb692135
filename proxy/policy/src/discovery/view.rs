//! One view of a site. As the proxy keeps it over its own end it is text: a line for each server, its applications behind it, and then a
//! line for each of their hosts' names, with what that was found to mean.
//!
//! Invariants: one form, sorted, held by `formats/proxy/view.txt` · what is not understood is refused whole · a server whose name or
//! address has a blank is not kept: no pool could use it · a name that was not found is not kept either.
//!
//! Left out on purpose: the wishes, which have forms of their own (`wishes`, `maintenance`), and who was retired: that has been heeded
//! once it was told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use crate::wishes::{StoredWish, Wishes};

/// The first line: the format and its version.
const FIRST: &str = "remora-proxy view 1\n";

/// What a cluster of stores told of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Identity of the cluster, hexadecimal; empty where nobody has told anything yet.
    pub cluster: Arc<str>,
    /// Of the registry and the wishes; within one cluster a later view has a higher one.
    pub version: u64,
    /// The application servers, one for each node name.
    pub servers: Vec<Announced>,
    /// Those that were taken out lately.
    pub retired: Vec<Retired>,
    /// What operators wish.
    pub wishes: Wishes,
    /// What there are wishes of that were not understood, with their versions: what was wished of it before holds on.
    pub unread: BTreeMap<Arc<str>, u64>,
    /// What the names of hosts mean, as they were looked up here: the address in use first, none where a name was not found. No
    /// cluster tells of them.
    pub hosts: BTreeMap<Arc<str>, Vec<IpAddr>>,
}

/// An application server that announced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its node name, which is its route.
    pub node: Arc<str>,
    /// The instance: drawn anew at each start.
    pub instance: u64,
    /// The version at which it announced itself, of the cluster to which it did.
    pub version: u64,
    /// Threads that serve requests; 0 when not known.
    pub threads: u32,
    /// Where it is reached, as it says itself.
    pub url: Arc<str>,
    /// What it serves.
    pub applications: Vec<Arc<str>>,
    /// Whether the present cluster has not told of it: it is known from one before.
    pub carried: bool,
}

/// One that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Its node name.
    pub node: Arc<str>,
    /// The instance.
    pub instance: u64,
    /// The version at which it was.
    pub version: u64,
}

impl View {
    /// Takes in a wish that the cluster told.
    ///
    /// # Errors
    /// A sentence: it is not understood. It is remembered as such.
    pub fn hear(&mut self, said: &StoredWish) -> Result<(), String> {
        self.wishes.hear(said).inspect_err(|_| {
            self.unread.insert(said.of.as_str().into(), said.version);
        })
    }

    /// The cluster is about to be told what is said here of this: gives it, and notes that the cluster may have it from now on. None
    /// where there is nothing to tell. Where an operator waits for it, it is told over what was not understood as well.
    pub fn telling(&mut self, of: &str, is_pressing: bool) -> Option<StoredWish> {
        let told = self.wishes.telling(of)?;
        let unread = self.unread.get(of).filter(|_| is_pressing);
        let version = unread.copied().unwrap_or(told.version);
        Some(StoredWish { version, ..told })
    }

    /// The server of this name.
    #[must_use]
    pub fn server(&self, node: &str) -> Option<&Announced> {
        self.servers.iter().find(|server| &*server.node == node)
    }

    /// Whether anybody ever told anything.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !self.cluster.is_empty()
    }

    /// As it is kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = FIRST.to_owned();
        if !self.is_told() {
            return text;
        }
        // Writing to a String cannot fail, so the results carry nothing.
        let _ = writeln!(text, "cluster {} {}", self.cluster, self.version);
        let mut servers: Vec<&Announced> = self.servers.iter().collect();
        servers.sort_by(|one, other| one.node.cmp(&other.node));
        for server in servers {
            write_server(server, &mut text);
        }
        let found = self
            .hosts
            .iter()
            .filter(|(name, found)| is_word(name) && !found.is_empty());
        for (name, found) in found {
            let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
            let _ = writeln!(text, "host {name} {}", found.join(" "));
        }
        text
    }

    /// As it was kept.
    ///
    /// # Errors
    /// A sentence on the line that is not understood.
    pub fn read(text: &str) -> Result<View, String> {
        let rest = text
            .strip_prefix(FIRST)
            .ok_or_else(|| format!("it does not begin with `{}`", FIRST.trim_end()))?;
        if !text.ends_with('\n') {
            return Err("its last line has no end".to_owned());
        }
        let mut view = View::default();
        for line in rest.lines() {
            view.read_line(line)
                .ok_or_else(|| format!("`{line}` is no line of a view"))?;
        }
        Ok(view)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        if let Some(application) = line.strip_prefix(' ') {
            self.servers.last_mut()?.applications.push(application.into());
            return Some(());
        }
        let words: Vec<&str> = line.split(' ').collect();
        match *words {
            ["cluster", cluster, version] if !self.is_told() && !cluster.is_empty() => {
                (self.cluster, self.version) = (cluster.into(), version.parse().ok()?);
            }
            ["server", ref said @ ..] if self.is_told() => self.servers.push(read_server(said)?),
            ["host", name, ref found @ ..] if self.is_told() && !name.is_empty() && !found.is_empty() => {
                let found = found.iter().map(|address| address.parse().ok());
                self.hosts.insert(name.into(), found.collect::<Option<_>>()?);
            }
            _ => return None,
        }
        Some(())
    }
}

fn write_server(server: &Announced, text: &mut String) {
    if !is_word(&server.node) || !is_word(&server.url) {
        return;
    }
    let carried = if server.carried { " carried" } else { "" };
    let _ = writeln!(
        text,
        "server {} {:016x} {} {} {}{carried}",
        server.node, server.instance, server.version, server.threads, server.url
    );
    let lines = server.applications.iter();
    for application in lines.filter(|application| !application.contains(char::is_control)) {
        let _ = writeln!(text, " {application}");
    }
}

fn read_server(said: &[&str]) -> Option<Announced> {
    let (said, carried) = match said {
        [said @ .., "carried"] if said.len() == 5 => (said, true),
        said => (said, false),
    };
    let &[node, instance, version, threads, url] = said else {
        return None;
    };
    Some(Announced {
        node: node.into(),
        instance: u64::from_str_radix(instance, 16).ok()?,
        version: version.parse().ok()?,
        threads: threads.parse().ok()?,
        url: url.into(),
        applications: Vec::new(),
        carried,
    })
}

/// Whether it can stand in a line between blanks.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../../../../formats/proxy/view.txt");

    #[test]
    fn the_fixture_is_read_and_written() {
        let view = View::read(FIXTURE).unwrap();
        assert_eq!(view.version, 41);
        let known: Vec<_> = view
            .servers
            .iter()
            .map(|server| (&*server.node, server.applications.len(), server.carried))
            .collect();
        assert_eq!(known, [("n1", 2, false), ("n2", 0, true)]);
        let found = &view.hosts["tomcat-2.internal.example"];
        assert_eq!(
            found.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
            ["10.0.0.7", "fd00::6"]
        );
        assert_eq!(view.write(), FIXTURE);
        let none = View::default();
        assert_eq!(View::read(&none.write()), Ok(none));
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for cut in 1..FIXTURE.len() {
            let cut = &FIXTURE[..cut];
            assert_eq!(View::read(cut).is_ok(), cut.ends_with('\n'), "{cut}");
        }
        for line in [
            "server n3 1 2 3\n",
            "server n3 x 2 3 http://h:1\n",
            "server n3 1 2 3 http://h:1 moved\n",
            "cluster 0b 3\n",
            "host tomcat-3\n",
            "host tomcat-3 10.0.0.256\n",
            "other\n",
            "\n",
        ] {
            assert!(View::read(&format!("{FIXTURE}{line}")).is_err(), "{line}");
        }
        assert!(View::read("remora-proxy view 1\n application\n").is_err());
    }

    #[test]
    fn what_could_break_a_line_is_not_kept() {
        let mut view = View::read(FIXTURE).unwrap();
        view.servers[0].applications.push("a\nserver".into());
        view.servers[1].url = "http://a b".into();
        view.hosts.insert("a b".into(), vec![IpAddr::from([10, 0, 0, 1])]);
        view.hosts.insert("nowhere".into(), Vec::new());
        let kept = View::read(&view.write()).unwrap();
        assert_eq!((kept.servers.len(), kept.servers[0].applications.len()), (1, 2));
        assert_eq!(kept.hosts.len(), 1);
    }
}
