//! The two directions of a WebSocket over one stream, read and written as those of a socket.
//!
//! Invariants: what is read is released to the client, what is written has room there · the end of a direction is that of its half
//! of the stream; a stream that ends otherwise is an error in both.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::buffers::{BUFFER_BYTES, Buffers};
use super::load::{Afoot, Load};
use super::pipe::Earnings;
use super::stream::{broken, poll_room};

/// What the client says. Released to it as it is read.
pub(in super::super) struct FromClient<'s> {
    receive: &'s mut RecvStream,
    data: Bytes,
}

impl<'s> FromClient<'s> {
    pub(super) fn new(receive: &'s mut RecvStream) -> Self {
        let data = Bytes::new();
        Self { receive, data }
    }
}

impl AsyncRead for FromClient<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { receive, data } = self.get_mut();
        while data.is_empty() {
            match ready!(receive.poll_data(context)) {
                Some(Ok(more)) => *data = more,
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let read = data.len().min(buffer.remaining());
        buffer.put_slice(&data[..read]);
        data.advance(read);
        // A stream that is over needs no room.
        let _over = receive.flow_control().release_capacity(read);
        Poll::Ready(Ok(()))
    }
}

/// What it is told.
pub(in super::super) struct ToClient<'s> {
    /// None where the stream was over before.
    send: Option<&'s mut SendStream<Load>>,
    ended: bool,
    buffers: &'s Rc<Buffers>,
    afoot: &'s Rc<Afoot>,
    earnings: &'s Earnings,
}

impl<'s> ToClient<'s> {
    pub(super) fn new(
        send: Option<&'s mut SendStream<Load>>,
        buffers: &'s Rc<Buffers>,
        (afoot, earnings): (&'s Rc<Afoot>, &'s Earnings),
    ) -> Self {
        Self {
            send,
            ended: false,
            buffers,
            afoot,
            earnings,
        }
    }

    fn send(&mut self) -> io::Result<&mut SendStream<Load>> {
        self.send.as_deref_mut().ok_or(ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for ToClient<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.afoot.poll_room(context));
        let room = ready!(poll_room(this.send()?, data.len().min(BUFFER_BYTES), context))?;
        let mut load = this.buffers.take();
        load.extend_from_slice(&data[..room]);
        this.earnings.borrow_mut().sent(room);
        let load = Load::new(load, this.buffers, this.afoot);
        this.send()?.send_data(load, false).map_err(broken)?;
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.afoot.poll_none(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.ended, true) {
            let load = Load::new(Vec::new(), this.buffers, this.afoot);
            this.send()?.send_data(load, true).map_err(broken)?;
        }
        this.afoot.poll_none(context)
    }
}
