//! `remora nodes`: who is a member of the store, and what all of them write.
//!
//! Examples show both machines, since half of what a change takes is done at the other one.

use clap::{Args, Subcommand};

const ADD_EXAMPLES: &str = "Examples:
  On the new machine:
    remora-store --node-id 4 --data-dir /var/lib/remora-store --client-addr 192.0.2.4:7400 \\
      --peer-addr 192.0.2.4:7500 --join 192.0.2.1:7500,192.0.2.2:7500 \\
      --tls-authority authority.pem --tls-cert peer-4.pem --tls-key peer-4.key
  Then:
    remora nodes add 4 192.0.2.4:7500

It is complete when the node votes. Interrupted, it goes on when it is said again.";

const REPLACE_EXAMPLES: &str = "Examples:
  The disk of node 3 is gone. With an empty data directory, on the same machine or another:
    remora-store --node-id 3 --data-dir /var/lib/remora-store --client-addr 192.0.2.3:7400 \\
      --peer-addr 192.0.2.3:7500 --join 192.0.2.1:7500,192.0.2.2:7500 \\
      --tls-authority authority.pem --tls-cert peer-3.pem --tls-key peer-3.key
  Then:
    remora nodes replace 3

It is complete when the node votes. Interrupted, it goes on when it is said again.";

const REMOVE_EXAMPLES: &str = "Examples:
  remora nodes remove 4

It is refused while no majority of the other voters answers. Stop the node afterwards, and empty its data directory.";

/// Look at the store's nodes, and change who they are.
#[derive(Debug, Subcommand)]
pub(crate) enum Nodes {
    /// List the store's nodes, and those that wait to be added, with their role and how far they are behind
    List,
    /// Add a node that waits: one that was started with an empty data directory and --join
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// Its id, as its --node-id says; one that no member has
        node: u64,
        /// Where the other nodes reach it
        #[arg(value_name = "HOST:PORT")]
        address: String,
    },
    /// Put a new disk in the place of a node's: the present one is removed for good, then the new one is added
    #[command(after_help = REPLACE_EXAMPLES)]
    Replace {
        /// The id of both
        node: u64,
        /// Where the other nodes reach the new one [default: where it says that it waits, else where the present one is]
        #[arg(value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Remove a node; its disk is never taken again
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// Its id
        node: u64,
    },
    /// Show what the cluster writes and what its nodes understand; a newer format is used a day after the last node
    /// understands it, and from then on no older release can be put back
    Upgrade(Upgrade),
    /// Let another node lead, before maintenance for example; clients notice a few milliseconds
    TransferLeader {
        /// The node that shall lead; the one that is furthest ahead if none is named
        node: Option<u64>,
    },
}

/// An operator's word about the cluster's format.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Upgrade {
    /// Use the newest format that every node understands, now
    #[arg(long)]
    pub(crate) now: bool,
    /// Stay with the present format until told otherwise
    #[arg(long)]
    pub(crate) hold: bool,
    /// End a hold
    #[arg(long)]
    pub(crate) release: bool,
}
