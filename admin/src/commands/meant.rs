//! Which sessions a command means: one by its key, its id or its cookie, or many by a filter and conditions.
//!
//! Invariants: what could be a session id is refused before it travels, and is not repeated in the refusal; ids and cookies are
//! read from standard input, never from the command line, which every user of the machine can read, and are hashed here.
//!
//! Ages are reckoned against the operator's own clock.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use remora_proto::v1::session_stats_request::By;
use remora_proto::v1::{Label, SessionConditions, SessionFilter};

use crate::args::{Conditions, Filter, Named};
use crate::failure::Failure;
use crate::ids;
use remora_overview::client::Store;

use super::{listing, stats};

/// What is read of an id or a cookie at most, in bytes: more than any head that a Tomcat takes.
const PASTED_BYTES_MAX: u64 = 65_536;

/// How an operator asks for the sessions that nobody holds.
pub(super) const NOBODY: &str = "none";

/// Names that a sentence lists at most.
const NAMES_SAID: usize = 20;

/// Which sessions are meant: all that is said must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Meant {
    pub(super) filter: SessionFilter,
    pub(super) conditions: SessionConditions,
}

impl Meant {
    /// What a command line says, at this time of the operator's clock.
    pub(super) fn new(filter: &Filter, conditions: &Conditions, now_ms: u64) -> Meant {
        let before = |age: Option<Duration>| {
            let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            // 0 would mean any; nobody is older than the clock.
            age.map_or(0, |age| now_ms.saturating_sub(age).max(1))
        };
        let released = filter.owner.as_deref() == Some(NOBODY);
        let mut meant = Meant {
            filter: by_names(filter),
            conditions: SessionConditions {
                last_access_before_ms: before(conditions.idle.map(Into::into)),
                created_before_ms: before(conditions.age.map(Into::into)),
                bytes_at_least: conditions.size.unwrap_or(0),
                attribute: conditions.attribute.clone().unwrap_or_default(),
                released,
            },
        };
        if released {
            meant.filter.owner.clear();
        }
        meant
    }

    /// The same whenever they were used or created, however large they are, and whoever holds them: what is left are names.
    pub(super) fn names(&self) -> Meant {
        Meant {
            filter: self.filter.clone(),
            conditions: SessionConditions {
                attribute: self.conditions.attribute.clone(),
                ..SessionConditions::default()
            },
        }
    }

    /// Its names in words.
    pub(super) fn said(&self) -> String {
        let SessionFilter {
            application,
            labels,
            owner,
            ..
        } = &self.filter;
        let named = |what: &str, name: &str| (!name.is_empty()).then(|| format!("the {what} {name:?}"));
        let labels = labels
            .iter()
            .map(|label| format!("the label {}={}", label.name, label.value));
        let names = named("application", application)
            .into_iter()
            .chain(labels)
            .chain(named("owner", owner))
            .chain(named("attribute", &self.conditions.attribute));
        names.collect::<Vec<_>>().join(" and ")
    }

    /// Whether nothing narrows it.
    pub(super) fn is_everything(&self) -> bool {
        *self == Meant::default()
    }
}

/// What a filter says of names; `none` is a name here.
pub(super) fn by_names(filter: &Filter) -> SessionFilter {
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    SessionFilter {
        application: filter.application.clone().unwrap_or_default(),
        labels: filter.labels().map(label).collect(),
        owner: filter.owner.clone().unwrap_or_default(),
        key_prefix: String::new(),
    }
}

/// One session as it was named.
#[derive(Debug)]
pub(super) struct Picked {
    /// Hexadecimal digits of its key: all of them where an id was given.
    pub(super) digits: String,
    by_id: bool,
    secret: Option<Vec<u8>>,
}

impl Picked {
    /// Whether a text is the id of the session with this key.
    pub(super) fn is_id_of(&self, text: &str, key: &[u8]) -> bool {
        ids::of_id(text).is_ok_and(|bare| ids::key(bare, self.secret.as_deref()) == key)
    }

    /// Whether an id of the session may not be known as one: the key may be of an id and a secret that nobody named.
    pub(super) fn may_miss_ids(&self) -> bool {
        !self.by_id && self.secret.is_none()
    }

    /// A failure to find it, with what may be amiss.
    pub(super) fn missed(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Missing(sentence) if self.by_id && self.secret.is_none() => Failure::Missing(format!(
                "{sentence}; where the Tomcats hash ids with a secret (key, keyFile, or encryptionKeys with a line ids), name its \
                 file with --key-file"
            )),
            other => other,
        }
    }
}

