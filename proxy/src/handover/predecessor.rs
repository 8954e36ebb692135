//! The wire to the process that this one replaces.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use remora_process::exit::Failure;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::GREETING;

/// How long the greeting may take. 5 s: it was sent before this process began.
const GREETING_WITHIN: Duration = Duration::from_secs(5);

/// Who is replaced.
pub struct Predecessor {
    wire: UnixStream,
}

impl Predecessor {
    /// Reads the greeting, and the lock that comes with it.
    pub(super) fn greet(wire: UnixStream) -> io::Result<(Self, Option<File>)> {
        wire.set_read_timeout(Some(GREETING_WITHIN))?;
        let mut said = [0; GREETING.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut line = [IoSliceMut::new(&mut said)];
        recvmsg(&wire, &mut line, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        let lock = beside.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        if said != *GREETING.as_bytes() {
            return Err(io::Error::other(
                "the process that is to be replaced speaks another version of the handover: stop it, and start this one",
            ));
        }
        Ok((Self { wire }, lock.map(File::from)))
    }

    /// Says that this process is ready for all but what is `untaken`, and waits for the word to go. Answers with whether the
    /// configuration is to be read again.
    ///
    /// # Errors
    /// The wire cannot be used.
    pub async fn take_over(self, untaken: &[SocketAddr]) -> Result<bool, Failure> {
        let failure = |error: io::Error| Failure::while_doing("cannot take over", &error);
        self.wire.set_nonblocking(true).map_err(failure)?;
        let wire = tokio::net::UnixStream::from_std(self.wire).map_err(failure)?;
        let mut wire = BufReader::new(wire);
        let ready: String = untaken.iter().map(|address| format!(" {address}")).collect();
        // Where nobody listens any more the end is read.
        let _read_below = wire.write_all(format!("ready{ready}\n").as_bytes()).await;
        let mut word = String::new();
        // One that died with what it was told unread ends with an error.
        let _as_the_end = wire.read_line(&mut word).await;
        match word.as_str() {
            "go\n" => Ok(false),
            "go reload\n" => Ok(true),
            _ => {
                tracing::warn!("the process that is to be replaced has ended: going on without it");
                Ok(true)
            }
        }
    }
}
