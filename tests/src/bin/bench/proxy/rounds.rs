//! Rounds in which the contenders of a form take turns, and what comes of them: medians, spreads, and ratios to nginx.
//!
//! Invariant: a ratio is taken between neighbours in time, of the same round, before its median.
//!
//! Left out on purpose: a verdict. Whoever reads a ratio looks at the spread beside it first.

use std::path::Path;

use anyhow::{Context, Result};
use remora_tests::place::free_port;
use remora_tests::stores::loopback;

use super::contender::{Contender, Place, Running, answers};
use super::form::{Ask, Form, Over, UPLOAD_BYTES};
use super::identity::Identity;
use super::nginx;
use crate::cpu::Usage;
use crate::h2load::H2load;
use crate::wrk::{Load, Wrk};

/// How long each is loaded before the first round: connections stand, buffers have grown.
pub(super) const WARM_UP_SECONDS: u64 = 1;

/// One contender in one round.
#[derive(Clone, Copy, Debug)]
struct Sample {
    load: Load,
    used: Usage,
}

impl Sample {
    fn cpu(&self) -> f64 {
        self.used.microseconds_each(self.load.answers)
    }
}

/// What came of all rounds of a contender.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) who: Contender,
    /// Processor time of an answer, microseconds: median, least and most.
    pub(super) cpu: f64,
    extremes: (f64, f64),
    /// Which part of it was its own code.
    pub(super) own_part: f64,
    /// That time beside nginx's, and beside nginx's with a log; none if that one was not measured.
    pub(super) beside_nginx: Option<f64>,
    pub(super) beside_logging: Option<f64>,
    /// Answers each second.
    pub(super) rate: f64,
    /// Sleeps for each answer.
    pub(super) sleeps: f64,
    /// Longest time of the quicker half, and of all but the slowest hundredth, microseconds.
    pub(super) half: f64,
    pub(super) most: f64,
}

impl Summary {
    /// Least and most processor time of all rounds.
    pub(super) fn spread(&self) -> String {
        format!("{:.1} to {:.1} us", self.extremes.0, self.extremes.1)
    }

    /// How long answers took, in words.
    pub(super) fn latency(&self) -> String {
        format!("p50 {:.2}ms, p99 {:.2}ms", self.half / 1e3, self.most / 1e3)
    }
}

/// Measures these contenders in one form.
///
/// # Errors
/// When one of them does not start, or an answer is not a success.
pub(super) fn measure(
    form: &Form,
    contenders: &[Contender],
    rounds: usize,
    seconds: u64,
) -> Result<Vec<Summary>> {
    let directory = tempfile::tempdir()?;
    let identity = Identity::draw(directory.path())?;
    let contenders: Vec<Contender> = contenders
        .iter()
        .copied()
        .filter(|one| one.speaks(form.over))
        .collect();
    let backend = loopback(free_port()?);
    let _backends = nginx::backends(directory.path(), backend, form.backends)?;
    answers(backend)?;
    let place = Place {
        directory: directory.path(),
        backend,
        threads: form.threads,
        cores: form.proxy,
        clients: form.clients,
        identity: &identity,
    };
    let running: Vec<Running> = contenders
        .iter()
        .map(|contender| contender.start(place))
        .collect::<Result<_>>()?;
    let script = directory.path().join("upload.lua");
    std::fs::write(
        &script,
        format!("wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {UPLOAD_BYTES})\n"),
    )?;
    for one in &running {
        sample(form, one, WARM_UP_SECONDS, &script)?;
    }
    let mut samples: Vec<Vec<Sample>> = running.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (one, samples) in running.iter().zip(&mut samples) {
            samples.push(sample(form, one, seconds, &script)?);
        }
    }
    let of = |who: Contender| {
        let at = contenders.iter().position(|contender| *contender == who)?;
        samples.get(at).map(Vec::as_slice)
    };
    let peers = (of(Contender::Nginx), of(Contender::NginxLogging));
    Ok(contenders
        .iter()
        .zip(&samples)
        .map(|(who, samples)| summary(*who, samples, peers))
        .collect())
}

fn sample(form: &Form, running: &Running, seconds: u64, script: &Path) -> Result<Sample> {
    let pids = running.pids();
    let before = Usage::of(&pids)?;
    let load = load(form, running, seconds, script).with_context(|| running.who.name())?;
    let used = Usage::of(&pids)?.since(before);
    Ok(Sample { load, used })
}

fn load(form: &Form, running: &Running, seconds: u64, script: &Path) -> Result<Load> {
    let url = running.url(form.over, form.ask.path());
    if let Over::Http2(at_a_time) = form.over {
        let h2load = H2load {
            seconds,
            connections: form.clients,
            at_a_time,
            cores: form.load,
        };
        return h2load.load(&url);
    }
    let wrk = Wrk {
        threads: form.threads,
        cores: form.load,
        field: (form.ask == Ask::NewConnection).then_some("Connection: close"),
        script: (form.ask == Ask::Upload).then_some(script),
        ..Wrk::new(seconds, form.clients)
    };
    wrk.load(&url)
}

fn summary(
    who: Contender,
    samples: &[Sample],
    (nginx, logging): (Option<&[Sample]>, Option<&[Sample]>),
) -> Summary {
    let times: Vec<f64> = samples.iter().map(Sample::cpu).collect();
    let beside = |peers: Option<&[Sample]>| {
        let ratios = samples.iter().zip(peers?);
        Some(median(ratios.map(|(own, peer)| own.cpu() / peer.cpu())))
    };
    Summary {
        who,
        cpu: median(times.iter().copied()),
        extremes: (
            times.iter().copied().fold(f64::INFINITY, f64::min),
            times.iter().copied().fold(0.0, f64::max),
        ),
        own_part: median(samples.iter().map(|sample| sample.used.own_part())),
        beside_nginx: beside(nginx),
        beside_logging: beside(logging),
        rate: median(samples.iter().map(|sample| sample.load.rate)),
        sleeps: median(
            samples
                .iter()
                .map(|sample| sample.used.sleeps_each(sample.load.answers)),
        ),
        half: median(samples.iter().map(|sample| sample.load.half)),
        most: median(samples.iter().map(|sample| sample.load.most)),
    }
}

/// The one in the middle, of an even number the upper one; of none, nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([2.0, 1.0].into_iter()), 2.0);
        assert_eq!(median([].into_iter()), 0.0);
    }
}
