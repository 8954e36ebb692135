//! What a secret opens, for how long and for whom. Broken once to see it fail: the end of a token not looked at; a login of a
//! certificate found without it; a login whose token is over found on.

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
    let late = logins.by_token(&secret(1).text(), NOW + HOUR, &secret(20));
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

#[test]
fn the_oldest_make_way() {
    let mut logins = Logins::default();
    let of = |number: usize| {
        let mut bytes = [0; SECRET_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Secret::of(bytes)
    };
    for number in 0..=TOKENS_MAX {
        logins.issue(&of(number), admin(), NOW, NOW + HOUR);
    }
    assert!(logins.by_token(&of(0).text(), NOW, &secret(1)).is_none());
    let granted = logins.by_token(&of(1).text(), NOW, &secret(1)).unwrap();
    for number in 0..LOGINS_MAX {
        let more = of(1_000 + number);
        assert!(logins.by_token(&of(2).text(), NOW, &more).is_some());
    }
    assert!(logins.find(&granted.cookie, &Caller::anybody(), NOW).is_none());
    assert_eq!(
        (logins.tokens.len(), logins.logins.len()),
        (TOKENS_MAX, LOGINS_MAX)
    );
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
    logins.issue(&secret(1), admin(), NOW, NOW + HOUR);
    assert!(logins.by_token(&secret(1).text(), NOW, &secret(3)).is_some());
}
