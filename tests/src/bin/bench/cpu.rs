//! What processes cost: scheduler time and voluntary waits of all their threads, from the kernel's own books.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

/// What a set of processes has used up since each started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time on a processor, nanoseconds.
    pub(crate) cpu_nanoseconds: u64,
    /// Times that a thread went to sleep by itself.
    pub(crate) sleeps: u64,
    /// Ticks of the clock that met it in its own code, and
    user: u64,
    /// that met it in the kernel.
    system: u64,
}

impl Usage {
    /// The usage of the given processes, all threads together.
    ///
    /// # Errors
    /// When one of them is gone.
    pub(crate) fn of(pids: &[u32]) -> Result<Usage> {
        let mut usage = Usage::default();
        for pid in pids {
            usage.add(Usage::of_threads(*pid, |_| true)?);
        }
        Ok(usage)
    }

    /// The usage of those threads of a process whose names are wanted.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn of_threads(pid: u32, is_wanted: impl Fn(&str) -> bool) -> Result<Usage> {
        let mut usage = Usage::default();
        let threads =
            fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
        for thread in threads.flatten() {
            // A thread that ends between the listing and the reading takes its little time with it.
            let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
            if !is_wanted(read("comm").trim_end()) {
                continue;
            }
            let (user, system) = ticks(&read("stat")).unwrap_or_default();
            let status = read("status");
            let sleeps = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            usage.add(Usage {
                cpu_nanoseconds: first_number(&read("schedstat")),
                sleeps: sleeps.map_or(0, first_number),
                user,
                system,
            });
        }
        Ok(usage)
    }

    fn add(&mut self, more: Usage) {
        self.cpu_nanoseconds += more.cpu_nanoseconds;
        self.sleeps += more.sleeps;
        self.user += more.user;
        self.system += more.system;
    }

    /// What was used since an earlier reading.
    pub(crate) fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu_nanoseconds: self.cpu_nanoseconds.saturating_sub(earlier.cpu_nanoseconds),
            sleeps: self.sleeps.saturating_sub(earlier.sleeps),
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    /// Microseconds of processor time for each of `count` operations.
    pub(crate) fn microseconds_each(self, count: u64) -> f64 {
        ratio(self.cpu_nanoseconds, count) / 1_000.0
    }

    /// Which part of the processor time went to its own code, not to the kernel: a guess from ticks.
    pub(crate) fn own_part(self) -> f64 {
        ratio(self.user, self.user + self.system)
    }

    /// Sleeps for each of `count` operations.
    pub(crate) fn sleeps_each(self, count: u64) -> f64 {
        ratio(self.sleeps, count)
    }
}

/// The ticks of a thread in its own code and in the kernel; the name that stands before them may hold anything but a `)`.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    /// Fields between the name and these two, from the manual page of this file.
    const BEFORE: usize = 11;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(BEFORE);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Bytes that the disk with this path on it was given so far, by whomever; none if the system does not tell.
///
/// A process's own count is of no use here: it counts the whole of the piece of cache that a written page lies in, which is up
/// to some hundred times as much.
pub(crate) fn written(path: &Path) -> Option<u64> {
    /// In which the kernel counts, whatever the disk's own are.
    const SECTOR_BYTES: u64 = 512;
    let device = fs::metadata(path).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let disks = fs::read_to_string("/proc/diskstats").ok()?;
    let mut disks = disks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let disk = disks.find(|words| {
        words.first() == Some(&&*major.to_string()) && words.get(1) == Some(&&*minor.to_string())
    })?;
    Some(disk.get(9)?.parse::<u64>().ok()? * SECTOR_BYTES)
}

/// A process's own memory, bytes: all that it has in use, and that with what others use as well shared out among them.
///
/// # Errors
/// When it is gone.
pub(crate) fn memory(pid: u32) -> Result<(u64, u64)> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .with_context(|| format!("process {pid} is gone"))?;
    let bytes = |mark: &str| {
        let kibibytes = rollup.lines().find_map(|line| line.strip_prefix(mark));
        kibibytes.map_or(0, first_number) * 1_024
    };
    Ok((bytes("Rss:"), bytes("Pss:")))
}

/// Memory that a set of processes has in use, bytes.
///
/// # Errors
/// When one of them is gone.
pub(crate) fn resident(pids: &[u32]) -> Result<u64> {
    let one = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("process {pid} is gone"))?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(kibibytes.map_or(0, first_number) * 1_024)
    };
    pids.iter().map(one).sum()
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// A quotient for display; zero operations give zero.
#[expect(clippy::cast_precision_loss, reason = "a table shows three digits")]
pub(crate) fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}
