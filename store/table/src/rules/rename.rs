//! Rename: a session gets another id, as containers do at a login, so that an id known before opens nothing after.

use std::sync::Arc;

use crate::happening::What;
use crate::outcome::Outcome;
use crate::slot::{Alias, Slot};
use crate::table::{Call, SessionTable, deadline};
use crate::types::{Epoch, KEY_BYTES, RecordedChange, RecordedKind, SessionKey};

/// How long the old key serves commands that carry the current epoch, in milliseconds: requests that a browser had
/// under way with the old cookie. As long as such a request may plausibly take.
const ALIAS_LIVES_MS: u64 = 30_000;

impl SessionTable {
    pub(crate) fn rename(
        &mut self,
        call: &mut Call<'_>,
        session: &SessionKey,
        new_key: &[u8; KEY_BYTES],
        epoch: Epoch,
    ) -> Outcome {
        let (key, mut record) = match self.owned(call, session, epoch) {
            Ok(owned) => owned,
            Err(outcome) => return *outcome,
        };
        let target = key.with_key(*new_key);
        // What stands there past its deadline is absent to this command, but its owner may not know yet.
        if self.contents.slot(&target).is_some() {
            return Outcome::Taken;
        }
        if let Some(Slot::Live(expired)) = self.standing(&target) {
            self.expire(call, &target, expired, &self.heard());
        }
        let version = self.next_version();
        let now = self.now();
        let renamed = Arc::make_mut(&mut record);
        renamed.version = version;
        renamed.deadline = deadline(now, renamed.max_idle_seconds);
        renamed.last_change = call.id().map(|id| RecordedChange {
            id,
            version,
            kind: RecordedKind::Rekeyed,
        });
        call.happened(&key, &record, What::Renamed { new_key: *new_key });
        // The new key first: a reader between the two steps finds the session under either.
        self.put(&target, Slot::Live(record));
        let alias = Alias {
            target: *new_key,
            deadline: now.plus_ms(ALIAS_LIVES_MS),
        };
        self.put(&key, Slot::Alias(Arc::new(alias)));
        Outcome::Rekeyed { version }
    }
}
