//! Messages that nobody wrote by hand: each drawn from what is allowed, so that it is read whole.
//!
//! Left out: what is refused, which the scripts name and changes of messages find.

use remora_fuzz::Draw;

use super::reading::{Side, Told};
use super::splits::assert_splits_change_nothing;
use crate::Asked;

/// Messages that are drawn of each kind.
const DRAWN: u64 = 200;

/// Draws the pieces of a message, one behind the other.
pub(super) struct Pen {
    draw: Draw,
    bytes: Vec<u8>,
}

impl Pen {
    /// A few requests, one behind the other, the last of which may close.
    pub(super) fn requests(seed: u64) -> Vec<u8> {
        let mut pen = Self::new(seed);
        for last in [false, false, true] {
            if pen.one_in(4) {
                pen.write(&["\r\n"]);
            }
            let absolute = pen.one_in(4);
            let path = pen.of(&["/", "/a/b;c=d", "/a?b=c&d=%2F", "//a/./..", "/%zz"]);
            let method = pen.of(&["GET", "POST", "PUT", "DELETE", "M-SEARCH", "get"]);
            let host = pen.of(&["a", "shop.example:8443", "[::1]:80", "192.0.2.1"]);
            pen.write(&[method, " ", if absolute { "HTTP://" } else { "" }]);
            pen.write(&[if absolute { host } else { "" }, path, " HTTP/1.1\r\n"]);
            pen.fields();
            let name = pen.of(&["Host:", "host: ", "HOST:\t"]);
            pen.write(&[name, host, "\r\n"]);
            if last {
                let value = pen.of(&["close", "keep-alive", "x, Close", "upgrade"]);
                pen.write(&["Connection: ", value, "\r\n"]);
            }
            pen.fields();
            let framing = pen.below(3);
            pen.content(framing);
        }
        pen.bytes
    }

    /// An answer to a GET, perhaps behind informational heads, with bytes behind it that are not its own.
    pub(super) fn answer(seed: u64) -> Vec<u8> {
        let mut pen = Self::new(seed);
        while pen.one_in(3) {
            let first = pen.of(&["100 Continue", "103 Early Hints", "102"]);
            pen.write(&["HTTP/1.1 ", first, "\r\n"]);
            pen.fields();
            pen.write(&["\r\n"]);
        }
        let version = pen.of(&["HTTP/1.1 ", "HTTP/1.1 ", "HTTP/1.0 "]);
        let first = pen.of(&[
            "200 OK",
            "404",
            "500 ",
            "419 Authentication Timeout",
            "204 Nothing",
            "304 Same",
        ]);
        pen.write(&[version, first, "\r\n"]);
        pen.fields();
        if pen.one_in(2) {
            let value = pen.of(&["close", "keep-alive", "Keep-Alive, x"]);
            pen.write(&["connection: ", value, "\r\n"]);
        }
        // No chunks where there are none.
        let framing = match (version, first.as_bytes()[0]) {
            ("HTTP/1.0 ", _) => pen.below(2),
            (_, b'3') => 0,
            _ if first.starts_with("204") => 0,
            _ => pen.below(3),
        };
        pen.content(framing);
        if framing > 0 && pen.one_in(3) {
            pen.write(&["HTTP/1.1 200 Unasked\r\n"]);
        }
        pen.bytes
    }

    fn new(seed: u64) -> Self {
        Self {
            draw: Draw::new(seed),
            bytes: Vec::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw.number() % bound
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        let drawn = self.below(words.len() as u64);
        words[usize::try_from(drawn).unwrap()]
    }

    fn write(&mut self, words: &[&str]) {
        words
            .iter()
            .for_each(|word| self.bytes.extend_from_slice(word.as_bytes()));
    }

    fn fields(&mut self) {
        while !self.one_in(3) {
            let name = self.of(&[
                "Cookie",
                "cookie",
                "X-Mixed-CASE",
                "Set-Cookie",
                "a",
                "Trailer",
                "!#$%&'*",
            ]);
            let blank = self.of(&["", " ", "\t ", "   "]);
            let value = self.of(&[
                "",
                "1",
                "a=b; c=d",
                "with  blanks",
                "\u{e9}",
                ":,;\"\\",
                "text/html",
            ]);
            let behind = self.of(&["", "", " ", "\t"]);
            self.write(&[name, ":", blank, value, behind, "\r\n"]);
        }
    }

    /// The end of a head, and content: none, of a length, in chunks.
    fn content(&mut self, framing: u64) {
        match framing {
            0 => self.write(&["\r\n"]),
            1 => {
                let length = self.below(40);
                self.write(&["Content-Length: ", &length.to_string(), "\r\n\r\n"]);
                self.data(length);
            }
            _ => {
                let coding = self.of(&["chunked", "Chunked"]);
                self.write(&["Transfer-Encoding: ", coding, "\r\n\r\n"]);
                while !self.one_in(3) {
                    let length = 1 + self.below(40);
                    let zeros = self.of(&["", "0", "000"]);
                    let extension = self.of(&["", "", ";a", " ; a=\"b c\""]);
                    self.write(&[zeros, &format!("{length:x}"), extension, "\r\n"]);
                    self.data(length);
                    self.write(&["\r\n"]);
                }
                self.write(&["0\r\n"]);
                if self.one_in(2) {
                    self.fields();
                }
                self.write(&["\r\n"]);
            }
        }
    }

    fn data(&mut self, bytes: u64) {
        for _ in 0..bytes {
            let byte = self.draw.number().to_le_bytes()[0];
            self.bytes.push(byte);
        }
    }
}

/// Streams of requests and answers, each with the side that reads it.
pub(super) fn messages() -> impl Iterator<Item = (Side, Vec<u8>)> {
    let requests = (0..DRAWN).map(|seed| (Side::requests(), Pen::requests(seed)));
    let answers = (0..DRAWN).map(|seed| (Side::answer(Asked::Plain), Pen::answer(seed)));
    requests.chain(answers)
}

#[test]
fn drawn_messages_are_read_whole_and_alike_however_they_are_split() {
    let mut ends = 0;
    for (seed, (side, bytes)) in (0..).zip(messages()) {
        let account = side.read([&bytes[..]]);
        let text = bytes.escape_ascii();
        assert_eq!(account.refusal(), None, "b\"{text}\"");
        ends += account
            .told
            .iter()
            .filter(|(told, _)| matches!(told, Told::End(_)))
            .count();
        assert_splits_change_nothing(&side, &bytes, seed);
    }
    assert!(ends > 600, "only {ends} messages were whole");
}
