//! Writes down what the threads count, as Prometheus reads it, and what the current snapshot says.
//!
//! Invariants: what is counted is told for as long as the process lives, and what is believed or wanted of an upstream while a
//! pool has it · an upstream that comes back, at another address too, goes on under the same names, and several with one route are
//! counted together, but what is so of each now is told with its url · of upstreams that are long gone only a pool's sums are told, with
//! an empty route (`gone`) · names of pools and routes
//! are letters, digits, _, - and dots, and addresses have no quotes (`config` sees to it), so nothing is escaped but what
//! certificates say.
//!
//! Left out on purpose: the words on each figure, and the order of the page. They are made of the rows (`FIGURES`).

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use remora_policy::{Belief, Cause, Pool, Tier, Upstream};

use super::histogram::{LIMITS_SECONDS, Spread};
use super::pools::{CLASSES, KINDS, PoolFigures};
use super::upstreams::{SENT, UpstreamSums, can_be};
use super::{
    ACCEPTED, ANSWER_SECONDS, ANSWERS, BELIEF, CERTIFICATE_EXPIRES, CLIENTS_LIMIT, CLOSED, CONFIGURATION,
    CONNECT_SECONDS, CONNECTIONS, DISCOVERED, DRAINING, ENDS, EXCHANGES, FAILURES, GENERATION, HEAD_SECONDS,
    HEALTH, IN_FLIGHT, MAINTENANCE, OWN_CERTIFICATE_EXPIRES, PICKS, RECEIVED_BYTES, REFUSED_ANNOUNCEMENTS,
    REPEATS, RESTING, RETRY_TOKENS, SENT_BYTES, STORE_FOLLOWED, STORE_SILENT, TIER, TIER_ATTEMPTS, TUNNELS,
    UNTOLD, UPSTREAM_REPEATS, VIEW_VERSION, WEIGHT,
};
use crate::access_log::End;
use crate::directory::{Current, Snapshot};
use crate::tally::{Counters, Tally};
use crate::tls::Gates;

/// In one second.
const NANOSECONDS: u64 = 1_000_000_000;

/// What may be believed of an upstream.
const BELIEFS: [Belief; 4] = [Belief::Unknown, Belief::Up, Belief::Leaving, Belief::Down];

/// A label: its name and its value.
type Label<'a> = (&'a str, &'a str);

/// Writes all of it.
pub(crate) fn render(current: &Current, gates: &Gates, text: &mut String) {
    let Current { snapshot, tally } = current;
    let mut lines = Lines(text);
    for pool in tally.all_pools() {
        pool_counts(pool, &mut lines);
    }
    for (pool, in_place) in snapshot.upstreams.pools.iter().zip(&snapshot.in_place) {
        pool_stands(pool, &mut lines);
        let maintained = u8::from(in_place.notice.is_some());
        lines.put(MAINTENANCE, &[("pool", &pool.name)], maintained);
        if in_place.discovers {
            pool_discovers(pool, snapshot, &mut lines);
        }
        for member in &pool.members {
            member_stands(pool, member, tally.upstream(member.id), &mut lines);
        }
    }
    upstream_counts(tally, &mut lines);
    certificates(snapshot, gates, &mut lines);
    lines.put(CONFIGURATION, &[("hash", &snapshot.configuration)], 1);
    lines.put(GENERATION, &[], snapshot.generation);
    lines.put(CLIENTS_LIMIT, &[], snapshot.limits.connections);
    let threads = || tally.threads().iter();
    lines.put(
        ACCEPTED,
        &[],
        threads().map(|cells| cells.accepted.read()).sum::<u64>(),
    );
    let tokens = threads().map(|cells| cells.retry_tokens.read()).sum::<u64>();
    lines.put(RETRY_TOKENS, &[], tokens);
}

/// How the store's registry is followed, as far as it is counted.
pub(crate) struct FollowedFigures {
    /// Whether the store says now that the view stands.
    pub(crate) present: bool,
    /// The view's version.
    pub(crate) version: u64,
    /// Since when it does not, in seconds; none where it has not since the process began.
    pub(crate) silent_seconds: Option<u64>,
    /// Wishes that it is still to be told.
    pub(crate) untold: u32,
}

/// Writes how the store's registry is followed.
pub(crate) fn render_followed(figures: &FollowedFigures, text: &mut String) {
    let mut lines = Lines(text);
    lines.put(STORE_FOLLOWED, &[], u8::from(figures.present));
    lines.put(VIEW_VERSION, &[], figures.version);
    if let Some(seconds) = figures.silent_seconds {
        lines.put(STORE_SILENT, &[], seconds);
    }
    lines.put(UNTOLD, &[], figures.untold);
}

fn pool_counts(pool: &PoolFigures, lines: &mut Lines<'_>) {
    let (sums, labels) = (pool.sums(), [("pool", pool.name())]);
    lines.each(EXCHANGES, &labels, "class", CLASSES, sums.classes);
    lines.each(ENDS, &labels, "end", End::ALL.map(End::as_str), sums.ends);
    lines.each(PICKS, &labels, "pick", KINDS, sums.picks);
    lines.each(
        TIER_ATTEMPTS,
        &labels,
        "tier",
        Tier::ALL.map(Tier::as_str),
        sums.tiers,
    );
    lines.put(REPEATS, &labels, sums.repeats);
    lines.spread(HEAD_SECONDS, &labels, &sums.heads);
}

fn pool_stands(pool: &Pool, lines: &mut Lines<'_>) {
    let now = pool.present_tier();
    let standing = Tier::ALL.map(|tier| u64::from(now == Some(tier)));
    lines.each(
        TIER,
        &[("pool", &pool.name)],
        "tier",
        Tier::ALL.map(Tier::as_str),
        standing,
    );
}

