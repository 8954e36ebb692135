//! `remora sessions`: which sessions are meant, and what becomes of them.
//!
//! A label is read here, once for all verbs; what could be a session id is refused by the verb, because clap would repeat it.
//!
//! Invariant: nothing that was given is as if it had not been. An empty name, which a shell makes of a variable that is not set, and
//! a size of 0 would mean any session, and are refused.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

/// For whoever lists.
const LIST_EXAMPLES: &str = "Examples:
  remora sessions list --application localhost/shop --sort size --limit 20
  remora sessions list --label oidc.sid=7f3a
  remora sessions list --idle 2d --sort idle
  remora sessions list --sort age --reverse --limit 5      the youngest
  remora sessions list --attribute cart --size 100KiB
  remora sessions list --owner none --count
  remora sessions list --cookie -      whose cookie was pasted
  remora -o json sessions list --all

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

/// For whoever shows one.
const SHOW_EXAMPLES: &str = "Examples:
  remora sessions show 3fa4c2d1
  remora sessions show 3fa4c2d1 --values
  remora sessions show --cookie -      then paste the cookie, or send it: pbpaste | remora sessions show --cookie -

--values takes a certificate that names remora://admin, and every time is written down by the store (target `audit`); without TLS
the store asks nobody who they are. Values that have a layout of ours are shown; of an application's own objects the class, and
of encrypted values the name of the key.";

/// For whoever ends sessions.
const KILL_EXAMPLES: &str = "Examples:
  remora sessions kill 3fa4c2d1
  remora sessions kill --cookie -      the user whose cookie was pasted
  remora sessions kill --user ada
  remora sessions kill --idle 2d --application localhost/shop --dry-run
  remora sessions kill --label oidc.sid=7f3a --yes

At a terminal it says what would end and asks; elsewhere it takes --yes. It ends no more sessions than it counted: where more match
by then, it ends none; say it again, or leave newcomers out with --age 1m. --all ends those that come meanwhile, too. Tomcats tell every few seconds which sessions were used, and ages are reckoned from this machine's clock: an --idle
below a minute may end one in use. Exit code 1 if names were given that no session has, or none has together.";

/// For whoever counts.
const STATS_EXAMPLES: &str = "Examples:
  remora sessions stats
  remora sessions stats --by attribute --application localhost/shop     what makes sessions large
  remora sessions stats --by user --limit 10
  remora sessions stats --idle 1d

The store counts, in one walk; half (median) and 99 of 100 (p99) are known to within a quarter.";

/// Look at sessions, watch them, or end them.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List sessions: those that match, and how many there are
    #[command(after_help = LIST_EXAMPLES)]
    List(Box<SessionList>),
    /// Show one session with its attributes' names and sizes, and their values if asked for
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        #[command(flatten)]
        named: Named,
        /// Exact application, where a session of the same id may be in several
        #[arg(long, value_name = "APPLICATION", value_parser = NonEmptyStringValueParser::new())]
        application: Option<String>,
        /// The values of its attributes, too
        #[arg(long)]
        values: bool,
    },
    /// Count sessions in groups: how many, how large, how long unused, whose
    #[command(after_help = STATS_EXAMPLES)]
    Stats {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        conditions: Conditions,
        /// What the sessions of a group have in common
        #[arg(long, value_enum, default_value = "application", value_name = "WHAT")]
        by: GroupBy,
        /// How many groups at most, those with the most bytes
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Watch what happens to sessions, as it happens, until Ctrl-C
    #[command(after_help = WATCH_EXAMPLES)]
    Watch {
        #[command(flatten)]
        filter: Filter,
    },
    /// End sessions: their users are logged out
    #[command(after_help = KILL_EXAMPLES)]
    Kill(Box<SessionKill>),
}

