//! nginx Plus' `health_check` and `match` as a pool's checks.
//!
//! Left out on purpose: fields and bodies of answers. A page that says by its status whether it can serve is what is asked for.

use std::time::Duration;

use super::NginxReader;
use super::tree::Statement;
use crate::checking::Checked;
use crate::periods::period;
use crate::site::{Health, Piece};

/// Statuses that pass where nginx's check says nothing.
const PASSING: &str = "200-399";

impl<'t> NginxReader<'t> {
    /// Gives a pool the checks of a location that leads to it.
    pub(super) fn check(&mut self, check: &Statement, pool: Option<&str>) {
        let mut health = Health {
            path: Some("/".to_owned()),
            status: Some(PASSING.to_owned()),
            ..Health::default()
        };
        let mut differs = Vec::new();
        for word in &check.arguments {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let count = value.parse().ok().filter(|count| (1..=10).contains(count));
            match name {
                "uri" => health.path = Some(value.to_owned()),
                "interval" => {
                    let bounds = (Duration::from_millis(100), Duration::from_secs(60));
                    health.every =
                        period(value, Duration::from_secs(1)).map(|time| time.clamp(bounds.0, bounds.1));
                }
                "fails" if count.is_some() => health.fall = count,
                "passes" if count.is_some() => health.rise = count,
                "port" => health.port = value.parse().ok(),
                "match" => self.matched(value, &mut health, &mut differs),
                _ => differs.push(format!("`{word}` has no key here")),
            }
        }
        match pool.and_then(|pool| self.site.pool(pool)) {
            Some(pool) => {
                pool.health = health;
                pool.origin.add(&check.line);
                self.report
                    .parts(Some(Piece::Pool), &check.line, "`health` of the pool", &differs);
            }
            None => self
                .report
                .unsupported(&check.line, "its location leads to no pool"),
        }
    }

    fn matched(&mut self, name: &str, health: &mut Health, differs: &mut Vec<String>) {
        let Some(block) = self
            .matches
            .iter()
            .find(|block| block.argument(0) == name)
            .copied()
        else {
            differs.push(format!("no block `match {name}` is in these files"));
            return;
        };
        self.report.same(&block.line, "`status` of the pool's checks");
        for own in block.inside() {
            let plain = own
                .arguments
                .iter()
                .all(|word| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'));
            if own.name == "status" && plain {
                health.status = Some(own.arguments.join(", "));
                self.report.same(&own.line, "`status` of the pool's checks");
            } else {
                let why = "a check looks at the status of an answer alone: have the page say by that whether it can serve";
                self.report.unsupported(&own.line, why);
            }
        }
    }

    /// Gives the pools that nothing checks the checks that they can have.
    pub(super) fn unchecked(&mut self) {
        for pool in self
            .site
            .pools
            .iter_mut()
            .filter(|pool| pool.health.path.is_none())
        {
            let differs = Checked::Never.apply("nginx", self.tomcats.contains(&pool.name), pool);
            if let (Some(line), Some(why)) = (pool.origin.lines.first(), differs) {
                self.report.becomes_but(Piece::Pool, line, why);
            }
        }
    }

    /// Tells of the blocks that no check names.
    pub(super) fn tell_of_unused_matches(&mut self) {
        for block in self.matches.clone() {
            if !self.report.is_told(&block.line) {
                self.whole(block, "no check names it");
            }
        }
    }
}
