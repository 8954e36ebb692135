//! What an operator asked for and what goes on without whoever asked: a task of its own, which writes in the books what came of it,
//! however it ends.
//!
//! Left out on purpose: calls that are over with their answer, which the gate writes down.

use remora_process::audit::{self, Asker};
use tonic::{Response, Status};

use crate::runtime;

use super::gate;

/// Runs what was asked for to its end, also when whoever asked is gone. It keeps its own [`Books`].
pub(super) async fn to_its_end<T: Send + 'static>(
    deed: impl Future<Output = Result<Response<T>, Status>> + Send + 'static,
) -> Result<Response<T>, Status> {
    let ended = runtime::spawn(deed).await;
    let broken = |_| Err(Status::internal("it broke off: this store node's log says why"));
    gate::written(ended.unwrap_or_else(broken))
}

/// What is written when it ends; also when its task breaks, or is dropped with the process.
pub(super) struct Books {
    asker: Asker,
    action: &'static str,
    /// What it has done so far, for people.
    pub(super) did: String,
    /// How it ended; none as long as it goes on.
    end: Option<Result<(), String>>,
}

impl Books {
    /// Of somebody who asked by this method, such as `StoreAdmin/KillSessions`.
    pub(super) fn open(asker: Asker, action: &'static str) -> Books {
        Books {
            asker,
            action,
            did: String::new(),
            end: None,
        }
    }

    /// It ended.
    pub(super) fn ended<T>(&mut self, how: &Result<T, Status>) {
        let how = how.as_ref();
        self.end = Some(how.map(|_| ()).map_err(|status| status.message().to_owned()));
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        match self.end.take().unwrap_or_else(|| Err("it broke off".to_owned())) {
            Ok(()) => audit::done(&self.asker, self.action, &self.did),
            Err(why) => audit::failed(&self.asker, self.action, &format!("{}; {why}", self.did)),
        }
    }
}
