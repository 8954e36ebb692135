//! A client that sends exactly the bytes it is given, in clear or over TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::{PATIENCE, fields_of, head_end, values};

/// Time between two bytes of a client that is slow.
const SIP: Duration = Duration::from_millis(5);

/// Bytes of a segment and of what the kernel takes in, for a client that takes little. Some dozens of segments, so that a reader
/// is not slow by itself.
const NARROW_SEGMENT: u32 = 1_000;
const NARROW_BUFFER: usize = 64 * 1024;

/// One connection to the proxy.
pub(crate) struct Client {
    stream: TcpStream,
    secured: Option<Box<ClientConnection>>,
    buffer: Vec<u8>,
}

/// One response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: String,
    /// Whether the body ended as its framing promised.
    pub(crate) complete: bool,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).first().copied()
    }

    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the proxy accepts"))
    }

    /// One from this address of the loopback.
    pub(crate) fn connect_from(own: &str, address: SocketAddr) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let own: IpAddr = own.parse().expect("an address");
        socket
            .bind(&SocketAddr::new(own, 0).into())
            .expect("an address of the loopback");
        socket.connect(&address.into()).expect("the proxy accepts");
        Self::over(socket.into())
    }

    /// One for which the kernel keeps little on its way: segments are small, and so is what is taken before it is read.
    pub(crate) fn connect_narrow(address: SocketAddr) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_tcp_mss(NARROW_SEGMENT).expect("small segments");
        socket
            .set_recv_buffer_size(NARROW_BUFFER)
            .expect("a small buffer");
        socket.connect(&address.into()).expect("the proxy accepts");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            secured: None,
            buffer: Vec::new(),
        }
    }

    /// The same over TLS, from here on.
    pub(crate) fn secure(mut self, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let secured = ClientConnection::new(Arc::clone(config), name).expect("a good configuration");
        let mut secured = Box::new(secured);
        while secured.is_handshaking() {
            secured.complete_io(&mut self.stream)?;
        }
        self.secured = Some(secured);
        Ok(self)
    }

    /// Its TLS.
    pub(crate) fn secured(&self) -> &ClientConnection {
        self.secured.as_ref().expect("it is over TLS")
    }

    /// Sends, in as many steps as it takes.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.secured {
            None => self.stream.write_all(bytes),
            Some(secured) => {
                let mut stream = rustls::Stream::new(secured.as_mut(), &mut self.stream);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match &mut self.secured {
            None => self.stream.read(to),
            Some(secured) => rustls::Stream::new(secured.as_mut(), &mut self.stream).read(to),
        }
    }

    /// How the connection ends: whether in order, or as one that broke off. Waits for it.
    pub(crate) fn ends_in_order(&mut self) -> bool {
        loop {
            match self.fill() {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).expect("the proxy reads");
    }

    /// Whether another GET was answered; not so once the proxy has closed.
    pub(crate) fn keeps_asking(&mut self) -> bool {
        let sent = self.try_send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
        sent.is_ok() && self.try_response("GET").is_some()
    }

    /// Ends the sending direction.
    pub(crate) fn finish(&mut self) {
        if let Some(secured) = &mut self.secured {
            secured.send_close_notify();
            secured.write_tls(&mut self.stream).expect("the proxy reads");
        }
        self.stream.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// A GET with `Host: shop` and these whole field lines.
    pub(crate) fn get(&mut self, target: &str, fields: &str) -> Response {
        self.request("GET", target, fields, "")
    }

    /// Any request with a Content-Length.
    pub(crate) fn request(&mut self, method: &str, target: &str, fields: &str, body: &str) -> Response {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: shop\r\n{fields}{length}\r\n{body}"
        ));
        self.response_to(method)
    }

    /// The next response; panics when there is none.
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The next response, given the method that it answers.
    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        self.try_response(method).expect("a response")
    }

    /// The next response, or none when the proxy closed before its head was complete.
    pub(crate) fn try_response(&mut self, method: &str) -> Option<Response> {
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            self.fill().ok().filter(|read| *read > 0)?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status line");
        let fields = fields_of(&head);
        let mut response = Response {
            status,
            head,
            fields,
            body: Vec::new(),
            trailers: String::new(),
            complete: true,
        };
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Some(response);
        }
        if response.field("transfer-encoding") == Some("chunked") {
            response.complete = self.read_chunks(&mut response).is_some();
        } else if let Some(length) = response.field("content-length") {
            let length: usize = length.parse().expect("a number");
            while self.buffer.len() < length && self.fill().is_ok_and(|read| read > 0) {}
            response.complete = self.buffer.len() >= length;
            response.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        } else {
            let ended = loop {
                match self.fill() {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(_) => break false,
                }
            };
            response.complete = ended;
            response.body = std::mem::take(&mut self.buffer);
        }
        Some(response)
    }

    fn read_chunks(&mut self, response: &mut Response) -> Option<()> {
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            while self.buffer.len() < size + 2 {
                self.fill().ok().filter(|read| *read > 0)?;
            }
            response.body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(());
            }
            response.trailers.push_str(&line);
            response.trailers.push('\n');
        }
    }

    /// The next chunk of a body whose head was read.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let size = self.line().expect("a chunk");
        let size = usize::from_str_radix(&size, 16).expect("its size");
        let mut chunk = self.bytes(size + 2);
        chunk.truncate(size);
        chunk
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Some(line);
            }
            self.fill().ok().filter(|read| *read > 0)?;
        }
    }

    /// Sends one byte after the other, some milliseconds apart, until the proxy answers.
    pub(crate) fn trickles(&mut self, method: &str) -> Response {
        self.pause_reads();
        let began = Instant::now();
        while head_end(&self.buffer).is_none() {
            assert!(began.elapsed() < PATIENCE, "still no answer");
            // An answer may be there although the proxy reads no more.
            let _ = self.try_send(b"x");
            let ended = self.fill().is_ok_and(|read| read == 0);
            assert!(!ended, "the proxy closed without an answer");
        }
        self.stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a read timeout");
        self.response_to(method)
    }

    /// Takes little at a time until the proxy closes: how many bytes came.
    pub(crate) fn sips(&mut self) -> usize {
        let mut sip = [0; 512];
        let mut taken = 0;
        let began = Instant::now();
        while let Ok(read @ 1..) = self.read(&mut sip) {
            taken += read;
            assert!(began.elapsed() < PATIENCE, "still open");
            std::thread::park_timeout(SIP);
        }
        taken
    }

    fn pause_reads(&mut self) {
        self.stream.set_read_timeout(Some(SIP)).expect("a read timeout");
    }

    /// Exactly `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().expect("bytes in time") > 0, "the proxy closed");
        }
        self.buffer.drain(..length).collect()
    }

    /// The same; none if the connection ends before.
    pub(crate) fn try_bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !matches!(self.fill(), Ok(1..)) {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Whether the proxy has closed the connection; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.fill() {
            Ok(read) => read == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let read = self.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}
