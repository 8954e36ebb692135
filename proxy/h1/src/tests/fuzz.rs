//! Any bytes may be given to a reader: they are read or refused, alike however they are split; never more is held than they are
//! worth; what was read is written as something that reads the same; and hyper, where it takes them too, reads the same.

use remora_fuzz::{Draw, Target};

use super::drawn;
use super::reading::{Account, List, Side, Start, Told};
use super::scripts::messages;
use crate::{Asked, AtEnd, Fields, Head, Length, Limits, Persistence, Version, Writer};

mod beside;
mod oracle;

/// Small, so that changes of small messages meet them.
const LIMITS: Limits = Limits {
    head_bytes: 1024,
    fields: 16,
    target_bytes: 128,
};

/// Longest input: a few messages that each meet the bounds.
const INPUT_BYTES_MAX: usize = 4 * 1024;

/// What means something to a reader.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    ":",
    " ",
    "\t",
    ";a=b",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "ffffffffffffffff",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD",
    "OPTIONS *",
    "http://a",
    " HTTP/1.0\r\n",
    " HTTP/1.1\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "101",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Trailer: X\r\n",
    "X: y\r\n",
];

/// The messages of the scripts, and drawn ones, that are read on such a side.
fn target(name: &'static str, side: &Side) -> Target {
    let of_side = messages()
        .into_iter()
        .chain(drawn::messages())
        .filter(|(own, _)| own.asked == side.asked)
        .map(|(_, bytes)| bytes)
        .filter(|bytes| bytes.len() < LIMITS.head_bytes);
    Target::new(name)
        .examples(of_side)
        .words(WORDS)
        .input_bytes_max(INPUT_BYTES_MAX)
}

fn side(asked: Option<Asked>) -> Side {
    Side {
        asked,
        limits: LIMITS,
    }
}

/// The same side within bounds that nothing written meets: a written head may be longer than the one that was read.
fn wide(side: &Side) -> Side {
    Side {
        asked: side.asked,
        limits: Limits {
            head_bytes: 128 * 1024,
            fields: oracle::FIELDS_MAX,
            target_bytes: 128 * 1024,
        },
    }
}

/// What was read, without what was in it.
fn word(account: &Account) -> String {
    let word = |(told, _): &(Told, usize)| match told {
        Told::Head(_, length) => match length {
            Length::Known(_) => "head with length".to_owned(),
            other => format!("head {other:?}"),
        },
        Told::Refused(refusal) => refusal.reason.to_owned(),
        Told::Ended(end) => format!("{end:?}"),
        Told::End(keeps) => format!("end {keeps}"),
        Told::Informational(_) => "informational".to_owned(),
        Told::Content(_) => "content".to_owned(),
        Told::Trailers(_) => "trailers".to_owned(),
        Told::Upgrade(_) => "upgrade".to_owned(),
    };
    let words: Vec<String> = account.told.iter().take(8).map(word).collect();
    words.join(", ")
}

/// Reads some bytes, in pieces as well, and what was written of them.
fn try_out(side: &Side, bytes: &[u8]) -> String {
    let account = side.read([bytes]);
    let in_pieces = |pieces: &[&[u8]]| {
        let split = side.read(pieces.iter().copied());
        match account.refusal() {
            None => assert_eq!(split, account),
            Some(_) => assert_eq!(kinds(&split), kinds(&account)),
        }
    };
    let ones: Vec<&[u8]> = bytes.chunks(1).collect();
    in_pieces(&ones);
    let mut draw = Draw::new(bytes.len() as u64);
    let at = usize::try_from(draw.number() % (bytes.len() as u64 + 1)).unwrap();
    in_pieces(&[&bytes[..at], &bytes[at..]]);
    let again = written(&account);
    assert_eq!(
        said(&wide(side).read([&again[..]])),
        said(&account),
        "written as b\"{}\"",
        again.escape_ascii()
    );
    word(&account)
}

fn kinds(account: &Account) -> Vec<&Told> {
    account.told.iter().map(|(told, _)| told).collect()
}

