//! What a service manager is told, if there is one (`NOTIFY_SOCKET`). Not being able to is no reason to do anything else: it is said,
//! and whoever waits for the word finds it missing.

use sd_notify::NotifyState;

/// The server does its work from now on.
pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// The service ends, not only this process.
pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Another process is the service's own from now on.
pub fn follow(process: u32) {
    say(&[NotifyState::MainPid(process)]);
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told how this process is");
    }
}
