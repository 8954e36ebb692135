//! Claim: a client that floods the proxy with frames that bring nothing is stopped, soon and alone, and those that browsers and
//! libraries send are not (CVE-2023-44487 "rapid reset", CVE-2025-8671 "MadeYouReset", CVE-2019-9511 to 9518, CVE-2024-27316).
//!
//! Broken once to see it fail: what was read not looked at; empty content not counted; no bound on streams that we reset; what the
//! crate found not told.

mod support;

use support::http2::{Raw, Site};
use support::process::Config;
use support::upstream::{Act, Upstream};
use support::wait_until;

/// Frames of a flood, at most: far more than are borne of any kind.
const FLOOD: u32 = 20_000;
/// Frames that are sent at a time.
const AT_A_TIME: u32 = 100;
/// Streams that a connection may have us reset.
const WRONG_STREAMS: u32 = 128;
/// "Enhance your calm": RFC 9113 section 7.
const ENHANCE_YOUR_CALM: Option<u32> = Some(11);

/// Sends up to [`FLOOD`] of what `frames` makes of a number that counts up; answers how many were sent until the proxy took no
/// more, and what it said.
fn flood(site: &Site, frames: impl Fn(u32) -> Vec<u8>) -> (u32, Option<u32>) {
    let mut raw = site.raw();
    let mut sent = 0;
    while sent < FLOOD {
        let some: Vec<u8> = (sent..sent + AT_A_TIME).flat_map(&frames).collect();
        if !raw.send(&some) {
            break;
        }
        sent += AT_A_TIME;
    }
    (sent, raw.goes_away())
}

/// A client of its own gets an answer.
fn is_served(site: &Site) {
    let mut raw = site.raw();
    raw.send(&Raw::get(1));
    let answered = std::iter::from_fn(|| raw.next()).any(|frame| frame.stream == 1 && frame.kind == 1);
    assert!(answered);
}

/// The number of a client's stream.
fn stream(count: u32) -> u32 {
    2 * count + 1
}

#[test]
fn each_flood_ends_its_connection_and_is_counted() {
    let upstream = Upstream::named("ok");
    let site = Site::start(&Config::new(&[&upstream]));
    let reset = |count| {
        [
            Raw::get(stream(count)),
            Raw::frame(3, 0, stream(count), &[0, 0, 0, 8]),
        ]
        .concat()
    };
    // Some of these lose their last words to a reset by the kernel: bytes on the way were not read.
    is_stopped(&site, "resets", reset);
    for (what, kind, payload) in [
        ("pings", 6, &[0; 8][..]),
        ("settings", 4, &[0, 3, 0, 0, 0, 100]),
        ("priorities", 2, &[0, 0, 0, 0, 9]),
        ("unknown-frames", 200, b"what"),
    ] {
        let number = u32::from(kind == 2) * 7;
        is_stopped(&site, what, |_| Raw::frame(kind, 0, number, payload));
    }
    let open = |count: u32, kind: u8, payload: &[u8]| match count {
        0 => [post(1), Raw::frame(kind, 0, 1, payload)].concat(),
        _ => Raw::frame(kind, 0, 1, payload),
    };
    is_stopped(&site, "empty-data", |count| open(count, 0, &[]));
    is_stopped(&site, "window-updates", |count| open(count, 8, &[0, 0, 0, 1]));
    is_served(&site);
}

/// A flood ends its connection for this reason. How much of it went before says little: the kernel holds some.
#[track_caller]
fn is_stopped(site: &Site, what: &str, frames: impl Fn(u32) -> Vec<u8>) {
    let (_, said) = flood(site, frames);
    assert!(said.is_none() || said == ENHANCE_YOUR_CALM, "{what}: {said:?}");
    is_counted(site, what);
}

/// One flood of this kind is told of.
#[track_caller]
fn is_counted(site: &Site, what: &str) {
    let name = format!("remora_proxy_http2_floods_total{{reason=\"{what}\"}}");
    wait_until(&name, || site.proxy.figure(&name) == Some(1.0));
}

/// The head of a POST with content to come.
fn post(stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x87, 0x84, 0x41, 0x09];
    block.extend_from_slice(b"shop.test");
    Raw::frame(1, 4, stream, &block)
}

#[test]
fn a_head_that_never_ends_is_not_collected() {
    let site = Site::start(&Config::new(&[&Upstream::named("ok")]));
    let mut field = vec![0, 1, b'a', 100];
    field.extend_from_slice(&[b'x'; 100]);
    let (sent, _) = flood(&site, |count| match count {
        0 => Raw::frame(1, 1, 1, &[0x82, 0x87, 0x84]),
        _ => Raw::frame(9, 0, 1, &field),
    });
    assert!(sent < FLOOD, "{sent}");
    is_counted(&site, "continuations");
    is_served(&site);
}

#[test]
fn streams_that_we_are_made_to_reset_are_let_go_and_counted() {
    let upstream = Upstream::start(|_| Act::AwaitClose);
    let site = Site::start(&Config::new(&[&upstream]));
    let mut raw = site.raw();
    for count in 0..=WRONG_STREAMS {
        raw.send(&Raw::get(stream(count)));
        let there = usize::try_from(count + 1).expect("a few");
        wait_until("it is at the upstream", || upstream.seen().len() == there);
        // A window beyond what there is, is an error of its stream.
        raw.send(&Raw::frame(8, 0, stream(count), &[0x7f, 0xff, 0xff, 0xff]));
        wait_until("it is let go", || upstream.abandoned() == there);
    }
    assert_eq!(raw.goes_away(), ENHANCE_YOUR_CALM);
    is_counted(&site, "resets");
}

#[test]
fn a_rapid_reset_reaches_hardly_any_upstream() {
    let upstream = Upstream::named("ok");
    let site = Site::start(&Config::new(&[&upstream]));
    flood(&site, |count| {
        [
            Raw::get(stream(count)),
            Raw::frame(3, 0, stream(count), &[0, 0, 0, 8]),
        ]
        .concat()
    });
    is_counted(&site, "resets");
    assert!(upstream.seen().len() < 300, "{}", upstream.seen().len());
    is_served(&site);
}
