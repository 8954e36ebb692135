//! The three ways to keep sessions that are compared, each with all that it needs: one Tomcat by itself; two with
//! Tomcat's own replication; one with our manager and three syncing store nodes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use remora_tests::http::{Browser, Request};
use remora_tests::place::free_port;
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::tomcat::{Application, Member, Replication, Tomcat, TomcatPlan, Version};
use remora_tests::wait_until;

use crate::cpu::{Usage, ratio};

/// As Tomcat sites run it: both compilers and a collector for servers; a heap of fixed parts, so that what is allocated
/// can be counted.
const JAVA_OPTIONS: &str = "-XX:+UseParallelGC -XX:-UseAdaptiveSizePolicy -Xms768m -Xmx768m -Xmn256m";

/// A replica lags by milliseconds; a JVM that has just started may need this long.
const REPLICATED: Duration = Duration::from_secs(20);

/// Stopping a Tomcat takes a second or two.
const STOPPED: Duration = Duration::from_secs(20);

/// Who keeps the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// Tomcat's default: in memory, and gone with it.
    Standard,
    /// Tomcat's own replication: to all others, after the answer.
    Delta,
    /// Ours: on a majority of disks, before the answer.
    Remora,
}

impl Rival {
    /// In the order in which they are measured.
    pub(crate) const ALL: [Rival; 3] = [Rival::Standard, Rival::Delta, Rival::Remora];

    /// As the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rival::Standard => "StandardManager",
            Rival::Delta => "DeltaManager",
            Rival::Remora => "RemoraManager",
        }
    }
}

/// A rival that runs: the Tomcat that is loaded, and what works for it beside.
pub(crate) struct Running {
    loaded: Tomcat,
    replica: Option<Tomcat>,
    stores: Option<Stores>,
}

/// What everybody beside the loaded Tomcat had used and done at some moment.
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    usage: Usage,
    saves: f64,
    entries: f64,
}

impl Running {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When something does not start, or a replica does not get what it should.
    pub(crate) fn start(rival: Rival, directory: &Path) -> Result<Running> {
        let directory = directory.join(rival.name());
        std::fs::create_dir_all(directory.join("signals"))?;
        let mut stores = None;
        let mut ports = None;
        match rival {
            Rival::Standard => {}
            Rival::Delta => ports = Some((free_port()?, free_port()?)),
            Rival::Remora => {
                let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
                let started = Stores::start(&directory, &ports)?;
                started.wait_ready()?;
                stores = Some(started);
            }
        }
        let replica = ports
            .map(|(own, peer)| {
                start(
                    &directory,
                    "replica",
                    Some(Member {
                        own: peer,
                        peer: own,
                        acknowledged: false,
                    }),
                    None,
                )
            })
            .transpose()?;
        let member = ports.map(|(own, peer)| Member {
            own,
            peer,
            acknowledged: false,
        });
        let store = stores.as_ref().map(Stores::client_list);
        let loaded = start(&directory, "loaded", member, store)?;
        if let Some(replica) = &replica {
            wait_for_replicas(&loaded, replica)?;
        }
        Ok(Running {
            loaded,
            replica,
            stores,
        })
    }

    /// Where the loaded Tomcat listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.loaded.address()
    }

    /// The loaded Tomcat's process.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn pid(&mut self) -> Result<u32> {
        Ok(self.loaded.process()?.id())
    }

    /// What the others have used and done so far.
    ///
    /// # Errors
    /// When one of them is gone.
    pub(crate) fn beside(&mut self) -> Result<Beside> {
        let mut pids = Vec::new();
        if let Some(replica) = &mut self.replica {
            pids.push(replica.process()?.id());
        }
        let (mut saves, mut entries) = (0.0, 0.0);
        if let Some(stores) = &mut self.stores {
            for id in stores.ids() {
                pids.push(stores.process(id)?.id());
                let ports = stores.node(id).context("a node of the cluster")?.ports;
                let metrics = Browser::new(loopback(ports.ops)).get("/metrics")?.text();
                saves += metric(&metrics, "remora_store_entry_proposals_sum");
                entries += metric(&metrics, "remora_store_entry_proposals_count");
            }
        }
        Ok(Beside {
            usage: Usage::of(&pids)?,
            saves,
            entries,
        })
    }

    /// Stops everything.
    ///
    /// # Errors
    /// When a Tomcat does not end by itself.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.loaded.process()?.stop(STOPPED)?;
        if let Some(mut replica) = self.replica {
            replica.process()?.stop(STOPPED)?;
        }
        Ok(())
    }
}

impl Beside {
    /// What it cost since an earlier look for each of `count` answers, as a remark; empty for nothing.
    pub(crate) fn remark(self, earlier: Beside, count: u64) -> String {
        let each = self.usage.since(earlier.usage).microseconds_each(count);
        let entries = self.entries - earlier.entries;
        if each < 0.05 {
            String::new()
        } else if entries < 1.0 {
            format!("beside it {each:.1} us")
        } else {
            let together = (self.saves - earlier.saves) / entries;
            format!("stores {each:.1} us, {together:.1} saves an entry")
        }
    }
}

fn start(directory: &Path, node: &str, member: Option<Member>, store: Option<String>) -> Result<Tomcat> {
    let plan = TomcatPlan {
        version: Version::V10,
        node: node.into(),
        jvm_route: false,
        port: free_port()?,
        store,
        manager: Vec::new(),
        replication: member.map(Replication::Cluster),
        behind_front: false,
        applications: vec![Application::Bench],
        java_options: JAVA_OPTIONS.into(),
        signals: directory.join("signals"),
    };
    let tomcat = Tomcat::start(directory, plan)?;
    tomcat.wait_ready()?;
    Ok(tomcat)
}

/// Replication that does not replicate would be quick.
fn wait_for_replicas(loaded: &Tomcat, replica: &Tomcat) -> Result<()> {
    let mut browser = Browser::new(loaded.address());
    let mut number = 0;
    wait_until("a replica to show what was changed", REPLICATED, || {
        number += 1;
        let changed = Request::get(&format!("/bench/change.jsp?name=changed&value=v{number}"));
        let seen = browser
            .send(&changed)
            .and_then(|_| browser.at(replica.address()).get("/bench/read.jsp?name=changed"));
        seen.is_ok_and(|answer| answer.text().contains(&format!("v{number}")))
    })?;
    Ok(())
}

/// The value of a metric without labels; zero where it is absent.
fn metric(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

/// A share, for display.
pub(crate) fn each(sum: f64, count: u64) -> f64 {
    sum / ratio(count, 1).max(1.0)
}
