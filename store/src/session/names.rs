//! One copy of every name: applications, nodes and attribute names repeat in nearly every record.
//!
//! Sharing saves memory and changes no outcome. Left out on purpose: principals and roles, which rarely repeat.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Names that are shared at most. An application that makes up attribute names must not fill the node's memory with
/// names nobody uses any more; beyond this many in use, further names simply are not shared.
const NAMES_MAX: usize = 65_536;

/// The names in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    known: BTreeSet<Arc<str>>,
    /// How many the last tidying kept.
    kept: usize,
}

impl Names {
    /// The shared copy of a name.
    pub(super) fn share(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.tidy_at() {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.kept = self.known.len();
        }
        if self.known.len() < NAMES_MAX {
            self.known.insert(Arc::clone(name));
        }
        Arc::clone(name)
    }

    /// Tidying walks all names, so it waits until they have doubled.
    fn tidy_at(&self) -> usize {
        (self.kept * 2).max(NAMES_MAX / 16)
    }
}
