//! Labels of the wire, and limits on who carries them.

use std::collections::BTreeSet;
use std::sync::Arc;

use remora_proto::v1;
use remora_table::{LIMITED_MAX, Label, Limit, OverLimit};

use super::super::status::malformed;
use super::Conversion;

/// Most labels of one session (session.proto, Labels).
const LABELS_MAX: usize = 16;
/// Longest name of a label, in bytes (session.proto, Label.name).
const LABEL_NAME_BYTES_MAX: usize = 64;
/// Longest value of a label, in bytes (session.proto, Label.value).
const LABEL_VALUE_BYTES_MAX: usize = 256;

/// All labels of a session, or those that are asked for.
pub(super) fn labels(labels: v1::Labels) -> Conversion<Vec<Label>> {
    let labels = labels.labels;
    if labels.len() > LABELS_MAX {
        return Err(malformed(format!(
            "the session has {} labels: {LABELS_MAX} are allowed",
            labels.len()
        )));
    }
    let mut names = BTreeSet::new();
    for v1::Label { name, value } in &labels {
        let fits = (1..=LABEL_NAME_BYTES_MAX).contains(&name.len())
            && (1..=LABEL_VALUE_BYTES_MAX).contains(&value.len());
        if !fits {
            return Err(malformed(format!(
                "a label has a name of {} bytes and a value of {}: 1 to {LABEL_NAME_BYTES_MAX} and 1 to \
                 {LABEL_VALUE_BYTES_MAX} are allowed",
                name.len(),
                value.len()
            )));
        }
        if !names.insert(name) {
            return Err(malformed(format!(
                "label {name:?} is named twice: name each once"
            )));
        }
    }
    let label = |label: &v1::Label| Label {
        name: Arc::from(label.name.as_str()),
        value: Arc::from(label.value.as_str()),
    };
    Ok(labels.iter().map(label).collect())
}

/// How many sessions may carry one of the labels that a save sets.
pub(super) fn limit(limit: v1::Limit, set: Option<&v1::Labels>) -> Conversion<Limit> {
    use v1::limit::Then;
    let then = match limit.then() {
        Then::Refuse => OverLimit::Refuse,
        Then::End => OverLimit::End,
        Then::Unspecified => {
            return Err(malformed(
                "limit.then is missing: say what happens when as many sessions carry the label",
            ));
        }
    };
    if !(1..=LIMITED_MAX).contains(&limit.sessions) {
        return Err(malformed(format!(
            "limit.sessions is {}: 1 to {LIMITED_MAX} are allowed",
            limit.sessions
        )));
    }
    let mut names = set.iter().flat_map(|set| &set.labels).map(|label| &label.name);
    if !names.any(|name| *name == limit.label) {
        return Err(malformed(format!(
            "the limit is for label {:?}, which the save does not set: send it with the labels that it is about",
            limit.label
        )));
    }
    Ok(Limit {
        label: Arc::from(limit.label),
        sessions: limit.sessions,
        then,
    })
}
