//! An upstream that does what a test tells it to do with each request.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{fields_of, head_end, values};

/// Why a lock is never poisoned: no thread of an upstream panics while it holds one.
const WHOLE: &str = "nobody panics with it";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What followed the last chunk.
    pub(crate) trailers: String,
    /// Number of the connection, from 1.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).first().copied()
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Write these bytes and keep the connection.
    Say(Vec<u8>),
    /// Write these bytes and close.
    SayAndClose(Vec<u8>),
    /// Write these bytes and reset the connection.
    SayAndReset(Vec<u8>),
    /// Wait for [`Upstream::release`], then write these bytes.
    HoldThenSay(Vec<u8>),
    /// Say nothing until the proxy closes; see [`Upstream::abandoned`].
    AwaitClose,
    /// Wait for [`Upstream::release`], then close.
    HoldThenClose,
    /// Write these bytes and keep the connection open until [`Upstream::release`].
    SayAndHold(Vec<u8>),
    /// Write these bytes, then send back every byte that comes.
    Echo(Vec<u8>),
}

impl Act {
    /// A 200 with this text.
    pub(crate) fn text(text: &str) -> Self {
        Self::answer("200 OK", "", text)
    }

    /// Any answer; `fields` are whole lines, each with its CR LF.
    pub(crate) fn answer(status: &str, fields: &str, text: &str) -> Self {
        let length = text.len();
        Self::Say(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{text}").into_bytes())
    }
}

type Script = dyn Fn(&Seen) -> Act + Send + Sync;

/// The upstream.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    script: Box<Script>,
    /// Whether bodies are read.
    bodies: bool,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    /// Connections that the proxy closed while it was owed an answer.
    abandoned: AtomicUsize,
    /// Whether nothing is read or answered any more, as if the process were stopped.
    frozen: AtomicBool,
    /// Whether connections are closed as soon as they are accepted.
    dead: AtomicBool,
    /// Whether the listening socket is to be closed.
    closing: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    released: (Mutex<bool>, Condvar),
}

impl Upstream {
    /// Starts one on a free port.
    pub(crate) fn start(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::with_bodies(true, script)
    }

    /// One that acts when it has read a head, and takes no notice of what follows.
    pub(crate) fn start_with_heads(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::with_bodies(false, script)
    }

    fn with_bodies(bodies: bool, script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let inner = Arc::new(Inner {
            script: Box::new(script),
            bodies,
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            frozen: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            open: Mutex::default(),
            released: (Mutex::new(false), Condvar::new()),
        });
        let accepting = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                let number = accepting.connections.fetch_add(1, Ordering::SeqCst) + 1;
                if accepting.dead.load(Ordering::SeqCst) {
                    continue;
                }
                accepting
                    .open
                    .lock()
                    .expect(WHOLE)
                    .push(stream.try_clone().expect("a second handle"));
                let inner = Arc::clone(&accepting);
                std::thread::spawn(move || inner.serve(stream, number));
            }
        });
        Self { address, inner }
    }

    /// One that answers every request with its name.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |_| Act::text(name))
    }

    /// All requests seen so far, health checks left out.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().expect(WHOLE).clone()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// How often the proxy closed a connection on which it was owed an answer ([`Act::AwaitClose`]).
    pub(crate) fn abandoned(&self) -> usize {
        self.inner.abandoned.load(Ordering::SeqCst)
    }

    /// From now on accepts, but reads and answers nothing, health checks included.
    pub(crate) fn freeze(&self) {
        self.inner.frozen.store(true, Ordering::SeqCst);
    }

    /// Goes on after [`Upstream::freeze`].
    pub(crate) fn thaw(&self) {
        self.inner.frozen.store(false, Ordering::SeqCst);
    }

    /// From now on closes what is open and whatever is accepted.
    pub(crate) fn die(&self) {
        self.inner.dead.store(true, Ordering::SeqCst);
        self.close_all();
    }

    /// Stops listening: from now on connects are refused.
    pub(crate) fn stop_listening(&self) {
        self.inner.closing.store(true, Ordering::SeqCst);
        // Wakes the accept loop, which then drops its socket.
        let _ = TcpStream::connect(self.address);
        super::wait_until("connects are refused", || {
            TcpStream::connect(self.address).is_err()
        });
        self.close_all();
    }

    /// Comes back after [`Upstream::die`].
    pub(crate) fn revive(&self) {
        self.inner.dead.store(false, Ordering::SeqCst);
    }

    /// Closes every open connection, idle ones included.
    pub(crate) fn close_all(&self) {
        for stream in self.inner.open.lock().expect(WHOLE).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets held requests go on.
    pub(crate) fn release(&self) {
        *self.inner.released.0.lock().expect(WHOLE) = true;
        self.inner.released.1.notify_all();
    }
}

