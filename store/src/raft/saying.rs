//! What a node that waits says to operators, again and again: at once when it changes, otherwise now and then.

use std::time::{Duration, Instant};

use crate::runtime;

/// How often an operator is told what a node still waits for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What was said last, and when.
#[derive(Default)]
pub(super) struct Saying(Option<(String, Instant)>);

impl Saying {
    /// Says a sentence, unless that was said lately.
    pub(super) fn say(&mut self, sentence: &str) {
        let is_new = self.0.as_ref().is_none_or(|(said, _)| said != sentence);
        if is_new || self.is_due() {
            tracing::info!("{sentence}");
            self.0 = Some((sentence.to_owned(), runtime::now()));
        }
    }

    /// Says a sentence that changes all the time, unless something was said lately.
    pub(super) fn mention(&mut self, sentence: &str) {
        if self.is_due() {
            self.say(sentence);
        }
    }

    fn is_due(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|(_, at)| runtime::since(*at) >= SAY_EVERY)
    }
}
