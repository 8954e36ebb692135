//! How scripts show what the table answers: one line an outcome, in the order in which people read.

use std::fmt::Write;

use crate::{
    Attribute, Checked, ClusterFormat, Ending, Event, EventKind, Happening, Label, LocalAttribute, Merged,
    Ousted, Outcome, Owner, RegisteredServer, Retired, Session, SessionKey, TableTime, What, Wish,
};

pub(super) fn name(key: &SessionKey) -> String {
    let name: Vec<u8> = key.key[1..]
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&name).into_owned()
}

pub(super) fn show_owner(owner: &Owner) -> String {
    if owner.instance == 0 {
        "nobody".into()
    } else {
        format!("{}/{}", owner.node, owner.instance)
    }
}

pub(super) fn show_session(session: &Session) -> String {
    let mut text = format!(
        "v{} e{} c{} {}",
        session.version,
        session.epoch,
        session.created_version,
        show_owner(&session.owner)
    );
    if session.deadline != TableTime::NEVER {
        let _ = write!(text, " until {}", session.deadline.0);
    }
    if let Some(login) = &session.login {
        let _ = write!(text, " login {}", login.principal);
    }
    text += &show_labels(&session.labels);
    text += &show_local(&session.local);
    text + &show_attributes(&session.attributes)
}

fn show_attributes(attributes: &[Attribute]) -> String {
    let shown = |attribute: &Attribute| {
        format!(
            " {}={}@{}",
            attribute.name,
            String::from_utf8_lossy(&attribute.value),
            attribute.version
        )
    };
    attributes.iter().map(shown).collect()
}

fn show_labels(labels: &[Label]) -> String {
    labels
        .iter()
        .map(|label| format!(" label {}={}", label.name, label.value))
        .collect()
}

fn show_local(local: &[LocalAttribute]) -> String {
    let shown = |local: &LocalAttribute| format!(" {} is local, {}", local.name, local.class);
    local.iter().map(shown).collect()
}

fn show_merged(merged: &Merged) -> String {
    let mut text = format!("; merged{}", show_attributes(&merged.attributes));
    if merged.removals {
        let names: Vec<&str> = merged.names.iter().map(|name| &**name).collect();
        let _ = write!(text, " only [{}] exist", names.join(" "));
        text += &show_local(&merged.local);
    }
    if let Some(login) = &merged.login {
        let who = if login.is_logout() {
            "nobody"
        } else {
            &login.principal
        };
        let _ = write!(text, " login {who}");
    }
    if let Some(seconds) = merged.max_idle_seconds {
        let _ = write!(text, " idle {seconds}");
    }
    if let Some(labels) = &merged.labels {
        let _ = write!(
            text,
            " now{}",
            if labels.is_empty() {
                " no label".into()
            } else {
                show_labels(labels)
            }
        );
    }
    text
}

fn show_ended(ended: Option<&[SessionKey]>) -> String {
    let shown = |key: &SessionKey| format!(", ended {}", name(key));
    ended.unwrap_or_default().iter().map(shown).collect()
}

pub(super) fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Claimed(session) => format!("claimed {}", show_session(session)),
        Outcome::Saved(saved) => {
            let merged = saved.merged.as_ref().map_or(String::new(), show_merged);
            format!(
                "saved v{} e{} c{}{merged}{}",
                saved.version,
                saved.epoch,
                saved.created_version,
                show_ended(saved.ended.as_deref())
            )
        }
        Outcome::Conflict { version, merged } => format!("conflict v{version}{}", show_merged(merged)),
        Outcome::Fenced { owner } => format!("fenced: {} owns it", show_owner(owner)),
        Outcome::Gone { tombstone } => format!("gone †{tombstone}"),
        Outcome::Renamed => "renamed".into(),
        Outcome::Stale => "stale".into(),
        Outcome::TooLarge { bytes } => format!("too large: {bytes}"),
        Outcome::OverLimit { sessions } => format!("over the limit of {sessions}"),
        Outcome::Touched { fenced, gone } => format!("touched, fenced {fenced:?}, gone {gone:?}"),
        Outcome::Rekeyed { version } => format!("rekeyed v{version}"),
        Outcome::Taken => "taken".into(),
        Outcome::Removed { tombstone } => format!("removed †{tombstone}"),
        Outcome::Released => "released".into(),
        Outcome::Swept { removed } => format!("swept {removed}"),
        Outcome::Buried { first } => format!("buried, first: {first}"),
        Outcome::Announced { version } => format!("announced v{version}"),
        Outcome::Retired { version: None } => "nobody to retire".into(),
        Outcome::Retired {
            version: Some(version),
        } => format!("retired v{version}"),
        Outcome::Wished { version } => format!("wished v{version}"),
        Outcome::Behind { version } => format!("behind v{version}"),
        Outcome::Killed { killed } => format!("killed {killed}"),
        Outcome::Ticked => "ticked".into(),
        Outcome::Understood => "understood".into(),
        Outcome::NoMember => "no member".into(),
        Outcome::Raised { format } => format!("raised to {format}"),
        Outcome::NotUnderstood { node, understood } => {
            let said = understood.map_or("nothing yet".into(), |understood| understood.to_string());
            format!("not understood: node {node} said {said}")
        }
        Outcome::Held { held } => format!("held: {held}"),
    }
}

