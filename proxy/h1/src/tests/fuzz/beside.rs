//! Beside hyper: what both take they read alike, and where one refuses what the other takes, the difference is listed.
//!
//! Alike are method, target, status, fields in order under each name, content, trailers, whether the connection goes on, and where
//! the next message begins: requests are followed by another, an answer is given to hyper up to the byte where it ends for
//! us, and up to the byte before. Left out: the words of a status and the case of names, which hyper does not keep.

use std::collections::BTreeSet;

use super::super::reading::{Account, Side, Start, Told};
use super::oracle::{self, Rest};
use super::{side, target, wide, word, written};
use crate::{Asked, AtEnd, Head, Version};

/// One message, in words of neither reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) first: First,
    /// It speaks HTTP/1.0; of informational heads hyper does not say so.
    pub(super) is_of_old: bool,
    /// By names in lower case; of one name in the order in which they came.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) content: Vec<u8>,
    pub(super) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) is_whole: bool,
}

impl Message {
    /// No informational head.
    fn is_last(&self) -> bool {
        !matches!(self.first, First::Answer(100 | 102..=199))
    }
}

/// What a first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum First {
    Request {
        method: String,
        authority: Option<Vec<u8>>,
        path: Vec<u8>,
    },
    Answer(u16),
}

/// What hyper holds beside the bytes, at most: its buffers for a connection, however little comes.
const ORACLE_BYTES: usize = 1024 * 1024;

/// Fields by their names.
pub(super) fn sorted<'f>(fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut list: Vec<_> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
        .collect();
    list.sort_by(|one, other| one.0.cmp(&other.0));
    list
}

/// What is refused here and taken by hyper, and where. What is refused for another reason hyper refuses as well.
const STRICTER: &[(&str, &str)] = &[
    ("authority", "an address whose host is not the Host"),
    ("bare-lf", "a line that ends with LF alone"),
    (
        "chunk",
        "blanks behind a size, zeros before it, control bytes in an extension",
    ),
    (
        "content-length",
        "a length twice, or one that means nothing: of a 304, to HEAD",
    ),
    (
        "encoding-of-old",
        "an encoding that means nothing: of a 304, to HEAD",
    ),
    ("expectation", "anything but 100-continue"),
    ("fields-too-many", "a bound of its own, which is higher"),
    ("fragment", "a target with #, which it cuts off"),
    ("head-too-large", "a bound of its own, which is higher"),
    ("host", "any value"),
    ("host-empty", "any value"),
    ("host-missing", "none in HTTP/1.1"),
    ("host-twice", "several"),
    ("informational-heads", "as many as come"),
    ("length-and-encoding", "both, of which it drops the length"),
    ("method", "TRACE, and CONNECT"),
    ("request-line", "more than one line end before it"),
    ("status-line", "line ends before it"),
    ("target", "a word, other schemes, a query without a path"),
    ("target-too-long", "a bound of its own, which is higher"),
    ("trailers", "a bound of its own, which is higher"),
    (
        "transfer-encoding",
        "anything before chunked, and in an answer anything",
    ),
    ("unasked-upgrade", "a 101 to any request"),
];

/// Bytes of a target that hyper refuses: those that an address must not have. Here they are the application's to judge, which gets
/// them as they came.
fn has_odd_target(message: &Message) -> bool {
    let odd = |byte: &u8| *byte >= 0x80 || b"<>`\"".contains(byte);
    matches!(&message.first, First::Request { path, .. } if path.iter().any(odd))
}

/// A `Connection` that hyper does not look into because of a byte above 127, in whatever word.
fn has_odd_connection(message: &Message) -> bool {
    let mut fields = message.fields.iter();
    fields.any(|(name, value)| name == b"connection" && !value.is_ascii())
}

/// The messages of an account.
fn messages(account: &Account) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for (told, _) in &account.told {
        match (told, messages.last_mut()) {
            (Told::Head(start, _), _) => messages.push(message(start)),
            (Told::Upgrade(start), _) => messages.push(Message {
                is_whole: true,
                ..message(start)
            }),
            (Told::Informational(start), _) => messages.push(Message {
                is_whole: true,
                is_of_old: false,
                ..message(start)
            }),
            (Told::Content(data), Some(last)) => last.content.extend_from_slice(data),
            (Told::Trailers(list), Some(last)) => {
                last.trailers = sorted(list.iter().map(|(name, value)| (&name[..], &value[..])));
            }
            (Told::End(_) | Told::Ended(AtEnd::Whole), Some(last)) => last.is_whole = true,
            _ => {}
        }
    }
    messages
}

fn message(start: &Start) -> Message {
    let first = match start.status {
        0 => {
            let head = Head::request(&start.method, &start.target);
            First::Request {
                method: start.method.clone(),
                authority: head.authority().map(<[u8]>::to_vec),
                path: head.path_and_query().to_vec(),
            }
        }
        status => First::Answer(status),
    };
    Message {
        first,
        is_of_old: start.version == Version::Http10,
        fields: sorted(start.fields.iter().map(|(name, value)| (&name[..], &value[..]))),
        content: Vec::new(),
        trailers: Vec::new(),
        is_whole: false,
    }
}

fn whole(messages: &[Message]) -> impl Iterator<Item = &Message> {
    messages.iter().take_while(|message| message.is_whole)
}

