//! The rules as golden scripts. A script's messages are written as their bytes:
//!
//! `request LINE...` and `response LINE...` are lines, each with CR and LF behind it, and the empty line that ends the head.
//! `body=BYTES` follows it. `raw=BYTES` in place of lines is bytes and nothing else. `each=BYTES times=N` stands that often
//! behind all that, then `end=BYTES`; `\xNN` is a byte. Behind the bytes the connection ends. `response` answers `to=HEAD` or
//! `to=upgrade`, else a GET. `chunked BYTES` is content of a request and of an answer, which are read alike; only that is shown.
//!
//! What is read of a message stands in one line. The bounds are the proxy's own, or those of `head=`, `fields=` and `target=`.
//! Every message is also split in all ways ([`splits`]).
//!
//! [`splits`]: super::splits

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use goldenscript::ArgumentConsumer;

use super::reading::{Account, List, Side, Start, Told};
use crate::{Asked, AtEnd, Length, Refusal};

/// Longest value or content that is shown; of others the length says enough.
const SHOWN_BYTES_MAX: usize = 80;

/// A message of a script: how it is read, and its bytes.
pub(super) type Message = (Side, Vec<u8>);

/// Plays scripts, and keeps their messages and what came of them.
#[derive(Default)]
struct Stage {
    messages: Vec<Message>,
    refusals: BTreeSet<&'static str>,
}

impl goldenscript::Runner for Stage {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        _: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let mut arguments = command.consume_args();
        let mut side = match command.name.as_str() {
            "request" => Side::requests(),
            "response" => Side::answer(asked(&mut arguments)?),
            "chunked" => return self.chunked(&mut arguments),
            name => return Err(format!("no command is called {name}").into()),
        };
        if let Some(bytes) = arguments.take_key("head") {
            side.limits.head_bytes = bytes.parse()?;
        }
        if let Some(fields) = arguments.take_key("fields") {
            side.limits.fields = fields.parse()?;
        }
        if let Some(bytes) = arguments.take_key("target") {
            side.limits.target_bytes = bytes.parse()?;
        }
        let head = lines(&mut arguments)?;
        let bytes = [head, behind(&mut arguments)?].concat();
        arguments.reject_next()?;
        let account = self.read(side, &bytes);
        Ok(shown(&side, &account, &bytes) + "\n")
    }
}

impl Stage {
    fn read(&mut self, side: Side, bytes: &[u8]) -> Account {
        let account = side.read([bytes]);
        self.refusals
            .extend(account.refusal().map(|refusal| refusal.reason));
        self.messages.push((side, bytes.to_vec()));
        account
    }

    /// Content in chunks, of both directions.
    fn chunked(&mut self, arguments: &mut ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let own = raw(arguments.next_pos().unwrap_or_default())?;
        let content = [own, behind(arguments)?].concat();
        arguments.reject_next()?;
        let mut heard = Vec::new();
        for (side, head) in [
            (
                Side::requests(),
                &b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
            ),
            (
                Side::answer(Asked::Plain),
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
        ] {
            let bytes = [head, &content].concat();
            let mut account = self.read(side, &bytes);
            account.told.remove(0);
            // Shown as a request's, with the status.
            heard.push(shown(&Side::requests(), &account, &bytes) + "\n");
        }
        assert_eq!(heard[0], heard[1], "chunks of a request and of an answer differ");
        Ok(heard.remove(0))
    }
}

fn asked(arguments: &mut ArgumentConsumer<'_>) -> Result<Asked, Box<dyn Error>> {
    match arguments.take_key("to") {
        None => Ok(Asked::Plain),
        Some("HEAD") => Ok(Asked::Head),
        Some("upgrade") => Ok(Asked::Upgrade),
        Some(other) => Err(format!("nobody asks for {other}").into()),
    }
}

/// The bytes that a script writes as characters.
fn raw(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let byte = |character: char| u8::try_from(u32::from(character));
    Ok(text.chars().map(byte).collect::<Result<_, _>>()?)
}

/// The lines of a head, or the bytes in place of them.
fn lines(arguments: &mut ArgumentConsumer<'_>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    while let Some(line) = arguments.next_pos() {
        bytes.extend(raw(line)?);
        bytes.extend(b"\r\n");
    }
    match arguments.take_key("raw") {
        Some(instead) => raw(instead),
        None => Ok([&bytes[..], b"\r\n"].concat()),
    }
}

/// What stands behind a head, or behind chunks.
fn behind(arguments: &mut ArgumentConsumer<'_>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut key = |name| raw(arguments.take_key(name).unwrap_or_default());
    let (body, each, end) = (key("body")?, key("each")?, key("end")?);
    let times: usize = arguments.take_key("times").unwrap_or("1").parse()?;
    Ok([body, each.repeat(times), end].concat())
}

