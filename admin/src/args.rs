//! The flags and verbs, typed: what `--help` shows stands here, where clap reads it.
//!
//! What clap can refuse by itself it refuses here, with exit code 2: an unknown verb, a key beside a filter. What needs
//! more than the command line (no address given, a key that looks like a session id) is refused by the verb, with the
//! same code. Addresses are taken as text, because the same list may hold names.
//!
//! Left out on purpose: a configuration file. `REMORA_STORE` and `REMORA_PROXY` are all that a shell needs to keep.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "Examples:
  remora --store 127.0.0.1:7401 --proxy 127.0.0.1:7410 status
  remora sessions list --principal ada --sort idle
  remora sessions show 3fa4c2d1
  remora sessions watch --principal ada
  remora sessions kill --principal ada --yes
  remora applications
  remora upstreams drain n1
  remora -o json nodes list
  remora nodes upgrade --now
  remora nodes transfer-leader 2
  remora nodes replace 3
  remora backup /var/backups/sessions.remora
  remora --store 192.0.2.1:7400 restore /var/backups/sessions.remora
  remora --store 192.0.2.3:7400 recover --force-new-cluster

Exit codes: 0 done, 1 refused or not found, 2 usage.";

/// For whoever drains.
const DRAIN_EXAMPLES: &str = "Examples:
  remora upstreams drain n1                          its users move with their next request
  remora upstreams drain n1 --finish --within 30m    they stay for half an hour at most
  remora upstreams drain --group blue                all Tomcats of a version";

/// For whoever sets.
const SET_EXAMPLES: &str = "Examples:
  remora upstreams set n2 --weight 3        three times the new users of a weight of 1
  remora upstreams set n2 --state standby   for when nobody else can serve
  remora upstreams set n2 --reset           as the proxy's file says";

/// For whoever works on a site.
const MAINTENANCE_EXAMPLES: &str = "Examples:
  remora upstreams maintenance tomcat on
  remora upstreams maintenance tomcat on --page soon.html --retry-after 10m
  remora upstreams maintenance tomcat off

WebSockets of the pool leave as for a drain, members are checked on, and who is in the file's `except` sees the site.";

/// For whoever lists.
const LIST_EXAMPLES: &str = "Examples:
  remora sessions list --application localhost/shop --sort size --limit 20
  remora sessions list --label oidc.sid=7f3a
  remora sessions list --idle 2d --sort idle
  remora sessions list --attribute cart --size 100KiB
  remora -o json sessions list --limit 1000000

The store filters, sorts and counts. Sessions that are used meanwhile change their places: one may be listed twice, or not.";

const WATCH_EXAMPLES: &str = "Examples:
  remora sessions watch --principal ada
  remora sessions watch --application localhost/shop --owner n1
  remora sessions watch --label oidc.sid=7f3a
  remora -o json sessions watch | jq 'select(.ended_by == \"expiry\")'

Told are: created, moved to another Tomcat, released by one that stops, renamed, labelled (logins and logouts), and ended by
logout, operator, limit or expiry; not each save. A filter is asked of what a session was before, and of what it is after. Any
node can be watched; when it fails, the watch goes on at the next address of --store, and says \"missed\" if it was not told
everything. With -o json each line is a document of its own.";

const CERTS_EXAMPLES: &str = "Examples:
  remora certs init certs
  remora certs issue peer 1 --host store1.example.com --host 192.0.2.1
  remora certs issue adapter 'localhost/shop##*' --name tomcat1
  remora certs issue proxy --host 192.0.2.10
  remora certs issue admin --name ada
  remora certs issue peer 1 --host 192.0.2.1 --replace

An application is written as the store lists it, NAMESPACE:HOST/PATH##VERSION; `*` stands for anything within one part, and
without an application the certificate speaks for all. docs/security.md says where the files go.";

