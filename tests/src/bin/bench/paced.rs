//! Changes at a steady rate, and how long each took from the moment at which it was due.
//!
//! A closed loop slows down with what it measures and so hides the waits; here a request that is due while another is
//! still under way counts its wait too.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Browser, Request};

use crate::cpu::ratio;

/// Users who take turns, each on a connection of their own: enough that nobody's next turn comes before their answer.
const USERS: u32 = 32;

/// How long the rate is held before anything counts.
const WARM_UP: Duration = Duration::from_secs(3);

/// How long it is measured.
const MEASURE: Duration = Duration::from_secs(8);

/// Sends changes at that many a second, by users of these cookies in turn.
///
/// Returns the time within which the quicker half, and all but the slowest hundredth, were answered.
///
/// # Errors
/// When an answer is not a success.
pub(crate) fn changes(at: SocketAddr, cookies: &[String], each_second: u32) -> Result<(Duration, Duration)> {
    let start = Instant::now();
    let mut taken = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        let users: Vec<_> = (0..USERS)
            .map(|number| scope.spawn(move || user(at, cookies, start, number, each_second)))
            .collect();
        let mut taken = Vec::new();
        for user in users {
            taken.extend(user.join().map_err(|_| anyhow::anyhow!("a user panicked"))??);
        }
        Ok(taken)
    })?;
    taken.sort_unstable();
    let within = |hundredth: usize| {
        taken
            .get(taken.len() * hundredth / 100)
            .copied()
            .unwrap_or_default()
    };
    Ok((within(50), within(99)))
}

/// One user: every so-manieth change is theirs.
fn user(at: SocketAddr, cookies: &[String], start: Instant, number: u32, rate: u32) -> Result<Vec<Duration>> {
    let id = cookies.get(number as usize).context("fewer cookies than users")?;
    let mut browser = Browser::new(at);
    browser.set_cookie("JSESSIONID", id, "/bench");
    let mut connection: Option<TcpStream> = None;
    let mut taken = Vec::new();
    for turn in (number..).step_by(USERS as usize) {
        let due = start + Duration::from_secs(1) * turn / rate;
        if due >= start + WARM_UP + MEASURE {
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "a steady rate is made of pauses")]
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let request = Request::get(&format!("/bench/change.jsp?name=changed&value={turn:0190}"));
        let answer = browser.send_kept(&request, &mut connection)?;
        ensure!(
            answer.status == 200,
            "a paced change was answered {}",
            answer.status
        );
        if due >= start + WARM_UP {
            taken.push(due.elapsed());
        }
    }
    Ok(taken)
}

/// Both figures, as the table shows them.
pub(crate) fn told((half, most): (Duration, Duration)) -> String {
    let milliseconds = |time: Duration| ratio(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), 1_000);
    format!(
        "p50 {:.2} ms, p99 {:.2} ms",
        milliseconds(half),
        milliseconds(most)
    )
}
