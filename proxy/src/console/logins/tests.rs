//! What a secret opens, for how long and for whom. Broken once to see it fail: the end of a token not looked at; a login of a
//! certificate found without it; a login whose token is over found on; a token that stays good; logins of one caller not
//! counted.

use super::*;

/// Seconds since the process began, any but none.
const NOW: Duration = Duration::from_secs(100);
/// In seconds, for which the tokens of these tests are good.
const HOUR: Duration = Duration::from_secs(3_600);

fn secret(number: u8) -> Secret {
    Secret::of([number; SECRET_BYTES])
}

fn admin() -> Caller {
    Caller::with_roles("console token of ada", vec![Role::Admin])
}

fn reader() -> Caller {
    Caller::with_roles("console token of ada", vec![Role::Reader])
}

#[test]
fn a_token_opens_until_its_end_and_gives_its_rights() {
    let mut logins = Logins::default();
    logins.issue(&secret(1), admin(), NOW, NOW + HOUR);
    logins.issue(&secret(2), reader(), NOW, NOW + HOUR);
    assert!(logins.by_token("wrong", NOW, &secret(10)).is_none());
    let operates = |logins: &mut Logins, number: u8| {
        let granted = logins.by_token(&secret(number).text(), NOW, &secret(10 + 2 * number));
        granted.is_some_and(|granted| granted.login.operates())
    };
    assert!(operates(&mut logins, 1));
    assert!(!operates(&mut logins, 2));
    assert!(!operates(&mut logins, 1), "it was good once");
    assert!(logins.by_token(&secret(2).text(), NOW, &secret(20)).is_none());
    logins.issue(&secret(3), admin(), NOW, NOW + HOUR);
    let late = logins.by_token(&secret(3).text(), NOW + HOUR, &secret(20));
    assert!(late.is_none(), "its end has come");
}

#[test]
fn a_login_ends_with_its_token_or_when_it_is_closed() {
    let mut logins = Logins::default();
    logins.issue(&secret(1), admin(), NOW, NOW + HOUR);
    let granted = logins.by_token(&secret(1).text(), NOW, &secret(10)).unwrap();
    let seen = Caller::anybody();
    let found = |logins: &Logins, now| logins.find(&granted.cookie, &seen, now).is_some();
    assert!(found(&logins, NOW + HOUR - Duration::from_secs(1)));
    assert!(!found(&logins, NOW + HOUR));
    assert_eq!(granted.csrf, csrf_of(&granted.cookie));
    assert!(granted.login.repeats(&granted.csrf));
    assert!(!granted.login.repeats(&granted.cookie) && !granted.login.repeats(""));
    logins.close(&granted.login);
    assert!(!found(&logins, NOW));
}

#[test]
fn the_cookie_of_a_certificate_is_worth_nothing_without_it() {
    let mut logins = Logins::default();
    let ada = Caller::with_roles("ada", vec![Role::Admin]);
    let granted = logins.by_certificate(&ada, (NOW, NOW + HOUR), &secret(1));
    assert!(logins.find(&granted.cookie, &ada, NOW).is_some());
    for other in [Caller::anybody(), Caller::with_roles("eve", vec![Role::Admin])] {
        assert!(logins.find(&granted.cookie, &other, NOW).is_none(), "{other}");
    }
}

/// A secret of a number, of which there may be many.
fn many(number: usize) -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Secret::of(bytes)
}

#[test]
fn the_oldest_make_way() {
    let mut logins = Logins::default();
    for number in 0..=TOKENS_MAX {
        logins.issue(&many(number), admin(), NOW, NOW + HOUR);
    }
    assert!(logins.by_token(&many(0).text(), NOW, &secret(1)).is_none());
    assert!(logins.by_token(&many(1).text(), NOW, &secret(1)).is_some());
    assert_eq!(logins.tokens.len(), TOKENS_MAX - 1);
    let named = |number: usize| Caller::with_roles(&format!("ada{number}"), vec![Role::Admin]);
    let until = NOW + HOUR;
    let first = logins.by_certificate(&named(0), (NOW, until), &many(1_000));
    for number in 1..=LOGINS_MAX {
        logins.by_certificate(&named(number), (NOW, until), &many(1_000 + number));
    }
    assert!(logins.find(&first.cookie, &named(0), NOW).is_none());
    assert_eq!(logins.logins.len(), LOGINS_MAX);
}

#[test]
fn of_one_caller_the_oldest_makes_way_and_nobody_elses() {
    let mut logins = Logins::default();
    let (ada, eve) = (
        Caller::with_roles("ada", vec![Role::Admin]),
        Caller::with_roles("eve", vec![Role::Reader]),
    );
    let until = NOW + HOUR;
    let of_ada = logins.by_certificate(&ada, (NOW, until), &many(0));
    let of_eve: Vec<Granted> = (1..=LOGINS_OF_ONE_MAX + 1)
        .map(|number| logins.by_certificate(&eve, (NOW, until), &many(number)))
        .collect();
    assert!(logins.find(&of_eve[0].cookie, &eve, NOW).is_none());
    assert!(logins.find(&of_eve[1].cookie, &eve, NOW).is_some());
    assert!(logins.find(&of_ada.cookie, &ada, NOW).is_some());
    assert_eq!(logins.logins.len(), LOGINS_OF_ONE_MAX + 1);
}

#[test]
fn whoever_guesses_fills_no_log_and_keeps_nobody_out() {
    let mut logins = Logins::default();
    let said = (0..1_000).filter(|_| logins.failed(NOW).is_some()).count();
    assert_eq!(said, 10);
    assert_eq!(
        logins.failed(NOW + FAILURE_EVERY),
        Some(990),
        "and how many came between"
    );
    let told = (0..180).filter(|second| logins.is_news(NOW + Duration::from_secs(*second)));
    assert_eq!(told.count(), 3, "one a minute");
    logins.issue(&secret(1), admin(), NOW, NOW + HOUR);
    assert!(logins.by_token(&secret(1).text(), NOW, &secret(3)).is_some());
}