const ADD_EXAMPLES: &str = "Examples:
  On the new machine:
    remora-store --node-id 4 --data-dir /var/lib/remora --client-addr 192.0.2.4:7400 --peer-addr 192.0.2.4:7500 \\
      --join 192.0.2.1:7500,192.0.2.2:7500 \\
      --tls-authority authority.pem --tls-cert peer-4.pem --tls-key peer-4.key
  Then:
    remora nodes add 4 192.0.2.4:7500

It is complete when the node votes. Interrupted, it goes on when it is said again.";

const REPLACE_EXAMPLES: &str = "Examples:
  The disk of node 3 is gone. With an empty data directory, on the same machine or another:
    remora-store --node-id 3 --data-dir /var/lib/remora --client-addr 192.0.2.3:7400 --peer-addr 192.0.2.3:7500 \\
      --join 192.0.2.1:7500,192.0.2.2:7500 \\
      --tls-authority authority.pem --tls-cert peer-3.pem --tls-key peer-3.key
  Then:
    remora nodes replace 3

It is complete when the node votes. Interrupted, it goes on when it is said again.";

const REMOVE_EXAMPLES: &str = "Examples:
  remora nodes remove 4

It is refused while no majority of the other voters answers. Stop the node afterwards, and empty its data directory.";

/// Ask a Remora store cluster and its proxies.
#[derive(Debug, Parser)]
#[command(name = "remora", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Client addresses of store nodes, as in context.xml; one that answers is enough
    #[arg(
        long,
        global = true,
        env = "REMORA_STORE",
        value_name = "ADDR[,ADDR]",
        value_delimiter = ','
    )]
    pub(crate) store: Vec<String>,
    /// Control addresses of proxies; every one is asked
    #[arg(
        long,
        global = true,
        env = "REMORA_PROXY",
        value_name = "ADDR[,ADDR]",
        value_delimiter = ','
    )]
    pub(crate) proxy: Vec<String>,
    #[command(flatten)]
    pub(crate) tls: TlsFiles,
    /// How to show the answer
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// What to do
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Who is believed, and as whom one asks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS, where the store and the proxies use it (all three)")]
pub(crate) struct TlsFiles {
    /// PEM file with the certificates of the authorities that are trusted
    #[arg(long, global = true, env = "REMORA_TLS_AUTHORITY", value_name = "FILE")]
    pub(crate) tls_authority: Option<PathBuf>,
    /// PEM file with one's own certificate, which names remora://reader or remora://admin
    #[arg(long, global = true, env = "REMORA_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, global = true, env = "REMORA_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// How to show an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON document for programs
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the store cluster and the proxies at a glance; exit 1 if something is not well
    Status,
    /// Look at sessions, watch them, or end them
    #[command(subcommand)]
    Sessions(Sessions),
    /// Look at the store's nodes, and change who they are
    #[command(subcommand)]
    Nodes(Nodes),
    /// Look at the applications whose sessions the store keeps, and at the Tomcats that serve them
    Applications,
    /// Look at the Tomcats behind the proxies, drain them, and close a pool for maintenance
    #[command(subcommand)]
    Upstreams(Upstreams),
    /// Copy all sessions as they stand into a file, which replaces what bears its name; it holds their values in clear, so keep
    /// it like a password file
    Backup {
        /// The file
        file: PathBuf,
    },
    /// The last resort, when a majority of the store's disks is lost for good: let one node that is left go on alone, in a new
    /// cluster. Tells what is given up, and does it only with --yes
    Recover {
        /// Say so in full
        #[arg(long, required = true)]
        force_new_cluster: bool,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Make certificates: an authority of one's own, and what it issues to each part. Asks no store
    #[command(subcommand)]
    Certs(Certs),
    /// Begin a new cluster with what a backup holds: at the node that was started with --await-restore, with all others of its
    /// list of nodes, all with new data directories
    Restore {
        /// The file
        file: PathBuf,
    },
}

/// Look at sessions, watch them, or end them.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List sessions: those that match, and how many there are
    #[command(after_help = LIST_EXAMPLES)]
    List(SessionList),
    /// Show one session with its attributes' names and sizes
    Show {
        /// Leading hexadecimal digits of the session's key, as `sessions list` shows them
        key: String,
    },
    /// Watch what happens to sessions, as it happens, until Ctrl-C
    #[command(after_help = WATCH_EXAMPLES)]
    Watch {
        #[command(flatten)]
        filter: Filter,
    },
    /// End sessions: their users are logged out
    Kill {
        /// Leading hexadecimal digits of one session's key
        #[arg(conflicts_with_all = ["application", "label", "principal", "owner", "all"])]
        key: Option<String>,
        #[command(flatten)]
        filter: Filter,
        /// Every session of every application
        #[arg(long)]
        all: bool,
        /// Do it without asking; needed for anything but a single key
        #[arg(long)]
        yes: bool,
    },
}

