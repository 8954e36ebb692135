//! A store cluster of real `remora-store` processes, and what may befall it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use remora_proto::v1;

use crate::calls::Calls;
use crate::certificates::{self, Certificates};
use crate::disk::FaultyDisk;
use crate::http::Browser;
use crate::place;
use crate::process::{Process, split};
use crate::proxy::{self, Proxy};
use crate::wait::{START, wait_for, wait_until};

/// Where one node listens.
#[derive(Clone, Copy, Debug)]
pub struct StorePorts {
    /// The address of its machine.
    pub host: Ipv4Addr,
    /// A process in the network namespace that is its machine, if that is not ours.
    pub namespace: Option<u32>,
    /// For session managers and operators.
    pub client: u16,
    /// For the other nodes.
    pub peer: u16,
    /// For health and metrics.
    pub ops: u16,
    /// Where session managers are told to reach it, if not at `client`: through a relay, say.
    pub advertised: Option<u16>,
}

impl StorePorts {
    /// Free ones.
    ///
    /// # Errors
    /// When there are none.
    pub fn free() -> Result<Self> {
        Ok(Self {
            host: Ipv4Addr::LOCALHOST,
            namespace: None,
            client: place::free_port()?,
            peer: place::free_port()?,
            ops: place::free_port()?,
            advertised: None,
        })
    }

    /// One of its ports as others reach it.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.host, port).into()
    }
}

/// One node.
#[derive(Debug)]
pub struct StoreNode {
    /// Its id, from 1.
    pub id: u64,
    /// Its ports.
    pub ports: StorePorts,
    /// Its data directory.
    pub data: PathBuf,
    log: PathBuf,
    /// Flags beside those that every node has.
    more: Vec<String>,
    /// Whether it is to be added to the cluster of the others, and forms none with them.
    joins: bool,
    /// The newest format of the release that it runs, unless that is ours.
    newest_format: Option<u8>,
    /// Under its process, if faults were planned.
    disk: Option<FaultyDisk>,
    /// The command that starts it, if that is an installation's and not ours.
    command: Option<Vec<String>>,
    process: Option<Process>,
}

/// A node that is installed: where it listens, its data directory, and the command that starts it.
pub type InstalledNode = (StorePorts, PathBuf, Vec<String>);

/// A cluster of nodes numbered from 1.
#[derive(Debug)]
pub struct Stores {
    nodes: Vec<StoreNode>,
    certificates: Option<Certificates>,
}

/// A loopback address.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// How a program is started in the network namespace of a process.
fn entered(inside: u32, program: &Path) -> (PathBuf, Vec<String>) {
    let namespace = format!("--net=/proc/{inside}/ns/net");
    let words = [namespace, "--".to_owned(), program.display().to_string()];
    ("nsenter".into(), words.into())
}

impl Stores {
    /// Starts one node per entry of `ports`, each with its own directory under `directory`; does not wait.
    ///
    /// # Errors
    /// When a process does not start.
    pub fn start(directory: &Path, ports: &[StorePorts]) -> Result<Self> {
        Self::start_with(directory, ports, &[], false, None)
    }

    /// The same with more flags for each node, disks that can be made to misbehave, and certificates.
    ///
    /// # Errors
    /// When a process does not start.
    pub fn start_with(
        directory: &Path,
        ports: &[StorePorts],
        more: &[String],
        faulty: bool,
        certificates: Option<Certificates>,
    ) -> Result<Self> {
        let node = |(id, ports): (u64, &StorePorts)| {
            let data = directory.join(format!("store-{id}"));
            let disk = faulty.then(|| FaultyDisk::new(&data));
            Ok(StoreNode {
                id,
                ports: *ports,
                data,
                log: directory.join(format!("store-{id}.log")),
                more: more.to_vec(),
                joins: false,
                newest_format: None,
                disk: disk.transpose()?,
                command: None,
                process: None,
            })
        };
        let mut stores = Self {
            nodes: (1..).zip(ports).map(node).collect::<Result<_>>()?,
            certificates,
        };
        for id in stores.ids() {
            stores.launch(id)?;
        }
        Ok(stores)
    }

    /// Starts nodes that are installed, in the order of their ids; their output goes to `directory`. Does not wait.
    ///
    /// # Errors
    /// When a process does not start.
    pub fn start_installed(directory: &Path, installed: Vec<InstalledNode>) -> Result<Self> {
        let node = |(id, (ports, data, command)): (u64, InstalledNode)| StoreNode {
            id,
            ports,
            data,
            log: directory.join(format!("store-{id}.log")),
            more: Vec::new(),
            joins: false,
            newest_format: None,
            disk: None,
            command: Some(command),
            process: None,
        };
        let mut stores = Self {
            nodes: (1..).zip(installed).map(node).collect(),
            certificates: None,
        };
        for id in stores.ids() {
            stores.launch(id)?;
        }
        Ok(stores)
    }