/// The session that a command names, if it names one.
pub(super) fn picked(named: &Named) -> Result<Option<Picked>, Failure> {
    let secret = named.key_file.as_ref().map(|file| {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let secret = text.and_then(|text| ids::secret(&text).map_err(ToOwned::to_owned));
        secret.map_err(|why| Failure::Usage(format!("--key-file {}: {why}", file.display())))
    });
    let secret = secret.transpose()?;
    let said = |why: &str| Failure::Usage(why.to_owned());
    let key = if let Some(flag) = &named.id {
        let text = pasted("--id", flag)?;
        ids::key(ids::of_id(&text).map_err(said)?, secret.as_deref())
    } else if let Some(flag) = &named.cookie {
        let text = pasted("--cookie", flag)?;
        let bare = ids::of_cookie(&text, &named.cookie_name).map_err(said)?;
        ids::key(bare, secret.as_deref())
    } else {
        let digits = named.key.as_deref().map(key_digits).transpose()?;
        return Ok(digits.map(|digits| Picked {
            digits,
            by_id: false,
            secret,
        }));
    };
    Ok(Some(Picked {
        digits: hexadecimal(&key),
        by_id: true,
        secret,
    }))
}

/// What stands on standard input: a line of a person's, all that a program sends.
pub(super) fn pasted(flag: &str, value: &str) -> Result<String, Failure> {
    if value != "-" {
        // The sentence must not repeat what may be a credential.
        return Err(Failure::Usage(format!(
            "{flag} takes -, and reads from standard input: everybody on this machine can read what stands in a command line"
        )));
    }
    let mut text = String::new();
    let read = if std::io::stdin().is_terminal() {
        // A question that nobody can see is no reason to stop.
        let _ = write!(std::io::stderr(), "{}: ", flag.trim_start_matches('-'));
        std::io::stdin().read_line(&mut text)
    } else {
        std::io::stdin().take(PASTED_BYTES_MAX).read_to_string(&mut text)
    };
    read.map_err(|error| Failure::Usage(format!("{flag}: {error}")))?;
    if text.trim().is_empty() {
        return Err(Failure::Usage(format!(
            "{flag}: nothing stands on standard input"
        )));
    }
    Ok(text)
}

/// Refuses what cannot be a key here, so that nobody pastes a session id and waits for a "not found". Tomcat writes its
/// ids as 32 digits with upper-case letters, and keys are shown in lower case.
fn key_digits(key: &str) -> Result<String, Failure> {
    let fits = (1..=32).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_session_id = key.len() == 32 && key.bytes().any(|byte| byte.is_ascii_uppercase());
    if fits && !is_session_id {
        return Ok(key.to_ascii_lowercase());
    }
    // The sentence must not repeat what may be a credential.
    Err(Failure::Usage(
        "that is not a key: give the leading hexadecimal digits that `remora sessions list` shows; --id - reads a session id"
            .into(),
    ))
}

/// Whether the store knows the application and the owner that are named; for who found nothing, because a name that is not known
/// is rather a wrong one.
pub(super) async fn check_names(store: &Store, filter: &SessionFilter) -> Result<(), Failure> {
    for (what, name, by) in [
        ("application", &filter.application, By::Application),
        ("owner", &filter.owner, By::Owner),
    ] {
        if name.is_empty() {
            continue;
        }
        let (known, whole) = known(store, by).await?;
        if !known.contains(name) && (whole || !is_borne(store, name, by).await?) {
            return Err(Failure::Missing(unknown(what, name, &known, whole)));
        }
    }
    Ok(())
}

/// Names that sessions bear, and Tomcats that announced themselves; and whether these are all of them.
async fn known(store: &Store, by: By) -> Result<(BTreeSet<String>, bool), Failure> {
    let (mut names, mut whole) = (BTreeSet::new(), true);
    for server in store.servers().await?.servers {
        match by {
            By::Application => names.extend(server.applications),
            _ => names.extend(server.server.map(|owner| owner.node)),
        }
    }
    match stats::groups(store, &Meant::default(), by).await {
        Ok(told) => {
            whole = told.other_groups == 0 && !told.too_many_groups;
            names.extend(told.groups.into_iter().map(|group| group.name));
        }
        // One of an earlier release only knows whom Tomcats announced.
        Err(Failure::Older(_)) => {}
        Err(other) => return Err(other),
    }
    names.remove("");
    Ok((names, whole))
}

