//! The flags and verbs, typed: what `--help` shows stands here, where clap reads it; what follows a verb, in a file of its own.
//!
//! What clap can refuse by itself it refuses here, with exit code 2: an unknown verb, a key beside `--all`. What needs
//! more than the command line (no address given, a key that looks like a session id) is refused by the verb, with the
//! same code. Addresses are taken as text, because the same list may hold names.
//!
//! Left out on purpose: a configuration file. `REMORA_STORE` and `REMORA_PROXY` are all that a shell needs to keep.

mod applications;
mod certs;
mod changes;
mod console;
mod explain;
mod import;
mod nodes;
#[cfg(test)]
mod page;
mod sessions;
mod upstreams;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use remora_process::manual::Shell;

#[cfg(test)]
pub(crate) use applications::Retired;
pub(crate) use applications::{Applications, ApplicationsVerb, Retire};
pub(crate) use certs::{Certs, Issue};
pub(crate) use changes::Changes;
pub(crate) use console::Console;
pub(crate) use explain::Explain;
pub(crate) use import::{Import, Product};
pub(crate) use nodes::{Nodes, Upgrade};
pub(crate) use sessions::{Conditions, Filter, GroupBy, Named, SessionKill, SessionList, Sessions, SortBy};
pub(crate) use upstreams::{MaintenanceWord, Upstreams, Whom};

const EXAMPLES: &str = "Examples:
  remora --store 127.0.0.1:7401 --proxy 127.0.0.1:7410 status
  remora sessions list --principal ada --sort idle
  remora sessions show 3fa4c2d1
  remora sessions stats
  remora sessions watch --user ada
  remora sessions kill --user ada
  remora applications
  remora audit
  remora applications retire n3
  remora upstreams drain n1
  remora changes --of n1
  remora console token
  remora nodes list -o wide
  remora nodes list -o json
  remora explain https://shop.example.com/cart --cookie -
  remora import httpd /etc/apache2/sites-enabled/shop.conf
  remora nodes upgrade --now
  remora nodes transfer-leader 2
  remora nodes replace 3
  remora backup /var/backups/sessions.remora
  remora --store 192.0.2.1:7400 restore /var/backups/sessions.remora
  remora --store 192.0.2.3:7400 recover --force-new-cluster

Exit codes: 0 done, 1 refused or not found, 2 usage.";

const STATUS: &str = "Examples:
  remora --store 127.0.0.1:7401 --proxy 127.0.0.1:7410 status
  remora status -o wide

A line that begins with ! needs a person, and the line below it says what to do; one that begins with * is what somebody wished
or what goes on as planned. Whoever may look may ask: a certificate that names remora://reader is enough.";

const COMPLETIONS: &str = "Examples:
  bash, for you:       remora completions bash > ~/.local/share/bash-completion/completions/remora
  bash, this shell:    source <(remora completions bash)
  zsh, for all users:  remora completions zsh > /usr/local/share/zsh/site-functions/_remora
  fish, for you:       remora completions fish > ~/.config/fish/completions/remora.fish

Packages and `make install` have put them where shells look.";

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
    pub(crate) output: Output,
    // Behind the others: its heading is that of all that follows.
    #[command(flatten)]
    pub(crate) tls: TlsFiles,
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
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// How to show the answer
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        value_enum,
        default_value_t = Format::Table,
        value_name = "FORMAT"
    )]
    pub(crate) format: Format,
    /// Leave out the line with the names of the columns, of table, wide and csv
    #[arg(long, global = true)]
    pub(crate) no_headers: bool,
}

/// As what an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// The same with all columns
    Wide,
    /// One JSON document for programs
    Json,
    /// The same in YAML
    Yaml,
    /// The main table for a spreadsheet; text that would be a formula there begins with '
    Csv,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the store, its Tomcats and the proxies on one screen, and what to do about what is wrong; exit 1 if something needs a
    /// person
    #[command(after_help = STATUS)]
    Status,
    /// Watch the site at work: nodes, sessions, upstreams and what they do per second, once a second, until q
    Top,
    /// Look at sessions, watch them, or end them
    #[command(subcommand)]
    Sessions(Sessions),
    /// Look at the store's nodes, and change who they are
    #[command(subcommand)]
    Nodes(Nodes),
    /// Look at the applications whose sessions the store keeps, and at the Tomcats that serve them; take out who is gone
    Applications(Applications),
    /// Tell what users may lose if their Tomcat dies: values that it could not store since it started, applications without
    /// protection, and what to do about it; exit 1 if anything may be lost, or is not known
    Audit,
    /// Look at the Tomcats behind the proxies, drain them, and close a pool for maintenance
    #[command(subcommand)]
    Upstreams(Upstreams),
    /// Tell why a request goes where, as each proxy decides it
    Explain(Explain),
    /// Tell what changed lately at the proxies, why, and who asked for it: beliefs, wishes, reloads, leaders of the store, logins
    #[command(after_help = changes::EXAMPLES)]
    Changes(Changes),
    /// Look at the site in a browser
    #[command(subcommand)]
    Console(Console),
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
    /// Make a configuration of the proxy from the files of another, and tell what became of each line. Asks nobody
    Import(Import),
    /// Print what a shell reads to complete command lines of remora. Asks nobody
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Begin a new cluster with what a backup holds: at the node that was started with --await-restore, with all others of its
    /// list of nodes, all with new data directories
    Restore {
        /// The file
        file: PathBuf,
    },
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
}