/// Which sessions to list, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionList {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Not used for so long, as in 30m or 2d
    #[arg(long, value_name = "TIME")]
    pub(crate) idle: Option<humantime::Duration>,
    /// Created so long ago
    #[arg(long, value_name = "TIME")]
    pub(crate) age: Option<humantime::Duration>,
    /// With so many bytes of attributes at least, as in 4096, 100KiB or 1MiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) size: Option<u64>,
    /// With an attribute of exactly this name
    #[arg(long, value_name = "NAME")]
    pub(crate) attribute: Option<String>,
    /// What comes first: the smaller key, or what is longest unused, oldest, largest
    #[arg(long, value_enum, default_value = "key", value_name = "ORDER")]
    pub(crate) sort: SortBy,
    /// How many at most
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: usize,
    /// Go on where a list in the same order ended, as it said
    #[arg(long, value_name = "PAGE")]
    pub(crate) page: Option<String>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// Application, then key
    Key,
    /// Longest unused first
    Idle,
    /// Oldest first
    Age,
    /// Largest first
    Size,
}

/// A number of bytes, with KiB or MiB behind it or without.
fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 2] = [("KiB", 1 << 10), ("MiB", 1 << 20)];
    let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
    let (digits, factor) = unit.map_or((text, 1), |(name, factor)| {
        (&text[..text.len() - name.len()], *factor)
    });
    let number = digits.trim_end().parse::<u64>().ok();
    let bytes = number.and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| "a number of bytes, as in 4096, 100KiB or 1MiB".to_owned())
}

/// Which sessions are meant: all conditions given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// Exact application, as in localhost/shop
    #[arg(long, value_name = "APPLICATION")]
    pub(crate) application: Option<String>,
    /// A label that they carry, as in oidc.sid=7f3a; several may be given, and all must be carried
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Whose they are: short for --label principal=NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
    /// Exact node name of the Tomcat that holds them
    #[arg(long, value_name = "NODE")]
    pub(crate) owner: Option<String>,
}

impl Filter {
    /// All labels that are asked for, names and values.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let principal = self.principal.iter().map(|name| ("principal", name.as_str()));
        let labels = self
            .label
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        labels.chain(principal)
    }
}

/// A label's name and value. Names hold no equals sign, values may.
fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=');
    let parts = parts.filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let (name, value) = parts.ok_or_else(|| "a name and a value, as in principal=ada".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

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

/// Make certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Certs {
    /// Make an authority: authority.pem, which everybody trusts, and authority.key, which stays where certificates are issued
    #[command(after_help = CERTS_EXAMPLES)]
    Init {
        /// The directory; made if absent
        #[arg(default_value = "certs")]
        dir: PathBuf,
        /// How long the authority's certificate holds
        #[arg(long, value_name = "TIME", default_value = "3650d")]
        lifetime: humantime::Duration,
    },
    /// Issue a certificate: NAME.pem and NAME.key beside the authority
    #[command(after_help = CERTS_EXAMPLES)]
    Issue(Issue),
}