/// An account as scripts show it: what was told, and the bytes that are left.
fn shown(side: &Side, account: &Account, bytes: &[u8]) -> String {
    let told = account.told.iter().map(|(told, _)| told);
    // Where something came, it goes without saying that nothing more did.
    let said = told.filter(|told| **told != Told::Ended(AtEnd::Between) || account.told.len() == 1);
    let mut parts: Vec<String> = said.map(|told| part(side, told)).collect();
    let left = &bytes[account.taken..];
    if !left.is_empty() && account.refusal().is_none() {
        parts.push(format!("left {}", quoted(left)));
    }
    let parts = parts.chunk_by(|one, other| one == other);
    let parts = parts.map(|equal| format!("{}{}", equal[0], times(equal.len())));
    parts.collect::<Vec<_>>().join(" | ")
}

fn part(side: &Side, told: &Told) -> String {
    match told {
        Told::Head(start, length) => {
            let content = match length {
                Length::None => "no content".to_owned(),
                Length::Known(bytes) => format!("length {bytes}"),
                Length::Chunked => "chunks".to_owned(),
                Length::UntilClose => "until the connection ends".to_owned(),
            };
            format!("{}, {content}", first(side, start))
        }
        Told::Informational(start) => format!("{}, not the last", first(side, start)),
        Told::Upgrade(start) => format!("{}, no more HTTP", first(side, start)),
        Told::Content(data) => format!("content {}", quoted(data)),
        Told::Trailers(fields) => format!("trailers{}", fields_shown(fields)),
        Told::End(true) => "end, goes on".to_owned(),
        Told::End(false) => "end, closes".to_owned(),
        Told::Refused(Refusal { status, reason, .. }) => match side.asked {
            None => format!("refused: {status} {reason}"),
            Some(_) => format!("refused: {reason}"),
        },
        Told::Ended(AtEnd::Between) => "nothing".to_owned(),
        Told::Ended(AtEnd::Whole) => "ends with the connection".to_owned(),
        Told::Ended(AtEnd::Cut) => "cut".to_owned(),
    }
}

/// A start line and the fields behind it.
fn first(side: &Side, start: &Start) -> String {
    let version = start.version.name();
    let line = match side.asked {
        None => format!("{} {} {version}", start.method, text(&start.target)),
        Some(_) => format!("{version} {} {}", start.status, text(&start.reason)),
    };
    format!("{}{}", line.trim_end(), fields_shown(&start.fields))
}

/// Fields, each in brackets.
fn fields_shown(fields: &List) -> String {
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| format!(" [{}: {}]", text(name), text(value));
    fields
        .chunk_by(|one, other| one == other)
        .map(|equal| format!("{}{}", field(&equal[0]), times(equal.len())))
        .collect()
}

/// How often something stands, if not once.
fn times(often: usize) -> String {
    match often {
        1 => String::new(),
        many => format!(" {many} times"),
    }
}

fn quoted(bytes: &[u8]) -> String {
    match bytes.len() {
        0..=SHOWN_BYTES_MAX => format!("\"{}\"", text(bytes)),
        many => format!("of {many} bytes"),
    }
}

/// Bytes as text, without more escapes than needed.
fn text(bytes: &[u8]) -> String {
    if bytes.len() > SHOWN_BYTES_MAX {
        return format!("{} bytes", bytes.len());
    }
    let character = |byte: &u8| match byte {
        b'"' | b'\'' => char::from(*byte).to_string(),
        other => other.escape_ascii().to_string(),
    };
    bytes.iter().map(character).collect()
}

#[expect(clippy::disallowed_methods, reason = "the scripts are files beside the crate")]
fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    scripts.sort();
    scripts
}

/// The messages of all scripts, whatever is said of them there.
#[expect(clippy::disallowed_methods, reason = "the scripts are files beside the crate")]
pub(super) fn messages() -> Vec<Message> {
    let mut stage = Stage::default();
    for script in scripts() {
        let text = std::fs::read_to_string(&script).unwrap();
        goldenscript::generate(&mut stage, &text).unwrap();
    }
    stage.messages
}

#[test]
fn scripts_tell_the_rules_and_every_refusal() {
    let mut stage = Stage::default();
    for script in scripts() {
        let told = goldenscript::run(&mut stage, &script);
        told.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    }
    assert!(stage.messages.len() > 200, "the scripts are gone");
    let untold = Refusal::ALL
        .iter()
        .map(|refusal| refusal.reason)
        .filter(|reason| !stage.refusals.contains(reason))
        .collect::<Vec<_>>();
    assert!(untold.is_empty(), "in no script: {untold:?}");
}
