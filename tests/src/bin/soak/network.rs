//! A network for store nodes that can be cut: a namespace for each, and a wire between any two and to this program.
//!
//! Machine `n` has an address on its loopback device and reaches each other one over a wire of their own; machine 0
//! is the namespace of this program. A wire is cut in one direction by a queue that takes nothing: its sender notices
//! nothing but silence. Neighbours are written down, so that nothing has to be asked over a wire that is cut.
//!
//! Invariant: nothing outlives this program. A namespace lives as long as the process that holds it and its node, and both
//! end with us; wires end with their namespaces. The machine's own network is never touched: this runs in another one.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use remora_tests::process::Process;
use remora_tests::stores::{StorePorts, Stores};
use remora_tests::wait::{SOON, wait_until};

/// The machine on which this program runs.
pub(crate) const HERE: usize = 0;

/// A connection that is not made within this over a wire of no length is not made.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// The namespaces of the nodes.
pub(crate) struct Network {
    /// Whoever holds each, from node 1 on.
    holders: Vec<Process>,
}

impl Network {
    /// Makes namespaces for so many nodes and joins each to each.
    pub(crate) fn new(directory: &Path, nodes: usize) -> Result<Self> {
        let mut network = Self { holders: Vec::new() };
        for node in 1..=nodes {
            let log = directory.join(format!("network-{node}.log"));
            let name = format!("network {node}");
            let holder = Process::start(&name, Path::new("unshare"), &log, |command| {
                command.args(["--net", "sleep", "infinity"]);
            })?;
            let namespace = |id: &str| std::fs::read_link(format!("/proc/{id}/ns/net")).ok();
            let own = namespace("self");
            let id = holder.id().to_string();
            wait_until(&name, SOON, || namespace(&id).is_some_and(|it| Some(it) != own))?;
            network.holders.push(holder);
        }
        for machine in HERE..=nodes {
            network.run(machine, "ip link set lo up")?;
            network.run(machine, &format!("ip addr add {}/32 dev lo", address(machine)?))?;
        }
        for one in HERE..=nodes {
            for other in one + 1..=nodes {
                network.join(one, other)?;
            }
        }
        Ok(network)
    }

    fn join(&self, one: usize, other: usize) -> Result<()> {
        let (near, far) = (wire(one, other), wire(other, one));
        let (near_mac, far_mac) = (mac(one, other), mac(other, one));
        self.run(
            HERE,
            &format!(
                "ip link add name {near} address {near_mac} type veth peer name {far} address {far_mac}"
            ),
        )?;
        for (machine, peer, device, peer_mac) in [(one, other, near, far_mac), (other, one, far, near_mac)] {
            if let Some(holder) = self.holder(machine) {
                self.run(HERE, &format!("ip link set {device} netns {}", holder.id()))?;
            }
            let (own, peer) = (address(machine)?, address(peer)?);
            self.run(machine, &format!("ip link set {device} up"))?;
            self.run(machine, &format!("ip route add {peer}/32 dev {device} src {own}"))?;
            self.run(
                machine,
                &format!("ip neigh add {peer} lladdr {peer_mac} dev {device} nud permanent"),
            )?;
        }
        Ok(())
    }

    /// Where a node listens.
    pub(crate) fn ports(&self, node: usize) -> Result<StorePorts> {
        let holder = self.holder(node).context("no such node")?;
        Ok(StorePorts {
            host: address(node)?,
            namespace: Some(holder.id()),
            client: 7400,
            peer: 7500,
            ops: 7600,
            advertised: None,
        })
    }

    /// Nothing passes from one machine to another until it is mended.
    pub(crate) fn cut(&self, from: usize, to: usize) -> Result<()> {
        self.run(
            from,
            &format!("tc qdisc replace dev {} root pfifo limit 0", wire(from, to)),
        )
    }

    /// Mends a wire; one that is whole stays so.
    pub(crate) fn mend(&self, from: usize, to: usize) -> Result<()> {
        self.run(
            from,
            &format!("tc qdisc replace dev {} root pfifo limit 1000", wire(from, to)),
        )
    }

    /// The network is what it says: a node is reached, not reached over a cut wire, and reached again.
    pub(crate) fn check(&self, stores: &Stores) -> Result<()> {
        let node = stores.node(1).context("there is a node 1")?;
        let reached = || TcpStream::connect_timeout(&node.ports.at(node.ports.ops), CONNECT_WITHIN).is_ok();
        for (from, to) in [(HERE, 1), (1, HERE)] {
            ensure!(reached(), "node 1 is reached over whole wires");
            self.cut(from, to)?;
            ensure!(!reached(), "node 1 is not reached over a cut wire");
            self.mend(from, to)?;
        }
        ensure!(reached(), "node 1 is reached over wires that were mended");
        Ok(())
    }

    fn holder(&self, machine: usize) -> Option<&Process> {
        self.holders.get(machine.checked_sub(1)?)
    }

    /// Runs a command of iproute2 on a machine.
    fn run(&self, machine: usize, words: &str) -> Result<()> {
        let mut command = match self.holder(machine) {
            None => Command::new("env"),
            Some(holder) => {
                let mut inside = Command::new("nsenter");
                inside.arg(format!("--net=/proc/{}/ns/net", holder.id()));
                inside
            }
        };
        let output = command
            .args(words.split(' '))
            .output()
            .with_context(|| words.to_owned())?;
        if !output.status.success() {
            bail!("{words}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

fn address(machine: usize) -> Result<Ipv4Addr> {
    // 0 is the network's own address.
    Ok(Ipv4Addr::new(10, 9, 0, u8::try_from(machine + 1)?))
}

/// The device of one machine towards another.
fn wire(from: usize, to: usize) -> String {
    format!("wire-{from}-{to}")
}

fn mac(from: usize, to: usize) -> String {
    format!("02:00:00:00:{from:02x}:{to:02x}")
}