/// Whether a session bears a name.
async fn is_borne(store: &Store, name: &str, by: By) -> Result<bool, Failure> {
    let mut filter = SessionFilter::default();
    match by {
        By::Application => name.clone_into(&mut filter.application),
        _ => name.clone_into(&mut filter.owner),
    }
    Ok(listing::count(store, filter).await? != Some(0))
}

/// Where the known are not all there are, nobody knows how many more.
fn unknown(what: &str, name: &str, known: &BTreeSet<String>, whole: bool) -> String {
    let listed: Vec<&str> = known.iter().map(String::as_str).take(NAMES_SAID).collect();
    let more = match known.len().saturating_sub(NAMES_SAID) {
        _ if !whole => " and others".to_owned(),
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if listed.is_empty() {
        format!("there is no {what} {name:?}, nor any other")
    } else {
        format!(
            "there is no {what} {name:?}; there are {}{more}",
            listed.join(", ")
        )
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The wall clock in milliseconds since 1970, against which people read the ages of sessions.
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own clock, used for display only"
)]
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_session_id_is_refused_before_it_travels() {
        let refused = key_digits("4DF1C0FFEE.n1").unwrap_err();
        assert_eq!(crate::failure::exit_code(&refused), 2);
        let whole = key_digits("4DF1C0FFEE4DF1C0FFEE4DF1C0FFEE00").unwrap_err();
        assert_eq!(crate::failure::exit_code(&whole), 2);
        assert!(!whole.to_string().contains("4DF1"), "it may be a credential");
        assert!(key_digits("4df1c0ffee4df1c0ffee4df1c0ffee00").is_ok());
        assert_eq!(key_digits("3FA4").unwrap(), "3fa4");
    }

    #[test]
    fn ages_become_moments_and_none_is_nobody() {
        let filter = Filter {
            owner: Some("none".into()),
            ..Filter::default()
        };
        let conditions = Conditions {
            idle: Some(Duration::from_secs(2).into()),
            age: Some(Duration::from_secs(9_000).into()),
            ..Conditions::default()
        };
        let meant = Meant::new(&filter, &conditions, 10_000);
        assert_eq!(meant.conditions.last_access_before_ms, 8_000);
        assert_eq!(
            meant.conditions.created_before_ms, 1,
            "never 0, which would be any"
        );
        assert!(meant.conditions.released && meant.filter.owner.is_empty());
        assert!(!meant.is_everything());
        assert!(Meant::new(&Filter::default(), &Conditions::default(), 10_000).is_everything());
    }

    #[test]
    fn names_are_said_without_what_narrows_them_further() {
        let filter = Filter {
            application: Some("localhost/shop".into()),
            principal: Some("ada".into()),
            owner: Some("none".into()),
            ..Filter::default()
        };
        let conditions = Conditions {
            idle: Some(Duration::from_secs(2).into()),
            size: Some(9),
            attribute: Some("cart".into()),
            ..Conditions::default()
        };
        let names = Meant::new(&filter, &conditions, 10_000).names();
        assert_eq!(
            names.said(),
            "the application \"localhost/shop\" and the label principal=ada and the attribute \"cart\""
        );
        let narrower = SessionConditions {
            attribute: "cart".into(),
            ..SessionConditions::default()
        };
        assert_eq!(names.conditions, narrower);
        let nameless = Conditions {
            attribute: None,
            ..conditions
        };
        assert!(
            Meant::new(&Filter::default(), &nameless, 10_000)
                .names()
                .is_everything()
        );
    }

    #[test]
    fn an_unknown_name_is_told_with_those_that_are() {
        let known = BTreeSet::from(["localhost/cart".to_owned(), "localhost/shop".to_owned()]);
        assert_eq!(
            unknown("application", "shop", &known, true),
            "there is no application \"shop\"; there are localhost/cart, localhost/shop"
        );
        assert_eq!(
            unknown("owner", "n1", &BTreeSet::new(), true),
            "there is no owner \"n1\", nor any other"
        );
        let many = (0..22).map(|number| format!("n{number:02}")).collect();
        assert!(unknown("owner", "x", &many, true).ends_with("n19 and 2 more"));
        assert!(unknown("owner", "x", &many, false).ends_with("n19 and others"));
    }
}
