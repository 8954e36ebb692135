//! What happened to sessions, as words of the wire for those who watch.

use bytes::Bytes;
use remora_proto::v1;
use remora_proto::v1::session_happening::{Ending, Kind};
use remora_table::{Ending as Why, Happening, What};

use super::replies::{label, session_key};

/// One thing that happened.
pub(in super::super) fn happening(happening: &Happening) -> v1::SessionHappening {
    let told = v1::SessionHappening {
        session: Some(session_key(&happening.session)),
        created_version: happening.created_version.0,
        owner: happening.owner.to_string(),
        labels: happening.labels.iter().map(label).collect(),
        ..v1::SessionHappening::default()
    };
    match &happening.what {
        What::Created => v1::SessionHappening {
            kind: Kind::Created.into(),
            ..told
        },
        What::Moved { from } => v1::SessionHappening {
            kind: Kind::Moved.into(),
            owner_before: from.to_string(),
            ..told
        },
        What::Released => v1::SessionHappening {
            kind: Kind::Released.into(),
            ..told
        },
        What::Renamed { new_key } => v1::SessionHappening {
            kind: Kind::Renamed.into(),
            new_key: Bytes::copy_from_slice(new_key),
            ..told
        },
        What::Labelled { before } => v1::SessionHappening {
            kind: Kind::Labelled.into(),
            labels_before: before.iter().map(label).collect(),
            ..told
        },
        What::Ended { why } => v1::SessionHappening {
            kind: Kind::Ended.into(),
            ending: ending(*why).into(),
            ..told
        },
    }
}

fn ending(why: Why) -> Ending {
    match why {
        Why::Logout => Ending::Logout,
        Why::Operator => Ending::Operator,
        Why::Limit => Ending::Limit,
        Why::Expiry => Ending::Expiry,
    }
}
