//! `remora sessions watch`: what happens to sessions, a line each, as it happens.
//!
//! What happened goes to standard output, a document each with `-o json` (a line) and `-o yaml`; from where it is watched, and when that
//! changes, to standard error. It ends, and well, when it is told to (Ctrl-C, SIGTERM) or when nobody reads any more, which is
//! noticed with the next line; and with a failure when no node can be watched.
//!
//! Times are those of the operator's own clock when a line arrives.

use std::io::Write;
use std::time::{Duration, SystemTime};

use remora_process::signals::{Signal, Signals};
use remora_proto::v1::session_happening::{Ending, Kind};
use remora_proto::v1::{Label, SessionHappening};

use crate::args::{Filter, Format, Output};
use crate::failure::Failure;
use crate::render::{Cell, Report, Stream, printable};
use remora_overview::client::{Store, Watching, Word};

use super::listing::KEY_DIGITS;
use super::meant::{NOBODY, by_names, hexadecimal, wall_ms};

/// The columns for people, and how wide each is at least. A longer value moves the rest of its line.
const COLUMNS: [(&str, u16); 7] = [
    ("time", 20),
    ("what", 8),
    ("key", 12),
    ("application", 16),
    ("user", 12),
    ("owner", 8),
    ("detail", 6),
];

/// What programs are told, by name.
const FIELDS: [&str; 11] = [
    "time",
    "what",
    "key",
    "application",
    "user",
    "owner",
    "labels",
    "owner before",
    "new key",
    "labels before",
    "ended by",
];

/// The label that says whose session it is.
const PRINCIPAL: &str = "principal";

/// Tells what happens until it is ended.
pub(super) async fn run(store: &Store, filter: &Filter, output: Output) -> Result<Report, Failure> {
    if filter.owner.as_deref() == Some(NOBODY) {
        return Err(Failure::Usage(
            "a watch tells when sessions are released, and by whom: name that owner, or none at all".into(),
        ));
    }
    let mut signals = Signals::install().map_err(|error| Failure::Refused(error.to_string()))?;
    let mut watching = store.watch(by_names(filter));
    let ended = async { while signals.next().await != Signal::Stop {} };
    let ended = tokio::select! {
        biased;
        () = ended => Ok(()),
        told = tell(&mut watching, stream(output)) => told,
    };
    ended.map(|()| Report::default())
}

fn stream(output: Output) -> Stream {
    Stream {
        output,
        columns: &COLUMNS,
        fields: &FIELDS,
    }
}

/// Tells until nobody reads any more.
async fn tell(watching: &mut Watching<'_>, stream: Stream) -> Result<(), Failure> {
    let mut headed = false;
    loop {
        let lines = match watching.next().await? {
            Word::Watched { at } => {
                say(&format!("watching at {at}; Ctrl-C ends it"));
                let heading = (!headed).then(|| stream.heading());
                headed = true;
                heading.unwrap_or_else(|| Ok(String::new()))?
            }
            Word::Broken(failure) => {
                say(&format!("{failure}; going on at another node"));
                String::new()
            }
            Word::Told(told) => {
                let now = SystemTime::UNIX_EPOCH + Duration::from_millis(wall_ms());
                let missed = told.missed.then(|| missed(now, stream));
                let happenings = told.happenings.iter();
                let happenings = happenings.map(|happening| line(now, happening, stream));
                missed.into_iter().chain(happenings).collect::<Result<_, _>>()?
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
    let _ = writeln!(std::io::stderr(), "remora: {}", printable(sentence));
}

/// That something happened which this watch was not told.
fn missed(now: SystemTime, stream: Stream) -> Result<String, Failure> {
    let mut cells = [const { Cell::Nothing }; COLUMNS.len()];
    cells[0] = Cell::text(humantime::format_rfc3339_seconds(now).to_string());
    cells[1] = Cell::text("missed");
    cells[COLUMNS.len() - 1] = Cell::text("more happened here than this watch was told");
    let fields = [("time", precisely(now)), ("what", Cell::text("missed"))];
    stream.line(&cells, &fields)
}

/// One thing that happened.
fn line(now: SystemTime, happening: &SessionHappening, stream: Stream) -> Result<String, Failure> {
    let key = happening.session.clone().unwrap_or_default();
    let digits = hexadecimal(&key.key);
    let is_wide = stream.output.format == Format::Wide;
    let cells = [
        Cell::text(humantime::format_rfc3339_seconds(now).to_string()),
        Cell::text(what(happening.kind())),
        Cell::text(if is_wide { &digits } else { shortened(&digits) }),
        Cell::text(key.application.as_str()),
        Cell::text(user(happening)),
        Cell::text(happening.owner.as_str()),
        Cell::text(detail(happening)),
    ];
    let labels_before = match happening.kind() {
        Kind::Labelled => labels(&happening.labels_before),
        _ => Cell::Nothing,
    };
    let values = [
        precisely(now),
        Cell::text(what(happening.kind())),
        Cell::text(digits.as_str()),
        Cell::text(key.application.as_str()),
        Cell::text(user(happening)),
        Cell::text(happening.owner.as_str()),
        labels(&happening.labels),
        Cell::text(happening.owner_before.as_str()),
        Cell::text(hexadecimal(&happening.new_key)),
        labels_before,
        Cell::text(ending(happening.ending())),
    ];
    let fields: Vec<(&str, Cell)> = FIELDS.into_iter().zip(values).collect();
    stream.line(&cells, &fields)
}

fn precisely(now: SystemTime) -> Cell {
    Cell::text(humantime::format_rfc3339_millis(now).to_string())
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

    fn told_as(happening: &SessionHappening, format: Format) -> String {
        let no_headers = false;
        let stream = stream(Output { format, no_headers });
        line(SystemTime::UNIX_EPOCH, happening, stream).unwrap()
    }

    fn told(happening: &SessionHappening) -> String {
        told_as(happening, Format::Table)
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
        let lines = told_as(&renamed, Format::Json);
        assert_eq!(lines.matches('\n').count(), 1);
        let document: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(document["what"], "renamed");
        assert_eq!(document["new_key"], "01".repeat(16));
        assert_eq!(document["labels"]["principal"], "ada");
        assert_eq!(document["labels_before"], serde_json::Value::Null);
        let lines = told_as(&renamed, Format::Yaml);
        assert!(lines.starts_with("---\napplication: localhost/shop\n"), "{lines}");
        let line = told_as(&renamed, Format::Csv);
        let key = "ab".repeat(16);
        let beginning =
            format!("1970-01-01T00:00:00.000Z,renamed,{key},localhost/shop,ada,n2,principal=ada,,0101");
        assert!(line.starts_with(&beginning), "{line}");
        assert!(told_as(&renamed, Format::Wide).contains(&key));
    }
}
