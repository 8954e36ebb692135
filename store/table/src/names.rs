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
    /// Names since then that found no place.
    turned_away: usize,
}

impl Names {
    /// The shared copy of a name.
    pub(super) fn share(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        let full = self.known.len() >= NAMES_MAX && self.turned_away < self.kept;
        if self.known.len() >= self.tidy_at() && !full {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.kept = self.known.len();
            self.turned_away = 0;
        }
        if self.known.len() < NAMES_MAX {
            self.known.insert(Arc::clone(name));
        } else {
            self.turned_away += 1;
        }
        Arc::clone(name)
    }

    /// Tidying walks all names, so it waits until they have doubled. At the bound it must come again too: there it waits
    /// for as many names that found no place as a tidying walks.
    fn tidy_at(&self) -> usize {
        (self.kept * 2).clamp(NAMES_MAX / 16, NAMES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Arc<str> {
        Arc::from(format!("name {number}"))
    }

    #[test]
    fn a_name_has_one_copy_while_it_is_in_use() {
        let mut names = Names::default();
        let first = names.share(&name(1));
        assert!(Arc::ptr_eq(&first, &names.share(&name(1))));
    }

    #[test]
    fn names_that_nobody_uses_any_more_make_room_also_after_the_bound_was_reached() {
        let mut names = Names::default();
        let mut in_use: Vec<Arc<str>> = (0..NAMES_MAX).map(|at| names.share(&name(at))).collect();
        let beyond = names.share(&name(NAMES_MAX));
        assert!(
            !Arc::ptr_eq(&beyond, &names.share(&name(NAMES_MAX))),
            "there was no room"
        );
        in_use.truncate(10);
        // So many names find no place until the next tidying, which then finds room.
        for at in 0..=NAMES_MAX {
            names.share(&name(NAMES_MAX + at));
        }
        let shared = names.share(&name(0));
        assert!(Arc::ptr_eq(&shared, &in_use[0]));
        let late = names.share(&name(7 * NAMES_MAX));
        assert!(Arc::ptr_eq(&late, &names.share(&name(7 * NAMES_MAX))));
    }
}