    /// All node ids.
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    /// One node.
    pub fn node(&self, id: u64) -> Option<&StoreNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Client addresses, as a manager's `store` attribute and the CLI take them.
    pub fn client_addresses(&self) -> Vec<SocketAddr> {
        self.nodes
            .iter()
            .map(|node| node.ports.at(node.ports.client))
            .collect()
    }

    /// The same, joined by commas.
    pub fn client_list(&self) -> String {
        self.client_addresses()
            .iter()
            .map(SocketAddr::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// A client that goes on at the next node when one is gone.
    ///
    /// # Errors
    /// When the runtime cannot start.
    pub fn calls(&self, instance: u64) -> Result<Calls> {
        self.calls_of(&self.client_addresses(), instance)
    }

    fn calls_of(&self, addresses: &[SocketAddr], instance: u64) -> Result<Calls> {
        let dial = certificates::operator(self.certificates.as_ref())?;
        Calls::over(&dial, addresses, instance)
    }

    /// The flags of a node, as a user would write them.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn flags(&self, id: u64) -> Result<Vec<String>> {
        let node = self.node(id).context("no such store node")?;
        let all = self.nodes.iter();
        let peer = |member: &StoreNode| member.ports.at(member.ports.peer).to_string();
        let cluster = if node.joins {
            let others = all.filter(|member| member.id != id);
            ("join", others.map(peer).collect::<Vec<_>>().join(","))
        } else {
            let members = all.map(|member| format!("{}={}", member.id, peer(member)));
            ("cluster", members.collect::<Vec<_>>().join(","))
        };
        let flag = |name: &str, value: &str| [format!("--{name}"), value.to_owned()];
        let at = |port| node.ports.at(port).to_string();
        let flags = [
            flag("node-id", &id.to_string()),
            flag("data-dir", &node.data.display().to_string()),
            flag("client-addr", &at(node.ports.client)),
            flag("peer-addr", &at(node.ports.peer)),
            flag("ops-addr", &at(node.ports.ops)),
            flag(cluster.0, &cluster.1),
        ];
        let older = (node.newest_format)
            .map(|newest| flag("newest-format", &newest.to_string()).to_vec())
            .unwrap_or_default();
        let advertised = (node.ports.advertised)
            .map_or_else(Vec::new, |port| flag("advertise-client-addr", &at(port)).to_vec());
        let own = self.certificates.as_ref();
        let tls = own.map_or_else(Vec::new, |all| all.flags(&format!("peer-{id}")));
        Ok([flags.concat(), advertised, tls, node.more.clone(), older].concat())
    }

    /// The release that a node runs from its next start on: ours, or one that understands formats up to `newest`.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn release(&mut self, id: u64, newest: Option<u8>) -> Result<()> {
        self.node_mut(id)?.newest_format = newest;
        Ok(())
    }

