//! `remora sessions`: which sessions are meant, and what becomes of them.
//!
//! A label is read here, once for lists, kills and watches; what could be a session id is refused by the verb.

use clap::{Args, Subcommand, ValueEnum};

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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Verb};

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
