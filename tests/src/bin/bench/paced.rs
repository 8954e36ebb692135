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

/// What changes at a steady rate took.
pub(crate) struct Paced {
    /// Answers in all, those of the warm-up too.
    pub(crate) answers: u64,
    /// Time within which the quicker half was answered.
    half: Duration,
    /// Time within which all but the slowest hundredth were answered.
    most: Duration,
}

/// Sends changes at that many a second, by users of these cookies in turn.
///
/// # Errors
/// When an answer is not a success.
pub(crate) fn changes(at: SocketAddr, cookies: &[String], each_second: u32) -> Result<Paced> {
    let start = Instant::now();
    let (mut taken, answers) = std::thread::scope(|scope| -> Result<(Vec<Duration>, u64)> {
        let users: Vec<_> = (0..USERS)
            .map(|number| scope.spawn(move || user(at, cookies, start, number, each_second)))
            .collect();
        let (mut taken, mut answers) = (Vec::new(), 0);
        for user in users {
            let (times, turns) = user.join().map_err(|_| anyhow::anyhow!("a user panicked"))??;
            taken.extend(times);
            answers += turns;
        }
        Ok((taken, answers))
    })?;
    taken.sort_unstable();
    let within = |hundredth: usize| {
        taken
            .get(taken.len() * hundredth / 100)
            .copied()
            .unwrap_or_default()
    };
    Ok(Paced {
        answers,
        half: within(50),
        most: within(99),
    })
}

/// One user: every so-manieth change is theirs. The times of those that count, and how many there were in all.
fn user(
    at: SocketAddr,
    cookies: &[String],
    start: Instant,
    number: u32,
    rate: u32,
) -> Result<(Vec<Duration>, u64)> {
    let id = cookies.get(number as usize).context("fewer cookies than users")?;
    let mut browser = Browser::new(at);
    browser.set_cookie("JSESSIONID", id, "/bench");
    let mut connection: Option<TcpStream> = None;
    let (mut taken, mut answers) = (Vec::new(), 0);
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
        answers += 1;
        if due >= start + WARM_UP {
            taken.push(due.elapsed());
        }
    }
    Ok((taken, answers))
}

impl Paced {
    /// The times, as the table shows them.
    pub(crate) fn told(&self) -> String {
        let milliseconds = |time: Duration| ratio(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), 1_000);
        format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            milliseconds(self.half),
            milliseconds(self.most)
        )
    }
}
