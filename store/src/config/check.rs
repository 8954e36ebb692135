//! Whether what was written can work; what cannot is said under its key, all of it together, so that one start shows all
//! that is to be corrected. What works and is hardly meant is no fault: `Config::remarks` says it.
//!
//! Looks at values alone: no name is resolved and no address bound.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use remora_process::config::Faults;
use remora_process::tls::Files;

use super::{ATTRIBUTES_TOP, Config, ELECTION_TOP_MS, HEARTBEAT_BOTTOM_MS, SESSION_BYTES_TOP};
use crate::raft::{NodeId, Timers};

/// Collects faults, each under the key that is wrong.
pub(super) struct Check(pub(super) Vec<remora_process::config::Fault>);

impl Check {
    pub(super) fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.extend(Faults::one(key, message).0);
    }

    pub(super) fn unless(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            self.add(key, message);
        }
    }

    pub(super) fn cluster(&mut self, list: &str, own: NodeId) -> BTreeMap<NodeId, String> {
        let mut nodes = BTreeMap::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let parsed = item.split_once('=').and_then(|(id, address)| {
                let id = id.trim().parse::<NodeId>().ok().filter(|id| *id > 0)?;
                host_and_port(address.trim()).then(|| (id, address.trim().to_owned()))
            });
            match parsed {
                None => self.add(
                    "cluster",
                    format!(
                        "`{item}` is not a node: write ID=HOST:PORT, as in 2=10.0.0.2:7501, and an IPv6 address in \
                         brackets, as in 2=[fd00::2]:7501"
                    ),
                ),
                Some((id, address)) => {
                    self.reaches_somebody("cluster", &address);
                    if nodes.values().any(|known| *known == address) {
                        self.add(
                            "cluster",
                            format!("{address} stands behind two nodes: each needs its own"),
                        );
                    }
                    if nodes.insert(id, address).is_some() {
                        self.add("cluster", format!("node {id} is named twice"));
                    }
                }
            }
        }
        if !nodes.is_empty() && !nodes.contains_key(&own) {
            self.add(
                "cluster",
                format!("does not name this node: add {own}=HOST:PORT, or set node-id"),
            );
        }
        nodes
    }

    pub(super) fn join(
        &mut self,
        list: &str,
        own: Option<NodeId>,
        cluster: &BTreeMap<NodeId, String>,
    ) -> Vec<String> {
        let addresses = list.split(',').map(str::trim).filter(|item| !item.is_empty());
        let addresses: Vec<String> = addresses.map(str::to_owned).collect();
        for address in &addresses {
            self.unless(
                host_and_port(address),
                "join",
                format!("`{address}` is not an address: write HOST:PORT, and an IPv6 address in brackets"),
            );
            self.reaches_somebody("join", address);
        }
        if !addresses.is_empty() {
            self.unless(
                cluster.is_empty(),
                "join",
                "excludes cluster: say cluster to form one, join to be added to one that exists",
            );
            self.unless(
                own.is_some(),
                "node-id",
                "is missing: with join, say as which node of its cluster this one is to be added",
            );
        }
        addresses
    }

    /// The files of TLS: all three, or none.
    pub(super) fn tls(&mut self, files: [Option<PathBuf>; 3]) -> Option<Files> {
        Files::all_or_none(files).unwrap_or_else(|missing| {
            for name in missing {
                self.add(
                    &format!("tls-{name}"),
                    "is missing: TLS takes tls-authority, tls-cert and tls-key (`remora certs` makes them)",
                );
            }
            None
        })
    }

    pub(super) fn beginning(&mut self, config: &Config) {
        self.unless(
            !config.await_restore || config.join.is_empty(),
            "await-restore",
            "excludes join: a backup begins a cluster, and join is for one that exists",
        );
    }

    pub(super) fn addresses(&mut self, config: &Config) {
        if let Some(address) = &config.advertise_client_addr {
            self.unless(
                host_and_port(address),
                "advertise-client-addr",
                format!("`{address}` is not an address: write HOST:PORT, and an IPv6 address in brackets"),
            );
            self.reaches_somebody("advertise-client-addr", address);
        }
        if config.advertise_client_addr.is_none() && config.client_addr.ip().is_unspecified() {
            self.add(
                "advertise-client-addr",
                "is missing: with client-addr on all addresses, say where clients reach this node",
            );
        }
        let named = [
            ("client-addr", config.client_addr),
            ("peer-addr", config.peer_addr),
            ("ops-addr", config.ops_addr),
        ];
        for (key, address) in named {
            let secured = config.tls.is_some() && key != "ops-addr";
            if !address.ip().is_loopback() && !secured && !config.allow_plaintext {
                self.add(key, in_clear(key, address));
            }
        }
        for (place, (key, address)) in named.iter().enumerate() {
            let same = named[..place]
                .iter()
                .find(|(_, other)| other == address && address.port() != 0);
            if let Some((other, _)) = same {
                self.add(key, format!("is the same address as {other}: each needs its own"));
            }
        }
    }

    fn reaches_somebody(&mut self, key: &str, address: &str) {
        let parsed = address.parse::<SocketAddr>();
        self.unless(
            !parsed.is_ok_and(|address| address.ip().is_unspecified()),
            key,
            format!(
                "{address} stands for all addresses of a machine, and leads nobody to this one: name one"
            ),
        );
    }

    pub(super) fn timers(&mut self, timers: &Timers) {
        self.unless(
            timers.heartbeat >= Duration::from_millis(HEARTBEAT_BOTTOM_MS),
            "heartbeat-ms",
            format!("must be {HEARTBEAT_BOTTOM_MS} or more: below it a busy machine does little else, and misses them"),
        );
        self.unless(
            timers.heartbeat < timers.election_min,
            "election-min-ms",
            "must be longer than heartbeat-ms, or every pause between two heartbeats begins an election",
        );
        self.unless(
            timers.election_min < timers.election_max,
            "election-max-ms",
            "must be longer than election-min-ms, or elections collide",
        );
        self.unless(
            timers.election_max <= Duration::from_millis(ELECTION_TOP_MS),
            "election-max-ms",
            format!("may be {ELECTION_TOP_MS} at most: that long nobody answers after a leader's death"),
        );
    }

    pub(super) fn limits(&mut self, config: &Config) {
        let limits = &config.limits;
        self.unless(
            (1..=SESSION_BYTES_TOP).contains(&limits.session_bytes_max),
            "session-bytes-max",
            format!("must be 1 to {SESSION_BYTES_TOP}: a session travels in one message of 4 MiB"),
        );
        self.unless(
            (1..=ATTRIBUTES_TOP).contains(&limits.attributes_max),
            "attributes-max",
            format!("must be 1 to {ATTRIBUTES_TOP}: a session travels in one message of 4 MiB"),
        );
        self.unless(limits.sessions_max > 0, "sessions-max", "must be 1 or more");
        self.unless(
            limits.table_bytes_max >= limits.session_bytes_max,
            "bytes-max",
            "must be at least session-bytes-max",
        );
        self.unless(config.snapshots.bytes > 0, "snapshot-bytes", "must be 1 or more");
    }
}

/// An IPv6 address has colons of its own, so without brackets its port could be a part of it.
fn host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_fits = match bracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains([' ', '/', ':', '[', ']']),
        };
        host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Why an address off the loopback is not taken.
fn in_clear(key: &str, address: SocketAddr) -> String {
    if key == "ops-addr" {
        return format!(
            "{address} is not on the loopback, and health and metrics are served in clear: keep to a trusted network and say \
             allow-plaintext, or listen on 127.0.0.1"
        );
    }
    format!(
        "{address} is not on the loopback: name tls-authority, tls-cert and tls-key (`remora certs` makes them), or keep to a \
         trusted network and say allow-plaintext, or listen on 127.0.0.1"
    )
}
