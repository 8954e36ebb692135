//! What is counted of each exchange, by pool: in cells of each thread's own, added up and written out when `/metrics` is
//! asked for. So the figures are right at the moment of the question, and an exchange pays a few stores for them.
//!
//! The recorder of this process knows nothing of these: it takes a look-up or an atomic instruction for each, and can be
//! given no histogram that was counted elsewhere.
//!
//! Invariants: a cell is written by its own thread alone · a pool keeps its figures for as long as the process lives, also
//! while no configuration has it: a figure that rises never falls · names of pools are letters, digits, _ and -
//! (`config` sees to it), so nothing is escaped.

use std::fmt::Write as _;
use std::sync::{Arc, Once};
use std::time::Duration;

use metrics::{Counter, counter};
use remora_policy::Pick;
use remora_process::ops::DURATION_BUCKETS_SECONDS;

use super::{EXCHANGES, HEAD_SECONDS, PICKS, REPEATS, UNPUBLISHED};
use crate::tally::{OwnCount, Thread};

/// Classes of statuses, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Kinds of picks.
const KINDS: [&str; 4] = ["sticky", "moved", "fresh", "none"];
/// Buckets of the histogram; the last has no limit.
const BUCKETS: usize = DURATION_BUCKETS_SECONDS.len() + 1;
/// In one second.
const NANOSECONDS: u64 = 1_000_000_000;

/// The figures of one pool.
#[derive(Debug)]
pub(crate) struct PoolFigures {
    name: Box<str>,
    /// By the threads' numbers.
    cells: Box<[PoolCells]>,
    unpublished: Counter,
    /// Whether somebody was told of the first.
    told: Once,
}

impl PoolFigures {
    /// Nothing is counted yet.
    #[must_use]
    pub(crate) fn new(name: &str, threads: usize) -> PoolFigures {
        PoolFigures {
            name: name.into(),
            cells: (0..threads).map(|_| PoolCells::default()).collect(),
            unpublished: counter!(UNPUBLISHED, "pool" => name.to_owned()),
            told: Once::new(),
        }
    }

    /// The name of the pool.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The cells of a thread, for that thread.
    #[must_use]
    pub(crate) fn of(&self, thread: Thread) -> &PoolCells {
        &self.cells[thread.0]
    }

    /// An answer sent its client to an upstream's own address. Told once: the figure says how often.
    pub(crate) fn unpublished(&self) {
        self.unpublished.increment(1);
        self.told.call_once(|| {
            tracing::warn!(
                pool = &*self.name,
                "an answer names an upstream's own address under a path that no route publishes: its client cannot follow; \
                 add a route for the path, or mend the link"
            );
        });
    }

    fn sum(&self, of: impl Fn(&PoolCells) -> &OwnCount) -> u64 {
        self.cells.iter().map(|cells| of(cells).read()).sum()
    }
}

/// What one thread counts of one pool. Aligned as the cells of an upstream are.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct PoolCells {
    classes: [OwnCount; CLASSES.len()],
    picks: [OwnCount; KINDS.len()],
    repeats: OwnCount,
    /// Answers by the time until their heads.
    heads: [OwnCount; BUCKETS],
    /// All those times together, in nanoseconds: five centuries fit.
    head_time: OwnCount,
}

impl PoolCells {
    /// The client got this status, so long after the head of its request; 101 counts as 1xx.
    pub(crate) fn answered(&self, status: u16, after: Duration) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(count) = self.classes.get(class) {
            count.add(1);
        }
        let time = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LIMITS.iter().position(|limit| time <= *limit);
        self.heads[bucket.unwrap_or(BUCKETS - 1)].add(1);
        self.head_time.add(time);
    }

    /// An upstream was picked in this way.
    pub(crate) fn picked(&self, pick: &Pick<'_>) {
        let kind = match pick {
            Pick::Sticky(_) => 0,
            Pick::Moved(_) => 1,
            Pick::Fresh => 2,
            Pick::None => 3,
        };
        self.picks[kind].add(1);
    }

    /// Another attempt follows one that failed.
    pub(crate) fn repeats(&self) {
        self.repeats.add(1);
    }
}

/// The limits of the buckets, in nanoseconds.
const LIMITS: [u64; DURATION_BUCKETS_SECONDS.len()] = {
    let mut limits = [0; DURATION_BUCKETS_SECONDS.len()];
    let mut bucket = 0;
    while bucket < limits.len() {
        limits[bucket] = nanoseconds(DURATION_BUCKETS_SECONDS[bucket]);
        bucket += 1;
    }
    limits
};

/// To the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits of buckets are positive, and far below five centuries"
)]
const fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9 + 0.5) as u64
}

