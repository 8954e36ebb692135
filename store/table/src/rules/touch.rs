//! Touch: the deadlines of many sessions that were used, in one command.
//!
//! Not remembered for repeats and no change of version: a touch that is applied twice does no harm.

use crate::command::{TOUCHED_MAX, Touched};
use crate::outcome::Outcome;
use crate::slot::Standing;
use crate::table::{SessionTable, deadline};

impl SessionTable {
    pub(crate) fn touch(&mut self, sessions: &[Touched]) -> Outcome {
        let (mut fenced, mut gone) = (Vec::new(), Vec::new());
        for (position, touched) in (0..).zip(sessions.iter().take(TOUCHED_MAX)) {
            let found = self.contents.find(&touched.session);
            let Standing::Live(current) = found.what else {
                gone.push(position);
                continue;
            };
            if current.epoch != touched.epoch {
                fenced.push(position);
                continue;
            }
            drop(current);
            let now = self.now();
            self.change(&found.key, |record, _| {
                record.last_access_ms = touched.last_access_ms;
                record.deadline = deadline(now, record.max_idle_seconds);
            });
        }
        Outcome::Touched { fenced, gone }
    }
}
