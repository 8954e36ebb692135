//! `remora sessions watch`: what happens to sessions, a line each, as it happens.
//!
//! What happened goes to standard output, one JSON document a line with `-o json`; from where it is watched, and when that
//! changes, to standard error. It ends, and well, when it is told to (Ctrl-C, SIGTERM) or when nobody reads any more, which is
//! noticed with the next line; and with a failure when no node can be watched.
//!
//! Times are those of the operator's own clock when a line arrives.

use std::io::Write;
use std::time::{Duration, SystemTime};

use remora_process::signals::{Signal, Signals};
use remora_proto::v1::session_happening::{Ending, Kind};
use remora_proto::v1::{Label, SessionHappening};

use crate::args::{Filter, Format};
use crate::client::{Store, Watching, Word};
use crate::failure::Failure;
use crate::render::{Cell, Report, columns, document};

use super::listing::KEY_DIGITS;
use super::sessions::{hexadecimal, wall_ms, wire_filter};

/// The columns for people, and how wide each is at least. A longer value moves the rest of its line.
const COLUMNS: [(&str, u16); 7] = [
    ("TIME", 20),
    ("WHAT", 8),
    ("KEY", 12),
    ("APPLICATION", 16),
    ("USER", 12),
    ("OWNER", 8),
    ("DETAIL", 6),
];

/// The label that says whose session it is.
const PRINCIPAL: &str = "principal";

/// Tells what happens until it is ended.
pub(super) async fn run(store: &Store, filter: &Filter, format: Format) -> Result<Report, Failure> {
    let mut signals = Signals::install().map_err(|error| Failure::Refused(error.to_string()))?;
    let mut watching = store.watch(wire_filter(filter, ""));
    let ended = async { while signals.next().await != Signal::Stop {} };
    let ended = tokio::select! {
        biased;
        () = ended => Ok(()),
        told = tell(&mut watching, format) => told,
    };
    ended.map(|()| Report::default())
}

/// Tells until nobody reads any more.
async fn tell(watching: &mut Watching<'_>, format: Format) -> Result<(), Failure> {
    let mut headed = format == Format::Json;
    loop {
        let lines = match watching.next().await? {
            Word::Watched { at } => {
                say(&format!("watching at {at}; Ctrl-C ends it"));
                let heading =
                    (!headed).then(|| columns(&COLUMNS, &COLUMNS.map(|(name, _)| Cell::text(name))));
                headed = true;
                heading.unwrap_or_default()
            }
            Word::Broken(failure) => {
                say(&format!("{failure}; going on at another node"));
                String::new()
            }
            Word::Told(told) => {
                let now = SystemTime::UNIX_EPOCH + Duration::from_millis(wall_ms());
                let missed = told.missed.then(|| missed(now, format));
                let happenings = told.happenings.iter();
                let happenings = happenings.map(|happening| line(now, happening, format));
                missed.into_iter().chain(happenings).collect()
            }
        };
        if !print(lines).await? {
            return Ok(());
        }
    }
}

/// Prints beside this thread, which has to hear of Ctrl-C while a pager takes nothing. False when nobody reads any more.
async fn print(lines: String) -> Result<bool, Failure> {
    if lines.is_empty() {
        return Ok(true);
    }
    let written = tokio::task::spawn_blocking(move || {
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush())
    });
    match written.await.unwrap_or_else(|error| Err(error.into())) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Refused(format!("cannot write what happened: {error}"))),
    }
}

fn say(sentence: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "remora: {sentence}");
}

/// That something happened which this watch was not told.
fn missed(now: SystemTime, format: Format) -> String {
    match format {
        Format::Json => document(&[
            (
                "time",
                Cell::text(humantime::format_rfc3339_millis(now).to_string()),
            ),
            ("what", Cell::text("missed")),
        ]),
        Format::Table => {
            let mut cells = [const { Cell::Nothing }; COLUMNS.len()];
            cells[0] = Cell::text(humantime::format_rfc3339_seconds(now).to_string());
            cells[1] = Cell::text("missed");
            cells[COLUMNS.len() - 1] = Cell::text("more happened here than this watch was told");
            columns(&COLUMNS, &cells)
        }
    }
}

