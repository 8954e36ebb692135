//! What becomes of sessions, as the store tells it while a page looks: for the history of a session.
//!
//! Left out on purpose: what nobody looked at. A gap is not filled.

use std::sync::Arc;
use std::time::Duration;

use remora_overview::client::{Store, Word};
use remora_proto::v1::session_happening::{Ending, Kind};
use remora_proto::v1::{SessionFilter, SessionHappening, WatchSessionsReply};
use tokio::time::sleep;

use super::Console;
use super::history::{Move, SessionName};
use crate::directory::unix_ms;

/// How long nobody watches after the store has refused: too many do, or it is away for long.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

impl Console {
    /// Takes in what becomes of sessions. Never ends.
    pub(super) async fn watch_sessions(&self) {
        let Some(store) = self.0.store.as_ref().and_then(|reach| Store::new(reach).ok()) else {
            return std::future::pending().await;
        };
        loop {
            let mut watching = store.watch(SessionFilter::default());
            while let Ok(word) = watching.next().await {
                if let Word::Told(told) = word {
                    self.take(told);
                }
            }
            sleep(REFUSED_PAUSE).await;
        }
    }

    fn take(&self, told: WatchSessionsReply) {
        if told.happenings.is_empty() {
            return;
        }
        let (at, mut histories) = (unix_ms(), self.histories());
        for happening in told.happenings {
            let Some(kind) = kind_of(&happening) else { continue };
            let session = happening.session.unwrap_or_default();
            let name: SessionName = (session.application.into(), session.key.as_ref().into());
            let new_key = (!happening.new_key.is_empty()).then(|| Arc::from(happening.new_key.as_ref()));
            let what = Move {
                at,
                kind,
                owner: happening.owner,
                owner_before: happening.owner_before,
            };
            histories.take(name, what, new_key);
        }
    }
}

/// In a word of ours; none where a later store says what this proxy does not know.
fn kind_of(happening: &SessionHappening) -> Option<&'static str> {
    Some(match happening.kind() {
        Kind::Created => "created",
        Kind::Moved => "moved",
        Kind::Released => "released",
        Kind::Renamed => "renamed",
        Kind::Labelled => "labelled",
        Kind::Ended => match happening.ending() {
            Ending::Operator => "operator",
            Ending::Limit => "limit",
            Ending::Expiry => "expired",
            Ending::Logout | Ending::Unspecified => "logout",
        },
        Kind::Unspecified => return None,
    })
}
