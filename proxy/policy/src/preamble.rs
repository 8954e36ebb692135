//! The PROXY header, in which a balancer that passes bytes says who its client is, in front of the first byte
//! (version 1 is a line of text, version 2 is binary; haproxy's `proxy-protocol.txt`).
//!
//! Invariants: a header is complete, incomplete or refused, and more bytes never change the first or the last · a
//! complete one says where the client's own bytes begin · nothing lenient: one space between words, no leading zeros,
//! no datagrams · a health check of the balancer (`LOCAL`, `UNKNOWN`) is a client at the balancer's own address.
//!
//! Left out on purpose: the far address, which is ours or the balancer's, and what version 2 appends (TLVs). Own code
//! because the one crate for it (ppp) takes a first line that ends behind a space for malformed instead of incomplete.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest line of version 1, in bytes with its end: as the protocol says.
const LINE_BYTES_MAX: usize = 107;
/// Longest header of version 2, in bytes. 4 KiB: addresses take 52, the rest is room for a certificate's names, which we
/// skip.
pub const PREAMBLE_BYTES_MAX: usize = 4_096;
/// How a line of version 1 begins.
const LINE: &[u8] = b"PROXY ";
/// How a header of version 2 begins: bytes that no other protocol's first ones are.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a header of version 2 before its addresses: signature, command, family, length.
const FIXED_BYTES: usize = 16;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// The beginning of a header; more must come.
    Incomplete,
    /// A header of so many bytes.
    Complete {
        /// Its length; behind it the client speaks.
        length: usize,
        /// The client's address; none when the balancer speaks for itself.
        client: Option<IpAddr>,
    },
    /// No header; a few words say why.
    Refused(&'static str),
}

impl Preamble {
    /// Reads the first bytes of a connection.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Preamble {
        let agrees = |start: &[u8]| bytes.iter().zip(start).all(|(byte, own)| byte == own);
        let (read, start): (fn(&[u8]) -> Preamble, _) = if agrees(SIGNATURE) {
            (binary, FIXED_BYTES)
        } else if agrees(LINE) {
            (line, LINE.len())
        } else {
            return Preamble::Refused("no PROXY header");
        };
        if bytes.len() < start {
            Preamble::Incomplete
        } else {
            read(bytes)
        }
    }
}

/// Version 1, from its prefix on.
fn line(bytes: &[u8]) -> Preamble {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < LINE_BYTES_MAX {
            Preamble::Incomplete
        } else {
            Preamble::Refused("a line of more than 107 bytes")
        };
    };
    let text = within[..end].strip_suffix(b"\r");
    match text.and_then(|text| std::str::from_utf8(&text[LINE.len()..]).ok()) {
        Some(text) if text == "UNKNOWN" || text.starts_with("UNKNOWN ") => complete(end + 1, None),
        Some(text) => addresses(text).map_or(Preamble::Refused("a malformed line"), |client| {
            complete(end + 1, Some(client))
        }),
        None => Preamble::Refused("a malformed line"),
    }
}

/// The client of `TCP4` or `TCP6`, source, destination and both ports.
fn addresses(text: &str) -> Option<IpAddr> {
    let mut words = text.split(' ');
    let family = words.next()?;
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => Some(word.parse::<Ipv4Addr>().ok()?.into()),
            "TCP6" => Some(word.parse::<Ipv6Addr>().ok()?.into()),
            _ => None,
        }
    };
    let (client, _destination) = (address()?, address()?);
    let ports = [words.next()?, words.next()?].into_iter().all(is_port);
    (ports && words.next().is_none()).then_some(client)
}

fn is_port(word: &str) -> bool {
    word.parse::<u16>().is_ok_and(|port| port.to_string() == word)
}

/// Version 2, from its length on.
fn binary(bytes: &[u8]) -> Preamble {
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > PREAMBLE_BYTES_MAX {
        return Preamble::Refused("a header of more than 4,096 bytes");
    }
    let local = match bytes[12] {
        0x20 => true,
        0x21 => false,
        _ => return Preamble::Refused("an unknown version or command"),
    };
    let address_bytes = match bytes[13] {
        0x11 => 12,
        0x21 => 36,
        // Nothing is said, or a socket of the balancer's own machine, which has no address.
        0x00 | 0x31 => 0,
        _ if local => 0,
        _ => return Preamble::Refused("an unknown family, or no stream"),
    };
    if !local && length < FIXED_BYTES + address_bytes {
        return Preamble::Refused("a length below that of its addresses");
    }
    if bytes.len() < length {
        return Preamble::Incomplete;
    }
    let source = &bytes[FIXED_BYTES..length];
    let client = match (local, address_bytes) {
        (false, 12) => source.first_chunk::<4>().map(|source| IpAddr::from(*source)),
        (false, 36) => source.first_chunk::<16>().map(|source| IpAddr::from(*source)),
        _ => None,
    };
    complete(length, client)
}