/// What to issue.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// Whose it is: `peer ID`, `adapter [APPLICATION...]`, `proxy`, `reader` or `admin`
    #[arg(required = true, num_args = 1.., value_name = "ROLE")]
    pub(crate) role: Vec<String>,
    /// The authority's directory
    #[arg(long, default_value = "certs", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Whose name it bears, and what its files are called [default: the role, as in peer-1]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A host name or IP address at which a node or a proxy is reached; may be repeated [default: this machine alone]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// How long it holds
    #[arg(long, value_name = "TIME", default_value = "365d")]
    pub(crate) lifetime: humantime::Duration,
    /// Put it in the place of what bears its name; servers take it over by themselves
    #[arg(long)]
    pub(crate) replace: bool,
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

/// Look at the Tomcats behind the proxies, and drain them.
#[derive(Debug, Subcommand)]
pub(crate) enum Upstreams {
    /// List the upstreams of every proxy
    List,
    /// Move the users of a route elsewhere, nobody logged out
    #[command(after_help = DRAIN_EXAMPLES)]
    Drain {
        #[command(flatten)]
        whom: Whom,
        /// Let its own users stay until their sessions end or the deadline comes; nobody new is sent there
        #[arg(long)]
        finish: bool,
        /// When --finish becomes a move
        #[arg(long, value_name = "DURATION", requires = "finish", default_value = "1h")]
        within: humantime::Duration,
    },
    /// End a drain
    Undrain {
        #[command(flatten)]
        whom: Whom,
    },
    /// Wish a state or a weight in place of what the proxy's file says
    #[command(after_help = SET_EXAMPLES)]
    Set {
        #[command(flatten)]
        whom: Whom,
        /// active, standby, finishing, draining, disabled or stopped
        #[arg(long)]
        state: Option<String>,
        /// Share of new users, 1 to 1000
        #[arg(long)]
        weight: Option<u32>,
        /// Let hold again what the file says
        #[arg(long)]
        reset: bool,
    },
    /// Answer all requests of a pool with a page while somebody works on it, or end that
    #[command(after_help = MAINTENANCE_EXAMPLES)]
    Maintenance {
        /// Its name in the proxy's file
        pool: String,
        #[arg(value_enum)]
        wish: MaintenanceWord,
        /// The page, in place of the file's: .html, .txt or .json, at most 64 KiB
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
        /// When clients may ask again, in place of what the file says
        #[arg(long, value_name = "DURATION")]
        retry_after: Option<humantime::Duration>,
    },
}

/// What is wished of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaintenanceWord {
    /// It is under maintenance
    On,
    /// It is not, whatever the proxy's file says
    Off,
    /// Let hold again what the file says
    Reset,
}

/// Whom a wish is about.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// The route, as behind the dot of the session cookie
    pub(crate) route: Option<String>,
    /// All upstreams of a group: a version, a zone
    #[arg(long)]
    pub(crate) group: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn addresses_are_separated_by_commas() {
        let arguments = Arguments::parse_from(["remora", "--store", "a:1,b:2", "status"]);
        assert_eq!(arguments.store, ["a:1", "b:2"]);
    }

    #[test]
    fn a_key_and_everything_cannot_both_be_meant() {
        assert!(Arguments::try_parse_from(["remora", "sessions", "kill", "3fa4", "--all"]).is_err());
    }

    #[test]
    fn a_key_and_a_filter_cannot_both_be_meant() {
        for filter in ["--application", "--label", "--principal", "--owner"] {
            let line = ["remora", "sessions", "kill", "3fa4", filter, "x=y"];
            assert!(Arguments::try_parse_from(line).is_err(), "{filter}");
        }
    }

    #[test]
    fn a_label_is_a_name_and_a_value_and_a_principal_is_short_for_one() {
        let line = [
            "remora",
            "sessions",
            "list",
            "--label",
            "oidc.sid=a=b",
            "--principal",
            "ada",
        ];
        let Verb::Sessions(Sessions::List(ask)) = Arguments::parse_from(line).verb else {
            panic!("another verb was read");
        };
        let labels: Vec<_> = ask.filter.labels().collect();
        assert_eq!(labels, [("oidc.sid", "a=b"), ("principal", "ada")]);
        for wrong in ["ada", "=ada", "principal="] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
