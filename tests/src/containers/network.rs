//! A switch in a network namespace of its own, machines on it, and a file with the names by which they find each other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::image::said_well;
use crate::process::Process;
use crate::wait::{SOON, wait_until};

/// The first three numbers of every address here. Nobody else sees them.
const PREFIX: [u8; 3] = [10, 77, 0];

/// Where machines come together.
#[derive(Debug)]
pub struct Network {
    directory: PathBuf,
    switch: Process,
    machines: u8,
    names: BTreeMap<String, Ipv4Addr>,
}

/// A host name and a network of its own, until it is dropped.
#[derive(Debug)]
pub struct Machine {
    holder: Process,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its name.
    pub name: String,
}

impl Network {
    /// One without machines, whose files lie in `directory`.
    ///
    /// # Errors
    /// When the kernel does not make it.
    pub fn new(directory: &Path) -> Result<Self> {
        let switch = held(directory, "switch", &["--net"])?;
        let network = Self {
            directory: directory.to_path_buf(),
            switch,
            machines: 1,
            names: BTreeMap::new(),
        };
        let own = address(1);
        for words in [
            "ip link set lo up".to_owned(),
            // An address of its own: else it takes that of a port, and another when that machine goes; the others then ask in vain.
            "ip link add br0 address 02:00:00:00:00:01 type bridge".to_owned(),
            format!("ip address add {own}/24 dev br0"),
            "ip link set br0 up".to_owned(),
        ] {
            inside(&network.switch, &words)?;
        }
        network.write_names()?;
        Ok(network)
    }

    /// Moves this thread here: what it connects to from now on are machines of this network.
    ///
    /// # Errors
    /// When the kernel does not.
    pub fn enter(&self) -> Result<()> {
        let here = File::open(format!("/proc/{}/ns/net", self.switch.id()))?;
        move_into_link_name_space(here.as_fd(), Some(LinkNameSpaceType::Network)).context("enter the network")
    }

    /// A new machine, which nobody calls by a name yet.
    ///
    /// # Errors
    /// When the kernel does not make it.
    pub fn machine(&mut self, name: &str) -> Result<Machine> {
        let holder = held(&self.directory, name, &["--net", "--uts"])?;
        self.machines += 1;
        let (number, address, id) = (self.machines, address(self.machines), holder.id());
        inside(
            &self.switch,
            &format!("ip link add m{number} type veth peer name eth0 netns {id}"),
        )?;
        inside(&self.switch, &format!("ip link set m{number} master br0 up"))?;
        for words in [
            format!("ip address add {address}/24 dev eth0"),
            "ip link set eth0 up".to_owned(),
            "ip link set lo up".to_owned(),
            format!("hostname {name}"),
        ] {
            inside(&holder, &words)?;
        }
        Ok(Machine {
            holder,
            address,
            name: name.to_owned(),
        })
    }

    /// Lets everybody find a machine by that name from now on, and no other by it.
    ///
    /// # Errors
    /// When the file of names cannot be written.
    pub fn call(&mut self, name: &str, machine: &Machine) -> Result<()> {
        self.names.insert(name.to_owned(), machine.address);
        self.write_names()
    }

    /// The file of names, as a container has it at /etc/hosts.
    pub(super) fn names_file(&self) -> PathBuf {
        self.directory.join("hosts")
    }

    /// In place: whoever has it mounted sees it.
    fn write_names(&self) -> Result<()> {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for (name, address) in &self.names {
            text.push_str(&format!("{address} {name}\n"));
        }
        fs::write(self.names_file(), text)?;
        Ok(())
    }

    /// The status with which a page is answered, whoever asks without looking at certificates; 0 if it is not.
    pub fn asked(&self, url: &str, seconds: i32) -> u16 {
        let mut curl = Command::new("nsenter");
        curl.arg(format!("--net=/proc/{}/ns/net", self.switch.id()));
        curl.args([
            "curl",
            "--silent",
            "--insecure",
            "--max-time",
            &seconds.to_string(),
        ]);
        let output = curl
            .args(["--output", "/dev/null", "--write-out", "%{http_code}", url])
            .output();
        let status = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        status.ok().and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

impl Machine {
    /// How a program is started here: words before it.
    pub(super) fn entry(&self) -> [String; 3] {
        let id = self.holder.id();
        [
            format!("--net=/proc/{id}/ns/net"),
            format!("--uts=/proc/{id}/ns/uts"),
            "--".to_owned(),
        ]
    }
}

/// The address of a machine by its number.
fn address(number: u8) -> Ipv4Addr {
    let [first, second, third] = PREFIX;
    Ipv4Addr::new(first, second, third, number)
}

/// A process that holds namespaces.
fn held(directory: &Path, name: &str, kinds: &[&str]) -> Result<Process> {
    let log = directory.join(format!("machine-{name}.log"));
    let holder = Process::start(name, Path::new("unshare"), &log, |command| {
        command.args(kinds).args(["sleep", "infinity"]);
    })?;
    let namespace = |id: &str| fs::read_link(format!("/proc/{id}/ns/net")).ok();
    let (own, id) = (namespace("self"), holder.id().to_string());
    let program = || fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|path| path.ends_with("sleep"));
    wait_until(name, SOON, || {
        program() && namespace(&id).is_some_and(|it| Some(it) != own)
    })?;
    Ok(holder)
}

/// Runs a command in the namespaces of a holder.
fn inside(holder: &Process, words: &str) -> Result<String> {
    let id = holder.id();
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/proc/{id}/ns/net"))
        .arg(format!("--uts=/proc/{id}/ns/uts"));
    said_well(command.args(words.split(' '))).with_context(|| words.to_owned())
}