/// The whole messages of an account, written anew.
fn written(account: &Account) -> Vec<u8> {
    let told: Vec<&Told> = whole(account).collect();
    let mut out = Vec::new();
    for message in told.split_inclusive(|told| matches!(told, Told::End(_) | Told::Ended(_))) {
        let persistence = match message.last() {
            Some(Told::End(true)) => Persistence::Unsaid,
            _ => Persistence::Close,
        };
        write(message, persistence, &mut out);
    }
    out
}

fn write(message: &[&Told], persistence: Persistence, out: &mut Vec<u8>) {
    let (mut writer, mut trailers) = (Writer::default(), None);
    for told in message {
        match told {
            Told::Head(start, length) => writer.head(&head(start), *length, persistence, out),
            Told::Informational(start) | Told::Upgrade(start) => Writer::bare(&head(start), out),
            Told::Content(data) => {
                let mut left = &data[..];
                while !left.is_empty() {
                    // As if the socket took half.
                    let here = writer.before(left.len(), out).div_ceil(2);
                    assert!(here > 0, "no room for content that was read");
                    out.extend_from_slice(&left[..here]);
                    writer.after(here, out);
                    left = &left[here..];
                }
            }
            Told::Trailers(list) => trailers = Some(fields(list)),
            Told::End(_) | Told::Ended(_) => {
                assert!(writer.end(trailers.as_ref(), out), "a whole message that is not");
            }
            Told::Refused(_) => {}
        }
    }
}

/// What was told of messages that are whole.
fn whole(account: &Account) -> impl Iterator<Item = &Told> {
    let ends = |(told, _): &(Told, usize)| {
        matches!(told, Told::End(_) | Told::Upgrade(_) | Told::Ended(AtEnd::Whole))
    };
    let end = account.told.iter().rposition(ends).map_or(0, |last| last + 1);
    account.told[..end].iter().map(|(told, _)| told)
}

/// The same, as far as it must not change when it is written anew: the version becomes ours, and what frames a message or
/// ends its connection is said in our words.
fn said(account: &Account) -> Vec<Told> {
    whole(account)
        .map(|told| {
            let mut told = told.clone();
            if let Told::Head(start, _) | Told::Informational(start) | Told::Upgrade(start) = &mut told {
                start.version = Version::Http11;
                start.fields = head_fields(start);
            }
            told
        })
        .collect()
}

/// The fields of a head without those that the writer says anew; a request of old without Host gets one.
fn head_fields(start: &Start) -> List {
    let mut list = start.fields.clone();
    list.retain(|(name, _)| {
        !name.eq_ignore_ascii_case(b"transfer-encoding") && !name.eq_ignore_ascii_case(b"connection")
    });
    let has_host = list.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    if start.status == 0 && !has_host {
        let host = Head::request("GET", &start.target);
        let host = host.authority().unwrap_or(b"old");
        list.push((b"host".to_vec(), host.to_vec()));
    }
    list
}

fn fields(list: &List) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name, value);
    }
    fields
}

fn head(start: &Start) -> Head {
    let mut head = Head::default();
    match start.status {
        0 => head.set_request(&start.method, [&start.target[..]]),
        status => head.set_response(status, &start.reason),
    }
    let list = fields(&head_fields(start));
    head.fields.copy(&list, 0..list.len());
    head
}

#[test]
fn any_bytes_are_requests_or_refused() {
    let side = side(None);
    target("requests", &side).run(|bytes| try_out(&side, bytes));
}

#[test]
fn any_bytes_are_an_answer_or_refused() {
    let side = side(Some(Asked::Plain));
    target("answers", &side).run(|bytes| try_out(&side, bytes));
}

#[test]
fn any_bytes_are_an_answer_to_head_or_refused() {
    let side = side(Some(Asked::Head));
    target("answers to HEAD", &side).run(|bytes| try_out(&side, bytes));
}

#[test]
fn any_bytes_are_an_answer_to_an_upgrade_or_refused() {
    let side = side(Some(Asked::Upgrade));
    target("answers to an upgrade", &side).run(|bytes| try_out(&side, bytes));
}