/// One thing that happened.
fn line(now: SystemTime, happening: &SessionHappening, format: Format) -> String {
    let key = happening.session.clone().unwrap_or_default();
    let digits = hexadecimal(&key.key);
    match format {
        Format::Json => document(&[
            (
                "time",
                Cell::text(humantime::format_rfc3339_millis(now).to_string()),
            ),
            ("what", Cell::text(what(happening.kind()))),
            ("key", Cell::text(digits)),
            ("application", Cell::text(key.application)),
            ("user", Cell::text(user(happening))),
            ("owner", Cell::text(happening.owner.as_str())),
            ("labels", labels(&happening.labels)),
            ("owner before", Cell::text(happening.owner_before.as_str())),
            ("new key", Cell::text(hexadecimal(&happening.new_key))),
            (
                "labels before",
                match happening.kind() {
                    Kind::Labelled => labels(&happening.labels_before),
                    _ => Cell::Nothing,
                },
            ),
            ("ended by", Cell::text(ending(happening.ending()))),
        ]),
        Format::Table => columns(
            &COLUMNS,
            &[
                Cell::text(humantime::format_rfc3339_seconds(now).to_string()),
                Cell::text(what(happening.kind())),
                Cell::text(shortened(&digits)),
                Cell::text(key.application),
                Cell::text(user(happening)),
                Cell::text(happening.owner.as_str()),
                Cell::text(detail(happening)),
            ],
        ),
    }
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "",
        Kind::Created => "created",
        Kind::Moved => "moved",
        Kind::Released => "released",
        Kind::Renamed => "renamed",
        Kind::Labelled => "labelled",
        Kind::Ended => "ended",
    }
}

fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Unspecified => "",
        Ending::Logout => "logout",
        Ending::Operator => "operator",
        Ending::Limit => "limit",
        Ending::Expiry => "expiry",
    }
}

fn detail(happening: &SessionHappening) -> String {
    match happening.kind() {
        Kind::Moved => format!("from {}", happening.owner_before),
        Kind::Renamed => format!("to {}", shortened(&hexadecimal(&happening.new_key))),
        Kind::Labelled => {
            let (before, after) = (&happening.labels_before, &happening.labels);
            let gone = before.iter().filter(|label| !after.contains(label));
            let gone = gone.map(|label| format!("-{}={}", label.name, label.value));
            let come = after.iter().filter(|label| !before.contains(label));
            let come = come.map(|label| format!("+{}={}", label.name, label.value));
            gone.chain(come).collect::<Vec<_>>().join(" ")
        }
        Kind::Ended => format!("by {}", ending(happening.ending())),
        Kind::Unspecified | Kind::Created | Kind::Released => String::new(),
    }
}

/// Whose session it is, or was until now.
fn user(happening: &SessionHappening) -> &str {
    let labels = happening.labels.iter().chain(&happening.labels_before);
    let mut users = labels.filter(|label| label.name == PRINCIPAL);
    users.next().map_or("", |label| &label.value)
}

fn labels(labels: &[Label]) -> Cell {
    let labels = labels.iter();
    Cell::Labels(
        labels
            .map(|label| (label.name.clone(), label.value.clone()))
            .collect(),
    )
}

fn shortened(digits: &str) -> &str {
    digits.get(..KEY_DIGITS).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use remora_proto::v1::SessionKey;

    use super::*;

    fn of_ada(kind: Kind) -> SessionHappening {
        SessionHappening {
            kind: kind.into(),
            session: Some(SessionKey {
                application: "localhost/shop".to_owned(),
                key: vec![0xab; 16].into(),
            }),
            owner: "n2".to_owned(),
            labels: vec![label("principal", "ada")],
            ..SessionHappening::default()
        }
    }

    fn label(name: &str, value: &str) -> Label {
        Label {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    fn told(happening: &SessionHappening) -> String {
        line(SystemTime::UNIX_EPOCH, happening, Format::Table)
    }

    #[test]
    fn people_get_a_line_that_says_who_and_where_from() {
        let moved = SessionHappening {
            owner_before: "n1".to_owned(),
            ..of_ada(Kind::Moved)
        };
        let expected = "1970-01-01T00:00:00Z  moved     abababababab  localhost/shop    ada           n2        from n1\n";
        assert_eq!(told(&moved), expected);
        let ended = SessionHappening {
            ending: Ending::Limit.into(),
            ..of_ada(Kind::Ended)
        };
        assert!(told(&ended).ends_with("by limit\n"), "{}", told(&ended));
    }

    #[test]
    fn labels_that_came_and_went_are_told_and_whoever_logs_out_is_named() {
        let out = SessionHappening {
            labels: vec![label("tenant", "b")],
            labels_before: vec![label("principal", "ada"), label("tenant", "a")],
            ..of_ada(Kind::Labelled)
        };
        assert!(
            told(&out).ends_with("ada           n2        -principal=ada -tenant=a +tenant=b\n"),
            "{}",
            told(&out)
        );
    }

    #[test]
    fn programs_get_a_document_a_line() {
        let renamed = SessionHappening {
            new_key: vec![1; 16].into(),
            ..of_ada(Kind::Renamed)
        };
        let lines = line(SystemTime::UNIX_EPOCH, &renamed, Format::Json);
        assert_eq!(lines.matches('\n').count(), 1);
        let document: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(document["what"], "renamed");
        assert_eq!(document["new_key"], "01".repeat(16));
        assert_eq!(document["labels"]["principal"], "ada");
        assert_eq!(document["labels_before"], serde_json::Value::Null);
    }
}