/// Both read some requests. What each says of the first that is not whole for both decides.
fn compare_requests(side: &Side, bytes: &[u8]) -> Result<String, String> {
    let account = side.read([bytes]);
    let ours = messages(&account);
    let (theirs, rest) = oracle::requests(bytes);
    let (many, of_them) = (whole(&ours).count(), whole(&theirs).count());
    let common = many.min(of_them);
    let otherwise = ours
        .iter()
        .zip(&theirs)
        .take(common)
        .find(|(our, their)| our != their);
    if let Some((our, their)) = otherwise {
        return Err(format!("{our:?} is to hyper {their:?}"));
    }
    let last = account.told.last().map(|(told, _)| told);
    if ours.get(common).is_some_and(has_odd_target) || ours[..common].last().is_some_and(has_odd_connection) {
        return Ok("looser".to_owned());
    }
    match last {
        Some(Told::Refused(refusal)) if of_them > common => return stricter(refusal.reason),
        Some(Told::Refused(_)) => {}
        // What breaks a chunk's line hyper sees before the line ends.
        Some(Told::Ended(AtEnd::Cut)) if many == of_them => {}
        _ if many > common => return Err("hyper refuses it".to_owned()),
        _ if of_them > common => return Err("hyper reads on".to_owned()),
        Some(Told::End(false)) if rest == Rest::Open => return Err("hyper does not close".to_owned()),
        Some(Told::End(false)) => {}
        _ if rest != Rest::Open => return Err("hyper closes".to_owned()),
        _ => {}
    }
    Ok(word(&account))
}

/// Both read an answer: hyper up to where it ends for us, and where that is the connection's end, that as well.
fn compare_answer(side: &Side, asked: Asked, bytes: &[u8]) -> Result<String, String> {
    let account = side.read([bytes]);
    let ours = messages(&account);
    let last = account.told.last().map(|(told, _)| told);
    let until_close = last == Some(&Told::Ended(AtEnd::Whole));
    let is_whole = until_close || matches!(last, Some(Told::End(_) | Told::Upgrade(_)));
    let taken = if is_whole { &bytes[..account.taken] } else { bytes };
    let (theirs, rest) = oracle::answer(asked, taken, until_close);
    let takes = whole(&theirs).any(Message::is_last);
    match last {
        Some(Told::Refused(refusal)) if takes => return stricter(refusal.reason),
        Some(Told::Refused(_)) => {}
        _ if !is_whole && takes => return Err("hyper does not wait".to_owned()),
        _ if !is_whole => {}
        _ if !takes => return Err("hyper refuses it".to_owned()),
        _ if ours != theirs => return Err(format!("{ours:?} are to hyper {theirs:?}")),
        _ if ours.last().is_some_and(has_odd_connection) => return Ok("looser".to_owned()),
        Some(Told::End(keeps)) if *keeps != (rest == Rest::Open) => {
            return Err(format!("{keeps} that it goes on, but to hyper {rest:?}"));
        }
        Some(Told::End(_)) => {
            let (shorter, _) = oracle::answer(asked, &taken[..taken.len() - 1], false);
            if whole(&shorter).any(Message::is_last) {
                return Err("hyper ends sooner".to_owned());
            }
        }
        _ => {}
    }
    Ok(word(&account))
}

/// Both read some bytes, and what was written of them.
fn compare(side: &Side, bytes: &[u8]) -> Result<String, String> {
    let both = |side: &Side, bytes: &[u8]| match side.asked {
        None => compare_requests(side, bytes),
        Some(asked) => compare_answer(side, asked, bytes),
    };
    let said = both(side, bytes)?;
    let again = written(&side.read([bytes]));
    match both(&wide(side), &again) {
        Ok(_) => Ok(said),
        Err(what) => Err(format!("written as b\"{}\": {what}", again.escape_ascii())),
    }
}

fn stricter(reason: &str) -> Result<String, String> {
    match STRICTER.iter().any(|(listed, _)| *listed == reason) {
        true => Ok(reason.to_owned()),
        false => Err(format!("hyper takes what is refused: {reason}")),
    }
}

fn run(name: &'static str, asked: Option<Asked>) {
    let side = side(asked);
    let target = target(name, &side).memory(64, ORACLE_BYTES);
    target.run(|bytes| compare(&side, bytes).unwrap_or_else(|what| panic!("{what}")));
}

#[test]
fn requests_are_read_as_hyper_reads_them() {
    run("requests beside hyper", None);
}

#[test]
fn answers_are_read_as_hyper_reads_them() {
    run("answers beside hyper", Some(Asked::Plain));
    run("answers to HEAD beside hyper", Some(Asked::Head));
    run("answers to an upgrade beside hyper", Some(Asked::Upgrade));
}

#[test]
fn drawn_messages_are_read_as_hyper_reads_them() {
    for (side, bytes) in super::super::drawn::messages() {
        compare(&side, &bytes).unwrap_or_else(|what| panic!("b\"{}\": {what}", bytes.escape_ascii()));
    }
}

/// The scripts within their own bounds: what is listed as stricter occurs there, and nothing else is stricter.
#[test]
fn scripts_show_where_hyper_is_less_strict() {
    let mut met = BTreeSet::new();
    for (side, bytes) in super::super::scripts::messages() {
        let said = compare(&side, &bytes);
        met.insert(said.unwrap_or_else(|what| panic!("b\"{}\": {what}", bytes.escape_ascii())));
    }
    let mut idle = STRICTER.iter().filter(|(reason, _)| !met.contains(*reason));
    assert_eq!(idle.next(), None, "in no script");
}