pub(super) fn show_server(entry: &RegisteredServer) -> String {
    let listens = if entry.listened.is_empty() {
        ""
    } else {
        ", listens"
    };
    format!(
        "{} at {} v{}{listens}",
        show_owner(&entry.server),
        entry.url,
        entry.version
    )
}

pub(super) fn show_wish(wish: &Wish) -> String {
    let said = match String::from_utf8_lossy(&wish.said) {
        said if said.is_empty() => "taken back".into(),
        said => said,
    };
    format!(
        "{}: {said} by {} at {} v{}",
        wish.of, wish.who, wish.at_ms, wish.version
    )
}

pub(super) fn show_retired(mark: &Retired) -> String {
    format!("{} retired v{}", show_owner(&mark.server), mark.version)
}

pub(super) fn show_checked(checked: &Checked) -> String {
    match checked {
        Checked::Current => "current".into(),
        Checked::Newer(session) => format!("newer {}", show_session(session)),
        Checked::Moved { owner } => format!("moved: {} owns it", show_owner(owner)),
        Checked::Renamed => "renamed".into(),
        Checked::Gone { tombstone } => format!("gone †{tombstone}"),
    }
}

pub(super) fn show_cluster(cluster: &ClusterFormat) -> String {
    let mut text = format!("format {}", cluster.format);
    for (node, member) in &cluster.members {
        let said = member
            .understood
            .map_or("nothing yet".into(), |understood| understood.to_string());
        let _ = write!(text, ", node {node} on disk {} said {said}", member.disk);
    }
    for removed in &cluster.removed {
        let _ = write!(
            text,
            ", disk {} of node {} was removed",
            removed.disk, removed.node
        );
    }
    if let Some(ready) = cluster.ready {
        let _ = write!(text, ", ready for {} since {}", ready.format, ready.since.0);
    }
    if cluster.held {
        text += ", held";
    }
    text
}

pub(super) fn show_event(event: &Event) -> String {
    let (what, version) = match event.kind {
        EventKind::OwnershipLost => ("lost", None),
        EventKind::Gone => ("gone", None),
        EventKind::Expired => ("expired", None),
        EventKind::Newer { version } => ("newer", Some(version)),
    };
    let version = version.map_or(String::new(), |version| format!(" v{version}"));
    format!(
        "tell {}: {what} {} e{}{version}",
        event.instance,
        name(&event.session),
        event.epoch
    )
}

pub(super) fn show_ousted(ousted: &Ousted) -> String {
    let Ousted { server, url, by } = ousted;
    let server = match &**url {
        "" => show_owner(server),
        url => format!("{} at {url}", show_owner(server)),
    };
    match by {
        Some(instance) => format!("{server} is displaced by instance {instance}"),
        None => format!("{server} is taken out"),
    }
}

pub(super) fn show_happening(happening: &Happening) -> String {
    let what = match &happening.what {
        What::Created => "created".to_owned(),
        What::Moved { from } => format!("moved from {from}"),
        What::Released => "released".to_owned(),
        What::Renamed { new_key } => {
            let renamed = happening.session.with_key(*new_key);
            format!("renamed to {}", name(&renamed))
        }
        What::Labelled { before } => format!("labelled after [{}]", show_labels(before).trim_start()),
        What::Ended { why } => {
            let why = match why {
                Ending::Logout => "logout",
                Ending::Operator => "an operator",
                Ending::Limit => "a limit",
                Ending::Expiry => "expiry",
            };
            format!("ended by {why}")
        }
    };
    format!(
        "see {} c{}: {what}, {}{}",
        name(&happening.session),
        happening.created_version,
        happening.owner,
        show_labels(&happening.labels)
    )
}
