//! What people are told of wishes that the store brings: in the log, and in the chronicle, with who wished it and since when.
//!
//! Left out on purpose: what is wished at this proxy. Whoever takes such a wish in tells of it.

use jiff::Timestamp;
use remora_policy::{StoredWish, Wishes};

use super::super::{maintaining, wishing};
use crate::chronicle::{Happening, Sort};
use crate::directory::{Directory, Followed, unix_now};

/// Tells of what a view changed.
pub(super) fn note(directory: &Directory, followed: &Followed) {
    for of in &followed.overruled {
        let (sort, name) = named(of);
        let what =
            "what was wished here while the store was away gives way to what was wished elsewhere since";
        tracing::warn!(of = &**of, "{what}");
        directory.chronicle().note(Happening::new(sort, name, what));
    }
    let wishes = directory.wishes();
    for heard in &followed.heard {
        let (sort, name) = named(&heard.of);
        let (what, who) = (what(&wishes, sort, name), &*heard.who);
        let since = since(heard);
        tracing::info!(of = heard.of, who, since, "the store says that it {what}");
        let why = match &*since {
            "" => "the store says so".to_owned(),
            since => format!("the store says so, since {since}"),
        };
        let happening = Happening::new(sort, name, what).because(why).by(who);
        directory.chronicle().note(happening);
    }
}

/// Of what sort a wish is, and the name of what it is of.
fn named(of: &str) -> (Sort, &str) {
    match of.split_once(' ') {
        Some(("pool", pool)) => (Sort::Maintenance, pool),
        Some((_, route)) => (Sort::Wish, route),
        None => (Sort::Wish, of),
    }
}

/// What is wished now.
fn what(wishes: &Wishes, sort: Sort, name: &str) -> String {
    match sort {
        Sort::Maintenance => maintaining::heard(wishes.pools.of(name)).to_owned(),
        _ => wishing::heard(&wishes.of(name), unix_now()),
    }
}

/// When it was wished; empty where that is not known.
fn since(heard: &StoredWish) -> String {
    let seconds = i64::try_from(heard.at).ok().filter(|seconds| *seconds > 0);
    let moment = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.map_or_else(String::new, |moment| moment.to_string())
}
