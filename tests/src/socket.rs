//! A browser's WebSocket: as much of RFC 6455 as claims need.
//!
//! Left out: fragments, frames of 64 KiB and more, extensions, TLS. Masks are zeros, which a server cannot tell from others.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};

use crate::http::{Browser, Request};

/// Frames by their opcodes.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A length that stands in the two bytes behind it.
const LENGTH_FOLLOWS: u8 = 126;

/// Longest text that a claim sends, in bytes: what fits the shortest head.
const SENT_BYTES_MAX: usize = 125;

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    connection: TcpStream,
}

impl WebSocket {
    /// Opens one with the cookies of a browser.
    ///
    /// # Errors
    /// When the server does not change protocols.
    pub fn open(browser: &Browser, path: &str) -> Result<Self> {
        let fields = [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut connection = browser.upgrade(&Request {
            fields: fields.to_vec(),
            ..Request::get(path)
        })?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection
                .read_exact(&mut byte)
                .context("no answer to the handshake")?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head);
        ensure!(head.starts_with("HTTP/1.1 101 "), "no WebSocket: {head}");
        Ok(Self { connection })
    }

    /// Says something and gives the answer.
    ///
    /// # Errors
    /// When the socket is closed, or another frame comes.
    pub fn ask(&mut self, text: &str) -> Result<String> {
        ensure!(text.len() <= SENT_BYTES_MAX, "too long for a claim: {text}");
        let length = u8::try_from(text.len())?;
        let mut frame = vec![0x80 | TEXT, 0x80 | length, 0, 0, 0, 0];
        frame.extend(text.as_bytes());
        self.connection.write_all(&frame)?;
        Ok(String::from_utf8(self.next(TEXT)?)?)
    }

    /// Waits for the server to close it, and gives the code with which it does.
    ///
    /// # Errors
    /// When it does not in time, or breaks the connection instead.
    pub fn closed(&mut self) -> Result<u16> {
        match self.next(CLOSE)?.get(..2) {
            Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
            _ => bail!("closed without a code"),
        }
    }

    fn next(&mut self, wanted: u8) -> Result<Vec<u8>> {
        loop {
            let mut head = [0; 2];
            self.connection.read_exact(&mut head).context("no frame came")?;
            let length = match head[1] {
                LENGTH_FOLLOWS => {
                    let mut length = [0; 2];
                    self.connection.read_exact(&mut length)?;
                    u16::from_be_bytes(length)
                }
                short => u16::from(short),
            };
            let mut payload = vec![0; usize::from(length)];
            self.connection.read_exact(&mut payload)?;
            match head[0] & 0x0f {
                opcode if opcode == wanted => return Ok(payload),
                PING => {}
                opcode => bail!(
                    "a frame of kind {opcode} in place of {wanted}: {}",
                    String::from_utf8_lossy(&payload)
                ),
            }
        }
    }
}
