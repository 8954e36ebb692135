//! docs/store.md is what the flags say, and what it says holds. After a change of a key
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-store the_page` writes the page anew.
//!
//! Words and defaults come from the flags' own help; whether a key waits for a restart is asked of two configurations that
//! differ in it. Typed here is what nothing else says: an example of each key, and what a range reaches from and to, which
//! the tests try out.

use clap::CommandFactory;

use super::*;

/// One key, as the page has it.
struct Row {
    name: &'static str,
    example: &'static str,
    /// What must be said beside it.
    with: &'static str,
    /// The least and the most that are taken; none where nothing is measured.
    range: Option<(u64, u64)>,
}

/// The parts of the page: a heading, what is to be known of all its keys, and these.
const PARTS: &[(&str, &str, &[Row])] = &[
    (
        "Who it is, and where",
        "Addresses off the loopback take `tls-authority`, `tls-cert` and `tls-key`, or `allow-plaintext`.",
        &[
            row(
                "node-id",
                "2",
                "--cluster 1=192.0.2.1:7500,2=192.0.2.2:7500 --peer-addr 127.0.0.1:7500",
            ),
            row("data-dir", "/var/lib/remora-store", ""),
            row("client-addr", "192.0.2.1:7400", "--allow-plaintext"),
            row("peer-addr", "192.0.2.1:7500", "--allow-plaintext"),
            row("ops-addr", "127.0.0.1:7600", ""),
            row("advertise-client-addr", "store1.example:7400", ""),
        ],
    ),
    (
        "With whom",
        "Without `cluster` and `join` a node is a complete store by itself, for development. See \
         [Running a store cluster](operations.md).",
        &[
            row(
                "cluster",
                "1=192.0.2.1:7500,2=192.0.2.2:7500,3=192.0.2.3:7500",
                "--peer-addr 127.0.0.1:7500",
            ),
            row("join", "192.0.2.1:7500,192.0.2.2:7500", "--node-id 4"),
            row("await-restore", "true", ""),
        ],
    ),
    (
        "Who is believed",
        "[Who may do what](security.md) tells how `remora certs` makes the files. They are read again when they change; other \
         names for them wait for a restart.",
        &[
            row(
                "tls-authority",
                "/etc/remora/authority.pem",
                "--tls-cert a --tls-key a",
            ),
            row(
                "tls-cert",
                "/etc/remora/peer-1.pem",
                "--tls-authority a --tls-key a",
            ),
            row(
                "tls-key",
                "/etc/remora/peer-1.key",
                "--tls-authority a --tls-cert a",
            ),
            row("allow-plaintext", "true", ""),
        ],
    ),
    (
        "Limits",
        "Set the same on all nodes. Beyond `sessions-max` and `bytes-max` new sessions are refused, and those that exist go on.",
        &[
            measured("session-bytes-max", "2097152", 1, SESSION_BYTES_TOP),
            measured("attributes-max", "2048", 1, ATTRIBUTES_TOP as u64),
            measured("sessions-max", "5000000", 1, u64::MAX),
            measured("bytes-max", "8589934592", SESSION_BYTES, u64::MAX),
            measured("snapshot-bytes", "1073741824", 1, u64::MAX),
        ],
    ),
    (
        "Timers",
        "For quick disks; where disks or answers are slow a cluster waits longer by itself, so there is rarely a reason to touch \
         these. Set the same on all nodes; each is longer than the one above it, and the ranges are those beside the defaults of the others.",
        &[
            measured("heartbeat-ms", "20", HEARTBEAT_BOTTOM_MS, 74),
            measured("election-min-ms", "100", 31, 149),
            measured("election-max-ms", "300", 76, ELECTION_TOP_MS),
        ],
    ),
];

/// What stands above the keys.
const OPENING: &str = "# Keys of the store

Every key of `remora-store`'s file, which is also a flag with two dashes in front; flags win. `remora-store --help` says the
same. [examples/store.toml](../examples/store.toml) is such a file. SIGHUP loads it anew: what the last word of a key calls
*reload* holds at once, for a *restart* the log says that it waits; a file with a fault changes nothing. `RUST_LOG` in the
environment says what is logged, as in `RUST_LOG=info` or `RUST_LOG=audit=info`.
";

const fn row(name: &'static str, example: &'static str, with: &'static str) -> Row {
    Row {
        name,
        example,
        with,
        range: None,
    }
}

const fn measured(name: &'static str, example: &'static str, least: u64, most: u64) -> Row {
    Row {
        name,
        example,
        with: "",
        range: Some((least, most)),
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    PARTS.iter().flat_map(|(_, _, rows)| rows.iter())
}

/// The configuration with this value of a key and what it needs beside it.
fn with(row: &Row, value: &str) -> Result<Config, Faults> {
    // A directory that a later flag may name again.
    let directory = if row.name == "data-dir" {
        ""
    } else {
        "--data-dir d"
    };
    flags(&format!("{directory} --{} {value} {}", row.name, row.with)).config()
}

/// Whether a running node takes the key's example over.
fn is_reloaded(row: &Row) -> bool {
    let rest = format!("--data-dir d {}", row.with);
    // Where the rest means nothing without the key, any other value of it will do.
    let before = flags(&rest).config().or_else(|_| with(row, "b")).unwrap();
    let waits = before.fixed_differences(&with(row, row.example).unwrap());
    !waits
        .iter()
        .any(|keys| keys.split(", ").any(|key| key == row.name))
}

/// What kind of value a flag takes, by the word in its help.
fn kind(value_name: &str) -> &str {
    match value_name {
        "N" => "number",
        "BYTES" => "bytes",
        "MS" => "milliseconds",
        "BOOL" => "true or false",
        "DIR" | "FILE" => "path",
        "IP:PORT" => "address and port",
        "HOST:PORT" => "name or address, and port",
        "LIST" => "list",
        other => panic!("nobody knows what kind {other} is"),
    }
}

fn said(row: &Row) -> String {
    let command = Flags::command();
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(row.name));
    let argument = argument.unwrap_or_else(|| panic!("no flag is called {}", row.name));
    let help = argument.get_help().unwrap().to_string();
    let (why, default) = match help.split_once(" [default: ") {
        Some((why, rest)) => (why, rest.trim_end_matches(']')),
        None => (
            help.as_str(),
            if row.name == "data-dir" {
                "required"
            } else {
                "none"
            },
        ),
    };
    let kind = kind(argument.get_value_names().unwrap()[0].as_str());
    let bare = ["number", "bytes", "milliseconds", "true or false"].contains(&kind);
    let example = if bare {
        row.example.to_owned()
    } else {
        format!("\"{}\"", row.example)
    };
    let range = match row.range {
        None => String::new(),
        Some((least, u64::MAX)) => format!(", {least} or more"),
        Some((least, most)) => format!(", {least} to {most}"),
    };
    let default = match default {
        "required" => default.to_owned(),
        "none" if kind == "true or false" => "default: false".to_owned(),
        default => format!("default: {default}"),
    };
    let when = if is_reloaded(row) { "reload" } else { "restart" };
    format!(
        "- `{} = {example}` ({kind}{range}; {default}; {when}): {}.\n",
        row.name,
        why.trim_end_matches('.')
    )
}

fn page() -> String {
    let mut page = OPENING.to_owned();
    for (heading, note, rows) in PARTS {
        page += &format!("\n## {heading}\n\n{note}\n\n");
        page.extend(rows.iter().map(said));
    }
    page
}

#[test]
fn the_page_is_what_the_flags_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/store.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == page, "docs/store.md differs: write it anew");
}

#[test]
fn it_has_every_key_once() {
    let command = Flags::command();
    let flags = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut names: Vec<&str> = flags
        .filter_map(|argument| argument.get_long())
        .filter(|name| *name != "config")
        .collect();
    let mut told: Vec<&str> = rows().map(|row| row.name).collect();
    names.sort_unstable();
    told.sort_unstable();
    assert_eq!(names, told);
}

#[test]
fn defaults_hold() {
    let holds = flags("--data-dir d").config().unwrap().to_string();
    for row in rows() {
        let said = said(row);
        let default = said
            .split_once("default: ")
            .map_or("none", |(_, rest)| rest.split_once(';').unwrap().0);
        let shown = match default {
            // A word for another key's.
            "client-addr" => "(client-addr)",
            default => default,
        };
        let written = format!(" {}={shown} ", row.name);
        assert!(
            default == "none" || format!(" {holds} ").contains(&written),
            "{written} is not in {holds}"
        );
    }
}

#[test]
fn ranges_are_those_that_are_taken() {
    for row in rows() {
        let Some((least, most)) = row.range else { continue };
        for (value, taken) in [
            (Some(least), true),
            (Some(most), true),
            (least.checked_sub(1), false),
            (most.checked_add(1), false),
        ] {
            let Some(value) = value else { continue };
            let answer = with(row, &value.to_string());
            assert_eq!(answer.is_ok(), taken, "{} = {value}", row.name);
        }
    }
}