/// Which sessions to end, and how carefully.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionKill {
    #[command(flatten)]
    pub(crate) named: Named,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
    /// Every session of every application
    #[arg(long, conflicts_with_all = ["key", "id", "cookie", "application", "label", "principal", "owner", "idle", "age", "size", "attribute"])]
    pub(crate) all: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Only say what would end
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// One session, by its key or by what its user's browser sends.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Named {
    /// Leading hexadecimal digits of the session's key, as `sessions list` shows them
    pub(crate) key: Option<String>,
    /// Read the session's id from standard input; it takes -, so that no credential stands in a command line. Only its hash leaves
    /// this program
    #[arg(long, value_name = "-", conflicts_with_all = ["key", "cookie"])]
    pub(crate) id: Option<String>,
    /// Read its cookie from standard input: the value, JSESSIONID=..., or the whole field with other cookies
    #[arg(long, value_name = "-", conflicts_with = "key")]
    pub(crate) cookie: Option<String>,
    /// What the session's cookie is called
    #[arg(long, value_name = "NAME", default_value = "JSESSIONID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) cookie_name: String,
    /// The file with the secret under which the Tomcats hash ids, if they have one: their keyFile, or their encryptionKeys
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Further conditions of sessions: all that are given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Conditions {
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
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) attribute: Option<String>,
}

/// Which sessions to list, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionList {
    #[command(flatten)]
    pub(crate) named: Named,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
    /// What comes first: the smaller key, or what is longest unused, oldest, largest
    #[arg(long, value_enum, default_value = "key", value_name = "ORDER")]
    pub(crate) sort: SortBy,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
    /// How many at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// All of them, in place of --limit
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Only how many there are, and how large they are together
    #[arg(long, conflicts_with_all = ["limit", "all", "page", "sort", "reverse"])]
    pub(crate) count: bool,
    /// Go on where a list in the same order ended, as it said
    #[arg(long, value_name = "PAGE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) page: Option<String>,
}

/// What the sessions of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupBy {
    /// Their application
    Application,
    /// The Tomcat that holds them
    Owner,
    /// Whose they are
    #[value(alias = "principal")]
    User,
    /// An attribute that they have; its own size is counted
    Attribute,
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

/// A number of bytes, with KiB or MiB behind it or without. Every session has 0.
fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 2] = [("KiB", 1 << 10), ("MiB", 1 << 20)];
    let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
    let (digits, factor) = unit.map_or((text, 1), |(name, factor)| {
        (&text[..text.len() - name.len()], *factor)
    });
    let number = digits.trim_end().parse::<u64>().ok();
    let bytes = number.and_then(|number| number.checked_mul(factor));
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "a number of bytes from 1, as in 4096, 100KiB or 1MiB".to_owned())
}

/// Which sessions are meant: all conditions given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// Exact application, as in localhost/shop
    #[arg(long, value_name = "APPLICATION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) application: Option<String>,
    /// A label that they carry, as in oidc.sid=7f3a; several may be given, and all must be carried
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Whose they are: short for --label principal=NAME
    #[arg(long, visible_alias = "user", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) principal: Option<String>,
    /// Exact node name of the Tomcat that holds them; `none` for those that nobody holds
    #[arg(long, value_name = "NODE", value_parser = NonEmptyStringValueParser::new())]
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Verb};

    #[test]
    fn everything_is_meant_alone_and_one_session_is_named_in_one_way() {
        for line in [
            "kill 3fa4 --all",
            "kill --all --idle 2d",
            "kill --all --application x",
            "kill --all --yes --dry-run",
            "show 3fa4 --cookie -",
            "show --id - --cookie -",
            "list --limit 0",
            "list --all --limit 9",
            "list --count --sort age",
        ] {
            let words = ["remora", "sessions"].into_iter().chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_empty_is_refused_and_never_means_any() {
        for line in [
            "sessions kill --yes --application ",
            "sessions kill --yes --owner ",
            "sessions kill --yes --attribute ",
            "sessions kill --yes --size ",
            "sessions kill --yes --size 0",
            "sessions kill --yes --size 0KiB",
            "sessions kill --yes --label ",
            "sessions kill --yes --label principal=",
            "sessions kill --yes --principal ",
            "sessions kill --yes --user ",
            "sessions kill --yes --user ada --application ",
            "sessions list --owner ",
            "sessions list --page ",
            "sessions stats --attribute ",
            "sessions watch --user ",
            "sessions show 3fa4 --application ",
            "sessions show --cookie - --cookie-name ",
            "upstreams drain ",
            "upstreams drain --group ",
            "upstreams set n1 --state ",
            "upstreams maintenance  on",
            "explain ",
            "explain / --cookie ",
            "explain / --method ",
        ] {
            let words = ["remora"].into_iter().chain(line.split(' '));
            let refused = Arguments::try_parse_from(words).map(|read| read.verb);
            assert_eq!(refused.unwrap_err().exit_code(), 2, "{line}");
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
            "--user",
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