impl Inner {
    fn serve(&self, mut stream: TcpStream, connection: usize) {
        let mut buffer = Vec::new();
        while let Some(seen) = self.read_request(&mut stream, &mut buffer, connection) {
            if seen.method == "OPTIONS" && seen.target == "*" {
                if stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .is_err()
                {
                    return;
                }
                continue;
            }
            let act = (self.script)(&seen);
            self.seen.lock().expect(WHOLE).push(seen);
            if !self.perform(&mut stream, act) {
                return;
            }
        }
    }

    /// Whether the connection goes on.
    fn perform(&self, stream: &mut TcpStream, act: Act) -> bool {
        match act {
            Act::Say(bytes) => stream.write_all(&bytes).is_ok(),
            Act::SayAndClose(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
            Act::SayAndReset(bytes) => {
                let _ = stream.write_all(&bytes);
                let socket = socket2::SockRef::from(&*stream);
                let _ = socket.set_linger(Some(Duration::ZERO));
                self.forget(stream);
                false
            }
            Act::SayAndHold(bytes) => {
                let _ = stream.write_all(&bytes);
                self.wait_for_release();
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
            Act::AwaitClose => {
                let mut chunk = [0; 4096];
                while let Ok(1..) = stream.read(&mut chunk) {}
                self.abandoned.fetch_add(1, Ordering::SeqCst);
                false
            }
            Act::HoldThenClose => {
                self.wait_for_release();
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
            Act::HoldThenSay(bytes) => {
                self.wait_for_release();
                stream.write_all(&bytes).is_ok()
            }
            Act::Echo(bytes) => {
                let _ = stream.write_all(&bytes);
                let mut chunk = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut chunk) {
                    if stream.write_all(&chunk[..read]).is_err() {
                        break;
                    }
                }
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
        }
    }

    /// Gives up the second handle, so that dropping the stream closes the socket.
    fn forget(&self, stream: &TcpStream) {
        let address = stream.peer_addr().ok();
        self.open
            .lock()
            .expect(WHOLE)
            .retain(|open| open.peer_addr().ok() != address);
    }

    fn wait_for_release(&self) {
        let (released, changed) = &self.released;
        let mut released = released.lock().expect(WHOLE);
        while !*released {
            released = changed.wait(released).expect(WHOLE);
        }
    }

    fn read_request(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
        let end = loop {
            if let Some(end) = head_end(buffer) {
                break end;
            }
            self.fill(stream, buffer)?;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let mut start = head.lines().next()?.split(' ');
        let mut seen = Seen {
            method: start.next()?.to_owned(),
            target: start.next()?.to_owned(),
            fields: fields_of(&head),
            body: Vec::new(),
            trailers: String::new(),
            connection,
        };
        if !self.bodies {
            return Some(seen);
        }
        if seen.field("transfer-encoding") == Some("chunked") {
            self.read_chunks(stream, buffer, &mut seen)?;
        } else if let Some(length) = seen.field("content-length") {
            let length: usize = length.parse().ok()?;
            while buffer.len() < length {
                self.fill(stream, buffer)?;
            }
            seen.body = buffer.drain(..length).collect();
        }
        Some(seen)
    }

    fn read_chunks(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>, seen: &mut Seen) -> Option<()> {
        loop {
            let size = self.read_line(stream, buffer)?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            while buffer.len() < size + 2 {
                self.fill(stream, buffer)?;
            }
            seen.body.extend(buffer.drain(..size));
            buffer.drain(..2);
        }
        loop {
            let line = self.read_line(stream, buffer)?;
            if line.is_empty() {
                return Some(());
            }
            seen.trailers.push_str(&line);
            seen.trailers.push('\n');
        }
    }

    fn read_line(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
        loop {
            if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
                let line = String::from_utf8_lossy(&buffer[..at]).into_owned();
                buffer.drain(..at + 2);
                return Some(line);
            }
            self.fill(stream, buffer)?;
        }
    }

    /// Reads more; none at the end of the connection or once frozen.
    fn fill(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
        let mut chunk = [0; 64 * 1024];
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        while self.frozen.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        buffer.extend_from_slice(&chunk[..read]);
        Some(())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.release();
        self.die();
    }
}
