//! Promise 9: a WebSocket lives as long as the session in which it was opened, wherever either of them is.
//!
//! Shown: a socket at n1 is closed with 1008 when its session ends there, ends at n2 after it moved, is killed by an
//! operator after it moved and after the store's leader died meanwhile, or expires. It stays open while the session is at n2,
//! and when it comes back. What a message changes in place is stored. That a socket is closed with 1012 whose session stays
//! away is shown with a clock that a test moves (`SocketsTest` of the adapter).
//! Broken once to see it fail, where the parts are tested by themselves (`watches/tests.rs` in the store, `WatchesTest` and
//! `SocketsTest` in the adapter): the news of watched sessions, the watches said anew on a new stream, the question about
//! sessions with sockets after the store was not heard.

use anyhow::{Result, ensure};
use remora_tests::http::Browser;
use remora_tests::socket::WebSocket;
use remora_tests::tomcat::{Application, Version};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// RFC 6455: the session on which the socket relied is gone.
const SESSION_OVER: u16 = 1008;

/// A user with a session at n1 and a socket in it.
struct User {
    browser: Browser,
    socket: WebSocket,
}

impl User {
    fn at_n1(world: &mut World) -> Result<User> {
        let mut browser = Browser::new(world.tomcat("n1")?.address());
        ask(&mut browser, "list.jsp", "[]")?;
        let mut socket = WebSocket::open(&browser, "/sockets/socket")?;
        ensure!(socket.ask("?")? == "heard ?");
        Ok(User { browser, socket })
    }

    /// Goes on at another Tomcat.
    fn moves(&mut self, world: &mut World, node: &str) -> Result<()> {
        self.browser = self.browser.at(world.tomcat(node)?.address());
        ask(&mut self.browser, "list.jsp", "[]")?;
        ensure!(self.socket.ask("?")? == "heard ?", "the socket is still open");
        Ok(())
    }

    fn ends(&mut self) -> Result<()> {
        ask(&mut self.browser, "end.jsp", "ended")
    }

    fn ends_closed(mut self) -> Result<()> {
        let code = self.socket.closed()?;
        ensure!(code == SESSION_OVER, "closed with {code}");
        Ok(())
    }
}

fn ask(browser: &mut Browser, page: &str, answer: &str) -> Result<()> {
    let came = browser.get(&format!("/sockets/{page}"))?;
    ensure!(came.status == 200 && came.text() == answer, "{page}: {came:?}");
    Ok(())
}

fn closes(world: &mut World) -> Result<()> {
    let mut here = User::at_n1(world)?;
    here.ends()?;
    here.ends_closed()?;

    let mut elsewhere = User::at_n1(world)?;
    elsewhere.moves(world, "n2")?;
    elsewhere.ends()?;
    elsewhere.ends_closed()?;

    let mut back = User::at_n1(world)?;
    back.moves(world, "n2")?;
    back.moves(world, "n1")?;
    back.ends()?;
    back.ends_closed()?;

    let mut expires = User::at_n1(world)?;
    ask(&mut expires.browser, "list.jsp?idle=1", "[]")?;
    expires.ends_closed()
}

fn operator_ends_it(world: &mut World) -> Result<()> {
    let mut killed = User::at_n1(world)?;
    let mut moved = User::at_n1(world)?;
    moved.moves(world, "n2")?;
    let leader = world.stores.wait_ready()?;
    world.stores.kill(leader)?;
    // Both Tomcats are with the new leader once it has answered them.
    ask(&mut killed.browser, "list.jsp", "[]")?;
    ask(&mut moved.browser, "list.jsp", "[]")?;
    world.operator(&["sessions", "kill", "--application", "localhost/sockets", "--yes"])?;
    killed.ends_closed()?;
    moved.ends_closed()
}

fn message_is_stored(world: &mut World) -> Result<()> {
    let mut user = User::at_n1(world)?;
    ensure!(user.socket.ask("pearl")? == "heard pearl");
    let n2 = world.tomcat("n2")?.address();
    // Each look at n2 takes the session, and with it what n1 had not compared yet; n1 stores that late.
    wait_until("what the message added, at n2", SOON, || {
        let seen = user.browser.at(n2).get("/sockets/list.jsp");
        seen.is_ok_and(|seen| seen.text() == "[pearl]")
    })?;
    Ok(())
}

#[test]
fn on_tomcat_9_and_11() -> Outcome {
    World::plan()
        .tomcats(&[Version::V9, Version::V11])
        .application(Application::Sockets)
        .run(|world| {
            closes(world)?;
            operator_ends_it(world)
        })
}

#[test]
fn on_tomcat_10_where_messages_are_stored_too() -> Outcome {
    World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .application(Application::Sockets)
        .run(|world| {
            closes(world)?;
            message_is_stored(world)
        })
}

#[test]
fn on_tomcat_11() -> Outcome {
    World::plan()
        .tomcats(&[Version::V11, Version::V9])
        .application(Application::Sockets)
        .run(closes)
}
