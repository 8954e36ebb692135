//! Screens, letter by letter.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::model::tests::{at, change, count, hear, node, press, proxy};
use super::super::model::{Message, Model};
use super::*;

/// What a terminal of a size shows, without what is empty at the end of its lines.
fn screen(model: &Model, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, model)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(columns));
    let lines = lines.map(|cells| cells.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Two seconds of a site at work.
fn at_work() -> Model {
    let mut model = Model::default();
    for second in [1, 2] {
        for id in 1..=3 {
            node(&mut model, second, id, 1_000 * second);
        }
        proxy(&mut model, second, [40 * second, 2 * second], ["up", "up"]);
        hear(&mut model, Message::Now(at(second)));
    }
    model
}

#[test]
fn a_site_at_work() {
    let expected = "\
store    3 of 3 nodes ready, node 2 leads, 1000 commits/s
sessions 120, 1.0 MiB, changing by +10/s
proxies  1 of 1 answer, 42 requests/s, 6 in flight, 0.0 failed/s


NODE CLIENT         ROLE      READY BEHIND APPLIED/S  SESSIONS     BYTES      UP
   1 10.0.0.1:7401  follower  yes        2      1000       120   1.0 MiB   1h00m
   2 10.0.0.2:7401  leader    yes        2      1000       120   1.0 MiB   1h00m
   3 10.0.0.3:7401  follower  yes        2      1000       120   1.0 MiB   1h00m

PROXY           POOL    ROUTE  HEALTH  STATE      REQ/S FLIGHT  WS FAIL/S FAILED
10.0.2.1:7410   tomcat  n1     up      active        40      3   0    0.0      0
10.0.2.1:7410   tomcat  n2     up      active       2.0      3   0    0.0      0


 1 site   2 sessions   3 upstreams   4 changes  s sort  p pause  h help  q quit
";
    assert_eq!(screen(&at_work(), 80, 16), expected);
}

#[test]
fn a_tomcat_dies_and_a_node_hangs() {
    let mut model = at_work();
    for id in [1, 2] {
        node(&mut model, 3, id, 3_000);
    }
    let silent = Message::Node(at(3), "10.0.0.3:7401".into(), Err("no answer for 2 s".into()));
    hear(&mut model, silent);
    proxy(&mut model, 3, [120, 46], ["down", "up"]);
    hear(&mut model, Message::Now(at(3)));
    press(&mut model, '3');
    let expected = "\
store    2 of 3 nodes ready, node 2 leads, 1000 commits/s
sessions 130, 1.0 MiB, changing by +10/s
proxies  1 of 1 answer, 82 requests/s, 6 in flight, 3.0 failed/s
! store node 3 is down (10.0.0.3:7401: no answer for 2 s) (and 1 more)

PROXY           POOL    ROUTE  HEALTH  STATE      REQ/S FLIGHT  WS FAIL/S FAILED
10.0.2.1:7410   tomcat  n2     up      active        42      3   0    0.0      0
10.0.2.1:7410   tomcat  n1     down    active        40      3   0    3.0      3

 1 site   2 sessions   3 upstreams   4 changes  s sort  p pause  h help  q quit
";
    assert_eq!(screen(&model, 80, 10), expected);
}

#[test]
fn sessions_by_application_and_by_owner() {
    let mut model = at_work();
    press(&mut model, '2');
    assert!(screen(&model, 80, 8).contains("being counted"));
    count(
        &mut model,
        1,
        &[
            ("localhost/shop", 90),
            ("localhost/console", 10),
            ("local\u{1b}[2Jhost/x", 0),
        ],
    );
    count(
        &mut model,
        2,
        &[
            ("localhost/shop", 95),
            ("localhost/console", 5),
            ("local\u{1b}[2Jhost/x", 0),
        ],
    );
    let expected = "\
store    3 of 3 nodes ready, node 2 leads, 1000 commits/s
sessions 120, 1.0 MiB, changing by +10/s
proxies  1 of 1 answer, 42 requests/s, 6 in flight, 0.0 failed/s


sessions by application (o: by the other), counted 0 s ago
APPLICATION                                 SESSIONS  SHARE      BYTES  CHANGE/S
localhost/shop                                    95    95%   95.3 KiB      +5.0
localhost/console                                  5     5%    5.0 KiB      -5.0
local\u{fffd}[2Jhost/x                                    0     0%        0 B         0
 1 site   2 sessions   3 upstreams   4 changes  s sort  p pause  h help  q quit
";
    assert_eq!(screen(&model, 80, 11), expected);
    press(&mut model, 'o');
    count(&mut model, 3, &[("n1", 1), ("", 2)]);
    let owners = screen(&model, 80, 10);
    assert!(owners.contains("OWNER") && owners.contains("nobody"), "{owners}");
}

#[test]
fn what_changed_lately_is_told_latest_first() {
    let mut model = at_work();
    change(&mut model, 1, "n2 is down");
    change(&mut model, 2, "n2 is up");
    press(&mut model, '4');
    press(&mut model, 'p');
    change(&mut model, 3, "n2 is drained");
    let page = "\
AT (UTC) PROXY           OF       WHAT                  WHY, WHO
00:00:02 10.0.2.1:7410   n2       n2 is up              ada
00:00:01 10.0.2.1:7410   n2       n2 is down            ada

 1 site   2 sessions   3 upstreams   4 changes  s sort  p PAUSED  h help  q quit
";
    let paused = screen(&model, 80, 10);
    assert!(paused.ends_with(page), "{paused}");
    press(&mut model, 'p');
    assert!(
        screen(&model, 80, 10).contains("n2 is drained"),
        "what came in the pause is shown after it"
    );
}

#[test]
fn no_size_of_a_terminal_is_too_small_or_too_large() {
    let mut model = at_work();
    for page in ['1', '2', '3', '4', '?'] {
        press(&mut model, page);
        for (columns, rows) in [(1, 1), (10, 3), (40, 5), (80, 24), (300, 100)] {
            assert_eq!(screen(&model, columns, rows).lines().count(), usize::from(rows));
        }
    }
    let nobody = screen(&Model::default(), 80, 24);
    assert!(
        nobody.contains("--store") && nobody.contains("--proxy"),
        "{nobody}"
    );
}

#[test]
fn a_node_that_was_asked_at_two_addresses_is_one() {
    let mut model = at_work();
    let status = model.rates.nodes["10.0.0.1:7401"].said.clone().unwrap();
    hear(
        &mut model,
        Message::Node(at(2), "localhost:7401".into(), Ok(status)),
    );
    assert!(screen(&model, 80, 24).contains("3 of 3 nodes ready"));
    let away = Message::Node(at(2), "store4:7401".into(), Err("no answer".into()));
    hear(&mut model, away);
    assert!(
        screen(&model, 80, 24).contains("3 of 3 nodes ready"),
        "{}",
        screen(&model, 80, 24)
    );
}
