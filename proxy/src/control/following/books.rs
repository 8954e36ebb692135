//! What this process knows of how it stands with the store. Changed by calls that wait for nothing.
//!
//! Left out on purpose: the view and the wishes, with how each of them stands, which are the directory's.

use std::time::Instant;

/// The books of one process.
pub(super) struct Books {
    /// Of what operators wait for the store to have their wish, once for each who waits: it takes the place of whatever was wished
    /// before.
    pub(super) pressing: Vec<String>,
    /// When this process began to follow.
    pub(super) began: Instant,
    /// When the store last said anything.
    pub(super) heard: Option<Instant>,
    /// Whether it says now that the view stands.
    pub(super) is_present: bool,
    /// Why it does not.
    pub(super) reason: String,
    /// Whether the log says that it does not.
    pub(super) is_said: bool,
}

impl Books {
    /// Nothing was heard yet.
    pub(super) fn new() -> Self {
        Self {
            pressing: Vec::new(),
            began: Instant::now(),
            heard: None,
            is_present: false,
            reason: String::new(),
            is_said: false,
        }
    }

    /// Nobody waits any more for these, of those who waited once for each.
    pub(super) fn is_awaited_no_more(&mut self, of: &[String]) {
        for of in of {
            if let Some(at) = self.pressing.iter().position(|pressing| pressing == of) {
                self.pressing.swap_remove(at);
            }
        }
    }
}