fn pool_discovers(pool: &Pool, snapshot: &Snapshot, lines: &mut Lines<'_>) {
    let labels = [("pool", &*pool.name)];
    let members = pool.members.iter();
    let discovered = members.filter(|member| member.instance.is_some()).count();
    lines.put(DISCOVERED, &labels, discovered);
    let refused = snapshot.discovered.iter().flat_map(|all| &all.refused);
    lines.put(
        REFUSED_ANNOUNCEMENTS,
        &labels,
        refused.filter(|refused| refused.pool == pool.name).count(),
    );
}

fn member_stands(pool: &Pool, member: &Upstream, counters: &Counters, lines: &mut Lines<'_>) {
    let url = member.url();
    let labels = [("pool", &*pool.name), ("route", &*member.route), ("url", &*url)];
    let belief = member.health.belief();
    let health = match belief {
        Belief::Up => "1",
        Belief::Unknown | Belief::Leaving => "0.5",
        Belief::Down => "0",
    };
    lines.put(HEALTH, &labels, health);
    lines.put(DRAINING, &labels, u8::from(member.state.is_drain()));
    let believed = BELIEFS.map(|other| u64::from(other == belief));
    lines.each(BELIEF, &labels, "belief", BELIEFS.map(Belief::as_str), believed);
    lines.put(WEIGHT, &labels, member.weight);
    lines.put(IN_FLIGHT, &labels, counters.in_flight_now());
    lines.put(TUNNELS, &labels, counters.tunnels_now());
}

/// When those end that are shown now.
fn certificates(snapshot: &Snapshot, gates: &Gates, lines: &mut Lines<'_>) {
    for ((listen, name), expires) in gates.ends() {
        let labels = [("listen", &*listen.to_string()), ("name", &*escaped(&name))];
        lines.put(CERTIFICATE_EXPIRES, &labels, expires);
    }
    for (pool, own) in snapshot.own_certificates() {
        let labels = [("pool", &*pool.name), ("name", &*escaped(&own.holder.name))];
        lines.put(OWN_CERTIFICATE_EXPIRES, &labels, own.holder.expires);
    }
}

/// A label's value that may have any letters.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

/// What all that were ever known under one name were counted as.
fn upstream_counts(tally: &Tally, lines: &mut Lines<'_>) {
    let mut names: BTreeMap<(&str, &str), UpstreamSums> = BTreeMap::new();
    for (name, sums) in tally.gone().iter() {
        names.entry(name).or_default().merge(sums);
    }
    for counters in tally.all_upstreams() {
        names.entry(counters.name()).or_default().count(counters);
    }
    for ((pool, route), sums) in names {
        let labels = [("pool", pool), ("route", route)];
        lines.each(ANSWERS, &labels, "class", CLASSES, sums.classes);
        lines.spread(ANSWER_SECONDS, &labels, &sums.heads);
        lines.spread(CONNECT_SECONDS, &labels, &sums.connects);
        failures(&labels, &sums, lines);
        lines.put(UPSTREAM_REPEATS, &labels, sums.repeats);
        lines.put(SENT_BYTES, &labels, sums.given);
        lines.put(RECEIVED_BYTES, &labels, sums.taken);
        let new = sums.connects.buckets.iter().sum();
        lines.each(CONNECTIONS, &labels, "from", ["kept", "new"], [sums.kept, new]);
        lines.put(RESTING, &labels, sums.resting);
        lines.put(CLOSED, &labels, sums.closed);
    }
}

fn failures(labels: &[Label<'_>; 2], sums: &UpstreamSums, lines: &mut Lines<'_>) {
    for (cause, counts) in Cause::ALL.into_iter().zip(sums.failures) {
        for (sent, count) in counts.into_iter().enumerate() {
            // What cannot be is left out; should it be all the same, it is told.
            if count > 0 || can_be(cause, sent == 1) {
                let labels = [
                    labels[0],
                    labels[1],
                    ("cause", cause.as_str()),
                    ("sent", SENT[sent]),
                ];
                lines.put(FAILURES, &labels, count);
            }
        }
    }
}

/// The text, by series.
struct Lines<'t>(&'t mut String);

impl Lines<'_> {
    /// One series.
    fn put(&mut self, name: &str, labels: &[Label<'_>], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels);
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, " {value}");
    }

    fn labels(&mut self, labels: &[Label<'_>]) {
        for (position, (name, value)) in labels.iter().enumerate() {
            let before = if position == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{name}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
    }

    /// A series for each value of one more label.
    fn each<const N: usize>(
        &mut self,
        name: &str,
        labels: &[Label<'_>],
        by: &str,
        values: [&str; N],
        counts: [u64; N],
    ) {
        for (value, count) in values.into_iter().zip(counts) {
            let labels: Vec<Label<'_>> = labels.iter().copied().chain([(by, value)]).collect();
            self.put(name, &labels, count);
        }
    }

    /// A histogram.
    fn spread(&mut self, name: &str, labels: &[Label<'_>], spread: &Spread) {
        let (bucket, mut count) = (format!("{name}_bucket"), 0);
        for (position, more) in spread.buckets.iter().enumerate() {
            count += more;
            let limit = LIMITS_SECONDS
                .get(position)
                .map_or("+Inf".to_owned(), ToString::to_string);
            let labels: Vec<Label<'_>> = labels.iter().copied().chain([("le", &*limit)]).collect();
            self.put(&bucket, &labels, count);
        }
        let (seconds, rest) = (spread.together / NANOSECONDS, spread.together % NANOSECONDS);
        self.put(
            &format!("{name}_sum"),
            labels,
            format_args!("{seconds}.{rest:09}"),
        );
        self.put(&format!("{name}_count"), labels, count);
    }
}

#[cfg(test)]
mod tests;
