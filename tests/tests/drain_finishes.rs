//! Promise 6: a drain that lets users finish keeps them until its deadline, and then it ends: their next click moves them,
//! nobody is logged out, and no WebSocket holds it up.
//!
//! Shown with a user of n1 who has a session and a WebSocket in it, and an operator who drains n1 with `--finish`. Before the
//! deadline he stays, whoever has no session goes to n2, and the operator sees one tunnel. After it his socket is closed with
//! 1012, his session goes on at n2 with what it held, and the operator sees that nothing is left at n1.
//! Broken once to see it fail: the deadline not kept (the user stayed at n1); tunnels left alone (the drain never ended).

use anyhow::{Context, Result, ensure};
use remora_proto::v1::UpstreamStatus;
use remora_tests::http::Browser;
use remora_tests::socket::WebSocket;
use remora_tests::tomcat::{Application, Version};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// RFC 6455's registry: the server restarts, and another one serves.
const SERVICE_RESTART: u16 = 1012;

/// The Tomcat that the user's session id names.
fn home(user: &Browser) -> Option<&str> {
    user.cookie("JSESSIONID")?
        .rsplit_once('.')
        .map(|(_, route)| route)
}

fn held(user: &mut Browser) -> Result<String> {
    let page = user.get("/sockets/list.jsp")?;
    ensure!(page.status == 200, "{page:?}");
    Ok(page.text())
}

/// A user whose session begins now, and where.
fn newcomer(world: &World) -> Result<Browser> {
    let mut user = Browser::new(world.front_door()?);
    ensure!(held(&mut user)? == "[]", "a new session");
    Ok(user)
}

fn n1(world: &mut World) -> Result<UpstreamStatus> {
    let upstreams = world.proxy()?.upstreams()?;
    let mut upstreams = upstreams.into_iter();
    upstreams
        .find(|upstream| upstream.route == "n1")
        .context("n1 is there")
}

fn drains(world: &mut World) -> Result<()> {
    let more =
        "\n[limits]\ntunnel_grace = \"100ms\"\n\n[[route]]\npath = \"/sockets\"\nto = \"tomcat/sockets\"\n";
    world.proxy()?.start_anew(|file| file + more)?;
    for node in ["n1", "n2"] {
        world.proxy()?.wait_health(node, "up")?;
    }
    let mut user = newcomer(world)?;
    wait_until("a user of n1", SOON, || {
        let next = newcomer(world);
        next.map(|next| user = next).is_ok() && home(&user) == Some("n1")
    })?;
    let mut socket = WebSocket::open(&user, "/sockets/socket")?;
    ensure!(socket.ask("pearl")? == "heard pearl");
    ensure!(held(&mut user)? == "[pearl]");

    let said = world.operator(&["upstreams", "drain", "n1", "--finish", "--within", "1h"])?;
    ensure!(said.contains("SESSIONS HELD"), "how many are left: {said}");
    let seen = n1(world)?;
    ensure!(
        (seen.state.as_str(), seen.tunnels) == ("finishing", 1),
        "{seen:?}"
    );
    ensure!(
        held(&mut user)? == "[pearl]" && home(&user) == Some("n1"),
        "he stays"
    );
    ensure!(socket.ask("opal")? == "heard opal", "so does his socket");
    for _ in 0..3 {
        let next = newcomer(world)?;
        ensure!(home(&next) == Some("n2"), "n1 takes nobody new");
    }

    world.operator(&["upstreams", "drain", "n1", "--finish", "--within", "1s"])?;
    let code = socket.closed()?;
    ensure!(code == SERVICE_RESTART, "closed with {code}");
    drop(socket);
    ensure!(held(&mut user)? == "[pearl, opal]", "nothing is lost");
    ensure!(home(&user) == Some("n2"), "his next click moved him");
    wait_until("nothing is left at n1", SOON, || {
        n1(world).is_ok_and(|n1| (n1.state.as_str(), n1.tunnels, n1.in_flight) == ("draining", 0, 0))
    })?;
    Ok(())
}

#[test]
fn at_its_deadline_for_a_user_with_a_websocket() -> Outcome {
    World::plan()
        .stores(1)
        .tomcats(&[Version::V10; 2])
        .application(Application::Sockets)
        .run(drains)
}