/// Writes the figures of these pools as Prometheus reads them.
pub(crate) fn render(pools: &[Arc<PoolFigures>], text: &mut String) {
    // Writing to a String cannot fail, so the results carry nothing.
    let _ = write_figures(pools, text);
}

fn write_figures(pools: &[Arc<PoolFigures>], text: &mut String) -> std::fmt::Result {
    for pool in pools {
        for (class, name) in CLASSES.iter().enumerate() {
            let count = pool.sum(|cells| &cells.classes[class]);
            writeln!(
                text,
                "{EXCHANGES}{{pool=\"{}\",class=\"{name}\"}} {count}",
                pool.name
            )?;
        }
    }
    for pool in pools {
        for (kind, name) in KINDS.iter().enumerate() {
            let count = pool.sum(|cells| &cells.picks[kind]);
            writeln!(text, "{PICKS}{{pool=\"{}\",pick=\"{name}\"}} {count}", pool.name)?;
        }
    }
    for pool in pools {
        let count = pool.sum(|cells| &cells.repeats);
        writeln!(text, "{REPEATS}{{pool=\"{}\"}} {count}", pool.name)?;
    }
    for pool in pools {
        write_histogram(pool, text)?;
    }
    Ok(())
}

fn write_histogram(pool: &PoolFigures, text: &mut String) -> std::fmt::Result {
    let name = &pool.name;
    let mut count = 0;
    for bucket in 0..BUCKETS {
        count += pool.sum(|cells| &cells.heads[bucket]);
        write!(text, "{HEAD_SECONDS}_bucket{{pool=\"{name}\",le=\"")?;
        match DURATION_BUCKETS_SECONDS.get(bucket) {
            Some(limit) => write!(text, "{limit}")?,
            None => text.push_str("+Inf"),
        }
        writeln!(text, "\"}} {count}")?;
    }
    let time = pool.sum(|cells| &cells.head_time);
    let (seconds, rest) = (time / NANOSECONDS, time % NANOSECONDS);
    writeln!(text, "{HEAD_SECONDS}_sum{{pool=\"{name}\"}} {seconds}.{rest:09}")?;
    writeln!(text, "{HEAD_SECONDS}_count{{pool=\"{name}\"}} {count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(pools: &[Arc<PoolFigures>]) -> Vec<String> {
        let mut text = String::new();
        render(pools, &mut text);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_all_threads_counted_is_told_by_pool() {
        let pools = ["one", "other"].map(|name| Arc::new(PoolFigures::new(name, 2)));
        for (thread, status) in [(0, 200), (1, 204), (1, 101), (0, 999)] {
            let cells = pools[0].of(Thread(thread));
            cells.answered(status, Duration::from_micros(150));
            cells.picked(&Pick::Fresh);
        }
        pools[1].of(Thread(1)).repeats();
        let lines = figures(&pools);
        for line in [
            r#"remora_proxy_exchanges_total{pool="one",class="1xx"} 1"#,
            r#"remora_proxy_exchanges_total{pool="one",class="2xx"} 2"#,
            r#"remora_proxy_exchanges_total{pool="other",class="2xx"} 0"#,
            r#"remora_proxy_picks_total{pool="one",pick="fresh"} 4"#,
            r#"remora_proxy_picks_total{pool="one",pick="none"} 0"#,
            r#"remora_proxy_repeats_total{pool="one"} 0"#,
            r#"remora_proxy_repeats_total{pool="other"} 1"#,
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}\n{lines:#?}");
        }
    }

    #[test]
    fn a_histogram_is_exact_in_every_bucket_and_in_its_sum() {
        let pools = [Arc::new(PoolFigures::new("one", 2))];
        for (thread, micros) in [(0, 10), (1, 11), (0, 90_000_000), (1, 5_000_000)] {
            pools[0]
                .of(Thread(thread))
                .answered(200, Duration::from_micros(micros));
        }
        let lines = figures(&pools);
        let of = |bound: &str| {
            let start = format!("remora_proxy_response_head_seconds_bucket{{pool=\"one\",le=\"{bound}\"}} ");
            lines
                .iter()
                .find_map(|line| line.strip_prefix(&start))
                .map(str::to_owned)
        };
        let buckets = ["0.00001", "0.0001", "1", "5", "80", "+Inf"].map(|bound| of(bound).unwrap());
        assert_eq!(buckets, ["1", "2", "2", "3", "3", "4"]);
        for line in [
            r#"remora_proxy_response_head_seconds_sum{pool="one"} 95.000021000"#,
            r#"remora_proxy_response_head_seconds_count{pool="one"} 4"#,
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}\n{lines:#?}");
        }
    }
}
