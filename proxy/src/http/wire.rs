//! A socket with its two buffers: what was read and not yet understood, and what was written and not yet sent.
//!
//! Invariants: small pieces are gathered behind what already waits and leave with it in one call; large ones leave from where
//! they lie · a wire that rests holds no buffer and costs no system call until something happens to its socket.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::buffers::{BUFFER_BYTES, Buffers};
use super::socket::Socket;

/// Bytes of content that are copied behind a head in place of a second piece for the kernel. 4 KiB: below it the copy is the
/// cheaper.
const GATHERED_BYTES: usize = 4 * 1024;
/// Bytes of frames that are gathered before they leave. 16 KiB, one record of TLS: the answers of many streams go in one call.
const GATHERED_FRAMES_BYTES: usize = BUFFER_BYTES;
/// Bytes that are read at a time where they come fast: a page of images in few calls.
const FAST_BYTES: usize = 64 * 1024;

/// A connected socket.
pub(super) struct Wire {
    socket: Socket,
    buffers: Rc<Buffers>,
    /// Bytes up to which small pieces wait for others.
    gathers: usize,
    /// What was read; up to `taken` it was understood.
    input: Vec<u8>,
    taken: usize,
    /// What was written; up to `sent` the kernel has it.
    output: Vec<u8>,
    sent: usize,
    /// Whether the kernel took a byte since this was reset.
    touched: bool,
}

impl Wire {
    pub(super) fn new(socket: Socket, buffers: Rc<Buffers>) -> Self {
        Self {
            socket,
            buffers,
            gathers: GATHERED_BYTES,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
            touched: false,
        }
    }

    /// One that carries frames.
    pub(super) fn of_frames(socket: Socket, buffers: Rc<Buffers>) -> Self {
        Self {
            gathers: GATHERED_FRAMES_BYTES,
            ..Self::new(socket, buffers)
        }
    }

    /// What was read and not yet understood.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// So many of the bytes were understood.
    pub(super) fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
    }

    /// Where is written to.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        if self.output.capacity() == 0 {
            self.output = self.buffers.take();
        }
        &mut self.output
    }

    /// Whether the kernel took a byte since the last [`Wire::untouched`].
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    pub(super) fn untouched(&mut self) {
        self.touched = false;
    }

    /// Whether something waits to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Reads more behind what was read; 0 at the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() == 0 {
            ready!(self.socket.poll_read_ready(context))?;
            self.input = self.buffers.take();
        }
        self.make_room();
        let full = self.input.capacity();
        let read = pin!(self.socket.read_buf(&mut self.input)).poll(context);
        if read.is_pending() && self.input.is_empty() {
            self.rest();
        }
        let read = ready!(read)?;
        if self.input.len() == full && full < FAST_BYTES {
            self.input.reserve_exact(FAST_BYTES - self.input.len());
        }
        Poll::Ready(Ok(read))
    }

    /// Reads into a buffer of the caller's, past this one's own.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }

    /// Room to read into: what was understood goes, and a line that fills the buffer gets a larger one.
    fn make_room(&mut self) {
        if self.taken > 0 && self.input.len() > self.input.capacity() / 2 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        if self.input.len() == self.input.capacity() {
            self.input.reserve(BUFFER_BYTES);
        }
    }

    /// Sends what waits.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_waiting() {
            let socket = Pin::new(&mut self.socket);
            let sent = ready!(socket.poll_write(context, &self.output[self.sent..]))?;
            self.note_sent(sent)?;
        }
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Takes some of this content, behind what waits; answers how much.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.output.len() - self.sent + data.len() <= self.gathers {
            self.output().extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        loop {
            let waiting = self.output.len() - self.sent;
            let pieces = [IoSlice::new(&self.output[self.sent..]), IoSlice::new(data)];
            let pieces = &pieces[usize::from(waiting == 0)..];
            let sent = ready!(Pin::new(&mut self.socket).poll_write_vectored(context, pieces))?;
            self.note_sent(sent)?;
            if sent > waiting {
                return Poll::Ready(Ok(sent - waiting));
            }
        }
    }

    /// The kernel took so many bytes: of what waits first, of a piece of content then.
    fn note_sent(&mut self, sent: usize) -> io::Result<()> {
        if sent == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.touched = true;
        self.sent += sent;
        if self.sent >= self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// Whether an orderly end has to be told by more than closing.
    pub(super) fn tells_end(&self) -> bool {
        self.socket.tells_end()
    }

    /// Ends the sending direction.
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    /// Closes with a reset in place of an orderly end. A reset that cannot be set is no worse than a close.
    pub(super) fn reset(&self) {
        let _no_worse = self.socket.tcp().set_zero_linger();
    }

    /// Takes back [`Wire::reset`].
    pub(super) fn end_in_order(&self) {
        let _only_a_reset = SockRef::from(self.socket.tcp()).set_linger(None);
    }

    /// Gives back the buffers that hold nothing.
    pub(super) fn rest(&mut self) {
        if self.bytes().is_empty() {
            self.taken = 0;
            self.buffers.give(std::mem::take(&mut self.input));
        }
        if !self.is_waiting() {
            self.sent = 0;
            self.buffers.give(std::mem::take(&mut self.output));
        }
    }

    /// The socket, and what was read and not understood, which is now the caller's.
    pub(super) fn parts(&mut self) -> (&mut Socket, Vec<u8>) {
        let mut early = std::mem::take(&mut self.input);
        early.drain(..self.taken);
        self.taken = 0;
        (&mut self.socket, early)
    }
}
