//! How many files and sockets this process may have open at a time.
//!
//! The limit that a shell or a supervisor hands on is often 1,024, whatever the machine could do; the hard one is what the
//! operator means. So the soft limit is raised towards it, once, at the start.
//!
//! Left out on purpose: what a server needs, and what it says when that is not there.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit towards `needed` as far as the hard one allows, and gives what holds; none is infinite.
pub fn raise(needed: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raised(&limit, needed) else {
        return limit.current;
    };
    let new = Rlimit {
        current: Some(raised),
        ..limit
    };
    if setrlimit(Resource::Nofile, new).is_ok() {
        Some(raised)
    } else {
        limit.current
    }
}

/// The soft limit to set, if the present one is too low and can be raised. A limit that is absent is infinite.
fn raised(limit: &Rlimit, needed: u64) -> Option<u64> {
    let current = limit.current?;
    let most = limit.maximum.map_or(needed, |hard| hard.min(needed));
    (most > current).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_rises_as_far_as_needed_and_allowed() {
        for (current, maximum, expected) in [
            (Some(1_024), Some(524_288), Some(20_512)),
            (Some(1_024), None, Some(20_512)),
            (Some(1_024), Some(4_096), Some(4_096)),
            (Some(1_024), Some(1_024), None),
            (Some(65_536), Some(65_536), None),
            (None, None, None),
        ] {
            assert_eq!(
                raised(&Rlimit { current, maximum }, 20_512),
                expected,
                "{current:?} {maximum:?}"
            );
        }
    }
}
