//! Rates, of answers that come and do not come.

use super::*;

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

const ADDRESS: &str = "10.0.2.1:7410";

/// A proxy with two upstreams, as it says at a second.
fn proxy(rates: &mut Rates, second: u64, answered: [u64; 2]) {
    let upstreams = [0, 1].map(|index| UpstreamStatus {
        pool: "tomcat".into(),
        route: format!("n{}", index + 1),
        answered: answered[index],
        ..UpstreamStatus::default()
    });
    let status = ProxyStatus {
        upstreams: upstreams.to_vec(),
        ..ProxyStatus::default()
    };
    rates.hear_proxy(at(second), ADDRESS, Ok(Box::new(status)));
}

#[test]
fn a_rate_is_the_difference_of_two_answers_and_unknown_before() {
    let mut counter = Counter::default();
    counter.rises(at(1), 100);
    assert_eq!(counter.rate, None);
    counter.rises(at(3), 300);
    assert_eq!(counter.rate, Some(100.0));
    // A new process counts from nothing.
    counter.rises(at(4), 10);
    assert_eq!(counter.rate, None);
    counter.rises(at(5), 12);
    assert_eq!(counter.rate, Some(2.0));
    let mut sessions = Counter::default();
    sessions.moves(at(1), 10);
    sessions.moves(at(2), 4);
    assert_eq!(sessions.rate, Some(-6.0));
}

#[test]
fn who_says_nothing_is_silent_and_its_rate_unknown() {
    let mut rates = Rates::default();
    for second in [1, 2] {
        proxy(&mut rates, second, [100 * second, 0]);
    }
    assert_eq!(rates.proxies[ADDRESS].work.rate, Some(100.0));
    // A word that is old is no present one: whoever asks may hang as well.
    assert!(rates.proxies[ADDRESS].is_present(at(5)));
    assert!(!rates.proxies[ADDRESS].is_present(at(6)));
    rates.hear_proxy(at(3), ADDRESS, Err("no answer".into()));
    assert!(!rates.proxies[ADDRESS].is_present(at(3)));
    assert_eq!(rates.upstreams.len(), 2, "they are still shown");
    let mut upstreams = rates.upstreams.values();
    assert!(upstreams.all(|upstream| upstream.answered.rate.is_none()));
}

#[test]
fn an_upstream_that_is_no_more_is_not_shown() {
    let mut rates = Rates::default();
    proxy(&mut rates, 1, [0, 0]);
    rates.hear_proxy(at(2), ADDRESS, Ok(Box::default()));
    assert!(rates.upstreams.is_empty());
}