    /// More flags of a node from its next start on, instead of those that it had beside the usual ones.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn more_flags(&mut self, id: u64, flags: &[&str]) -> Result<()> {
        self.node_mut(id)?.more = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Ok(())
    }

    /// Starts a node that is not running; does not wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn launch(&mut self, id: u64) -> Result<()> {
        let program = place::program("remora-store")?;
        let flags = self.flags(id)?;
        let node = self.node_mut(id)?;
        let (program, words) = match (&node.command, node.ports.namespace) {
            (Some(command), _) => split(command)?,
            (None, None) => (program, flags),
            (None, Some(inside)) => {
                let (program, entry) = entered(inside, &program);
                (program, [entry, flags].concat())
            }
        };
        let process = Process::start(&format!("store {id}"), &program, &node.log, |command| {
            command.args(words);
            if let Some(disk) = &node.disk {
                disk.under(command);
            }
        })?;
        node.process = Some(process);
        Ok(())
    }

    /// Puts a node that was killed beside an empty data directory, from which it waits to be added at its next start. Gives
    /// where the one that it had lies now.
    ///
    /// # Errors
    /// When there is no such node, or its directory cannot be moved.
    pub fn set_aside(&mut self, id: u64) -> Result<PathBuf> {
        let node = self.node_mut(id)?;
        node.joins = true;
        let aside = node.data.with_extension("aside");
        std::fs::rename(&node.data, &aside).context("set a data directory aside")?;
        Ok(aside)
    }

    /// Starts one more node, which waits to be added; gives its id.
    ///
    /// # Errors
    /// When there is no free port, or it does not start.
    pub fn start_another(&mut self, directory: &Path) -> Result<u64> {
        let id = self.ids().last().map_or(1, |last| last + 1);
        self.nodes.push(StoreNode {
            id,
            ports: StorePorts::free()?,
            data: directory.join(format!("store-{id}")),
            log: directory.join(format!("store-{id}.log")),
            more: Vec::new(),
            joins: true,
            newest_format: None,
            disk: None,
            command: None,
            process: None,
        });
        self.launch(id)?;
        Ok(id)
    }

    /// Where peers reach a node.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn peer_address(&self, id: u64) -> Result<SocketAddr> {
        let node = self.node(id).context("no such store node")?;
        Ok(loopback(node.ports.peer))
    }

    /// The disk of a node.
    ///
    /// # Errors
    /// When there is no such node, or no faults were planned.
    pub fn disk(&self, id: u64) -> Result<&FaultyDisk> {
        let node = self.node(id).context("no such store node")?;
        node.disk.as_ref().context("this world has no faulty disks")
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn kill(&mut self, id: u64) -> Result<()> {
        drop(self.node_mut(id)?.process.take());
        Ok(())
    }

    /// The process of a running node.
    ///
    /// # Errors
    /// When it was killed.
    pub fn process(&mut self, id: u64) -> Result<&mut Process> {
        self.node_mut(id)?
            .process
            .as_mut()
            .context("this store node was killed and not started again")
    }

    /// What a node says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self, id: u64) -> Result<v1::StoreStatus> {
        let node = self.node(id).context("no such store node")?;
        self.calls_of(&[node.ports.at(node.ports.client)], 1)?
            .store_status()
    }

    /// Whether a node calls itself ready.
    pub fn is_ready(&self, id: u64) -> bool {
        let answers = |node: &StoreNode| {
            let answer = Browser::new(node.ports.at(node.ports.ops)).get("/readyz");
            answer.is_ok_and(|answer| answer.status == 200)
        };
        self.node(id).is_some_and(answers)
    }

    /// Waits until all running nodes are ready and agree on a running leader, and names it.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn wait_ready(&self) -> Result<u64> {
        self.wait_for_leader(START)
    }

    /// The same with another limit.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn wait_for_leader(&self, limit: Duration) -> Result<u64> {
        let running = self.running();
        wait_for("store nodes ready and agreed on a leader", limit, || {
            self.agreed_leader(&running)
        })
    }

    /// The one leader that all of `nodes` name, if they are ready and it is one of them.
    pub fn agreed_leader(&self, nodes: &[u64]) -> Option<u64> {
        let mut leader = None;
        for id in nodes {
            if !self.is_ready(*id) {
                return None;
            }
            let named = self.status(*id).ok()?.leader_id;
            if !nodes.contains(&named) || leader.is_some_and(|other| other != named) {
                return None;
            }
            leader = Some(named);
        }
        leader
    }

    /// Ids of the nodes that were started and not killed.
    pub fn running(&self) -> Vec<u64> {
        self.nodes
            .iter()
            .filter(|node| node.process.is_some())
            .map(|node| node.id)
            .collect()
    }

    /// Starts a proxy that asks these stores for its Tomcats, with its files in this directory; does not wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn discovering_proxy(&self, directory: &Path) -> Result<Proxy> {
        let ports = (place::free_port()?, place::free_port()?);
        let state = directory.join("proxy-state");
        let (users, operators) = (loopback(ports.0), loopback(ports.1));
        let certificates = self.certificates.clone();
        let stores = self.client_addresses();
        let text = proxy::discovering(users, operators, &stores, &state, certificates.as_ref());
        Proxy::start_with(directory, ports, &text, certificates)
    }

    /// Waits until a node that came back has applied everything that the leader had committed when asked.
    ///
    /// # Errors
    /// When it has not in time.
    pub fn wait_caught_up(&self, id: u64) -> Result<Duration> {
        let leader = self.wait_ready()?;
        let goal = self.status(leader)?.committed_index;
        let applied = || self.status(id).is_ok_and(|status| status.applied_index >= goal);
        wait_until(&format!("store {id} applied up to {goal}"), START, applied)
    }

    /// Log tails of all nodes.
    pub fn tails(&self) -> String {
        let tail = |node: &StoreNode| match &node.process {
            Some(process) => format!("--- store {}\n{}", node.id, process.tail()),
            None => format!(
                "--- store {} (killed); its log is {}",
                node.id,
                node.log.display()
            ),
        };
        self.nodes.iter().map(tail).collect::<Vec<_>>().join("\n")
    }

    fn node_mut(&mut self, id: u64) -> Result<&mut StoreNode> {
        self.nodes
            .iter_mut()
            .find(|node| node.id == id)
            .context("no such store node")
    }
}