fn complete(length: usize, client: Option<IpAddr>) -> Preamble {
    let client = client.map(|client| client.to_canonical());
    Preamble::Complete { length, client }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    /// Source 192.0.2.7 (or 2001:db8::7), then zeros.
    fn addresses(bytes: usize) -> Vec<u8> {
        let mut addresses = vec![0; bytes];
        let source: &[u8] = match bytes {
            36.. => &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
            _ => &[192, 0, 2, 7],
        };
        addresses[..source.len()].copy_from_slice(source);
        addresses
    }

    fn good() -> Vec<(Vec<u8>, &'static str)> {
        let line = |text: &str| text.as_bytes().to_vec();
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 16));
        vec![
            (line("PROXY TCP4 192.0.2.7 10.0.0.1 56324 80\r\n"), "192.0.2.7"),
            (line("PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\n"), "192.0.2.7"),
            (line("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"), "2001:db8::7"),
            (line("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7"),
            (line("PROXY UNKNOWN\r\n"), "-"),
            (line("PROXY UNKNOWN anything at all\r\n"), "-"),
            (line(&long), "-"),
            (version_2(0x21, 0x11, &addresses(12)), "192.0.2.7"),
            (version_2(0x21, 0x21, &addresses(36)), "2001:db8::7"),
            (
                version_2(0x21, 0x11, &[addresses(12), vec![3, 0, 4, 1, 2, 3, 4]].concat()),
                "192.0.2.7",
            ),
            (version_2(0x20, 0x00, &[]), "-"),
            (version_2(0x20, 0x11, &addresses(12)), "-"),
            (version_2(0x20, 0xff, &[1, 2, 3]), "-"),
            (version_2(0x21, 0x00, &[1, 2, 3]), "-"),
            (version_2(0x21, 0x31, &[0; 216]), "-"),
        ]
    }

    #[test]
    fn a_header_is_read_wherever_it_is_split_and_not_a_byte_further() {
        for (header, expected) in good() {
            for split in 0..header.len() {
                let read = Preamble::read(&header[..split]);
                assert_eq!(read, Preamble::Incomplete, "{header:?} up to {split}");
            }
            for rest in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"\n", &header] {
                let Preamble::Complete { length, client } = Preamble::read(&[&header, rest].concat()) else {
                    panic!("{header:?}");
                };
                let client = client.map_or("-".to_owned(), |client| client.to_string());
                assert_eq!((length, &*client), (header.len(), expected), "{header:?}");
            }
        }
    }

    #[test]
    fn nothing_else_is_a_header() {
        let lines = [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n",
            "PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 ::1 ::1 1 1\r\n",
            "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY \r\n",
            "PROXY TCP4 1.1.1.1\r1.1.1.1 1 1\r\n",
        ];
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 15));
        let room = u16::try_from(PREAMBLE_BYTES_MAX).unwrap().to_be_bytes();
        let binary = [
            version_2(0x11, 0x11, &addresses(12)),
            version_2(0x22, 0x11, &addresses(12)),
            version_2(0x21, 0x12, &addresses(12)),
            version_2(0x21, 0x41, &addresses(12)),
            version_2(0x21, 0x11, &addresses(11)),
            version_2(0x21, 0x21, &addresses(35)),
            [SIGNATURE, &[0x20, 0], &room].concat(),
        ];
        let lines = lines.iter().map(|line| line.as_bytes().to_vec());
        for wrong in lines.chain([long.into_bytes()]).chain(binary) {
            assert!(
                matches!(Preamble::read(&wrong), Preamble::Refused(_)),
                "{}",
                String::from_utf8_lossy(&wrong)
            );
        }
    }

    #[test]
    fn no_bytes_break_it_and_more_never_change_a_verdict() {
        let examples = good().into_iter().map(|(header, _)| header);
        remora_fuzz::Target::new("a PROXY header")
            .examples(examples)
            .input_bytes_max(160)
            .usual_rounds(2_000)
            .run(|noise| {
                let whole = Preamble::read(noise);
                let mut verdicts = (0..noise.len()).map(|end| Preamble::read(&noise[..end]));
                let first = verdicts.find(|verdict| *verdict != Preamble::Incomplete);
                assert!(first.is_none_or(|first| first == whole), "{noise:?}");
                format!("{whole:?}")
            });
    }
}
