//! A warm connection costs no memory: heads and buffers are used again, and nothing beside them is needed.

use allocation_counter::measure;

use super::reading::LIMITS;
use crate::{Asked, Event, Head, Persistence, Reader, Writer};

/// A browser's request, of twelve fields.
const REQUEST: &[u8] = b"GET /shop/cart;x=1?item=42&lang=en HTTP/1.1\r\n\
    Host: shop.example:8443\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://shop.example:8443/shop/\r\n\
    Connection: keep-alive\r\n\
    Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF.n1; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\r\n";

/// An application's answer, of ten fields, in chunks.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: Apache-Coyote/1.1\r\n\
    Set-Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF.n1; Path=/shop; HttpOnly\r\n\
    Set-Cookie: theme=dark\r\n\
    Cache-Control: private\r\n\
    Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    X-Frame-Options: DENY\r\n\
    Content-Type: text/html;charset=UTF-8\r\n\
    Content-Language: en-US\r\n\
    Transfer-Encoding: chunked\r\n\
    Date: Fri, 27 Nov 2026 09:00:00 GMT\r\n\r\n\
    5\r\nhello\r\n0\r\n\r\n";

/// One side of a connection, and what is written of it.
struct Warm {
    reader: Reader,
    writer: Writer,
    read: Head,
    edited: Head,
    out: Vec<u8>,
}

impl Warm {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            writer: Writer::default(),
            read: Head::default(),
            edited: Head::default(),
            out: Vec::new(),
        }
    }

    /// Reads one message, and writes it with all fields but the first and the last but one.
    fn pass_on(&mut self, mut input: &[u8]) -> usize {
        self.out.clear();
        self.read.clear();
        loop {
            let before = self.out.len();
            match self.reader.feed(&mut input, &mut self.read) {
                Event::Head => self.write_head(),
                Event::Data(data) => {
                    let here = self.writer.before(data.len(), &mut self.out);
                    self.out.extend_from_slice(&data[..here]);
                    self.writer.after(here, &mut self.out);
                }
                Event::End => {
                    assert!(self.writer.end(None, &mut self.out) && input.is_empty());
                    return self.out.len();
                }
                other => panic!("{other:?} behind {before} bytes"),
            }
        }
    }

    fn write_head(&mut self) {
        let (head, fields) = (&self.read, self.read.fields.len());
        match head.status() {
            0 => self.edited.set_request(head.method(), [head.target()]),
            status => self.edited.set_response(status, head.reason()),
        }
        self.edited.fields.copy(&head.fields, 1..fields - 2);
        self.edited.fields.push(b"Via", b"1.1 remora");
        self.edited.fields.copy(&head.fields, fields - 1..fields);
        let length = self.reader.length();
        self.writer
            .head(&self.edited, length, Persistence::Unsaid, &mut self.out);
    }
}

#[test]
fn a_warm_connection_allocates_nothing() {
    let mut requests = Warm::new(Reader::of_requests(LIMITS));
    let mut answers = Warm::new(Reader::of_responses(LIMITS));
    let mut exchange = || {
        requests.reader.next();
        answers.reader.next_answer(Asked::Plain);
        (requests.pass_on(REQUEST), answers.pass_on(ANSWER))
    };
    let first = exchange();
    assert_eq!(first, exchange());
    let cost = measure(|| assert_eq!(first, exchange()));
    assert_eq!((cost.count_total, cost.bytes_total), (0, 0));
}
