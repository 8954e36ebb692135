//! The thread for clients and operators: whatever they can make busy is served there, so that no number of streams keeps
//! consensus, its peers or a heartbeat waiting. Consensus has the thread on which the node was started for itself.
//!
//! Invariants: the thread ends with its owner, and drops what was still served there. A listener accepts on the thread
//! that it was bound on, so listeners are bound here, too.
//!
//! Left out: what is served (`rpc`), and how it stops in order (`node`).

use std::thread;

use remora_process::exit::Failure;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread, as its owner has it.
#[derive(Debug)]
pub(crate) struct ClientThread {
    handle: Handle,
    /// Dropped, it ends the thread.
    _alive: oneshot::Sender<()>,
}

impl ClientThread {
    /// Starts it.
    ///
    /// # Errors
    /// The system has no thread or no descriptors for it.
    pub(crate) fn start() -> Result<ClientThread, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::while_doing("cannot start the runtime for clients", &error))?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        let serve = move || {
            // Nothing is ever sent: this waits until the owner is gone.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("clients".to_owned())
            .spawn(serve)
            .map_err(|error| Failure::while_doing("cannot start the thread for clients", &error))?;
        Ok(ClientThread {
            handle,
            _alive: alive,
        })
    }

    /// Where tasks of this thread are started.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}
