//! What scripts write of labels, limits, local attributes and logins, in the notation of [`super::stage`].

use std::error::Error;

use crate::{Label, Limit, LocalAttribute, Login, OverLimit};

/// Why a word says nothing.
pub(super) type Fault = Box<dyn Error>;

/// Names and what belongs to them, as in `principal:ada oidc.sid:7`; `none` stands for nothing.
pub(super) fn named(text: &str) -> Result<Vec<(&str, &str)>, Fault> {
    let words = text.split_whitespace().filter(|word| *word != "none");
    words
        .map(|word| word.split_once(':').ok_or_else(|| "name:value".into()))
        .collect()
}

pub(super) fn label((name, value): (&str, &str)) -> Label {
    Label {
        name: name.into(),
        value: value.into(),
    }
}

/// A limit, as in `principal:3 end`.
pub(super) fn limit(text: &str) -> Result<Limit, Fault> {
    let (label, sessions) = text.split_once(':').ok_or("label:sessions then")?;
    let (sessions, then) = sessions.split_once(' ').unwrap_or((sessions, "refuse"));
    Ok(Limit {
        label: label.into(),
        sessions: sessions.parse()?,
        then: match then {
            "refuse" => OverLimit::Refuse,
            "end" => OverLimit::End,
            other => return Err(format!("what is {other}?").into()),
        },
    })
}

pub(super) fn local((name, class): (&str, &str)) -> LocalAttribute {
    LocalAttribute {
        name: name.into(),
        class: class.into(),
    }
}

pub(super) fn login(principal: &str) -> Login {
    let principal = if principal == "nobody" { "" } else { principal };
    Login {
        principal: principal.into(),
        roles: vec!["user".into()],
        auth_type: "FORM".into(),
    }
}
