//! What a Tomcat says of itself, as far as it is kept for operators: bounded in counts and in bytes, and about applications alone
//! that it speaks for.
//!
//! What is too much is left out in silence: nobody asked, and the next word comes soon.

use prost::Message;
use remora_proto::v1;

use super::convert::NAME_BYTES_MAX;

/// Applications of which a Tomcat may say how they fare: as many as it may announce.
const APPLICATIONS_MAX: usize = 256;

/// Classes that are kept of each: as many as the message promises.
const CLASSES_MAX: usize = 32;

/// Bytes of a message that are kept of one Tomcat, 64 KiB: far more than real ones say, and of 63 of them the list of servers still
/// fits in a message.
const APPLICATIONS_BYTES_MAX: usize = 64 * 1_024;

/// What is kept of it. The first applications stay, without classes of names that nobody could have.
pub(super) fn kept(mut status: v1::Status, speaks_for: impl Fn(&str) -> bool) -> v1::Status {
    let mut bytes = 0;
    status.applications.truncate(APPLICATIONS_MAX);
    status.applications.retain_mut(|application| {
        let name = &application.application;
        if name.len() > NAME_BYTES_MAX || !speaks_for(name) {
            return false;
        }
        application.classes.retain(|class| class.len() <= NAME_BYTES_MAX);
        application.classes.truncate(CLASSES_MAX);
        // Vectors keep the room of what was taken out of them.
        application.classes.shrink_to_fit();
        bytes += application.encoded_len();
        bytes <= APPLICATIONS_BYTES_MAX
    });
    status.applications.shrink_to_fit();
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(name: &str, classes: Vec<String>) -> v1::status::Application {
        v1::status::Application {
            application: name.to_owned(),
            local: 3,
            classes,
            ..Default::default()
        }
    }

    fn kept_of(applications: Vec<v1::status::Application>) -> Vec<v1::status::Application> {
        let status = v1::Status {
            busy: 2,
            applications,
            ..Default::default()
        };
        let kept = kept(status, |name| !name.starts_with("other"));
        assert_eq!(kept.busy, 2);
        kept.applications
    }

    #[test]
    fn a_tomcat_says_no_more_than_is_promised() {
        let cart = || vec!["shop.Cart".to_owned(); CLASSES_MAX + 1];
        let kept = kept_of(vec![application("shop", cart()); APPLICATIONS_MAX + 1]);
        assert!(kept.len() <= APPLICATIONS_MAX);
        assert_eq!(kept[0].classes.len(), CLASSES_MAX);
        let bytes: usize = kept.iter().map(Message::encoded_len).sum();
        assert!(bytes <= APPLICATIONS_BYTES_MAX, "{bytes}");
    }

    #[test]
    fn names_that_are_too_long_and_applications_of_others_are_left_out() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let kept = kept_of(vec![
            application("other", Vec::new()),
            application(&long, Vec::new()),
            application("shop", vec![long.clone(), "shop.Cart".to_owned()]),
        ]);
        assert_eq!(kept, [application("shop", vec!["shop.Cart".to_owned()])]);
    }

    #[test]
    fn many_applications_end_where_the_bytes_do() {
        let long = vec!["x".repeat(NAME_BYTES_MAX); CLASSES_MAX];
        let kept = kept_of(vec![application("shop", long); APPLICATIONS_MAX]);
        assert_eq!(kept.len(), 7, "of some 8 KiB each");
    }
}
