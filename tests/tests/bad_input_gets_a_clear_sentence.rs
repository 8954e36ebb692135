//! Beside the promises: bad input everywhere gets a clear sentence and an exit code or a status.
//!
//! Shown: an unknown key, a busy port, a data directory of another node or of another cluster, an emptied data directory of
//! a known node, a log damaged in its middle: each ends the program with the right exit code and a sentence that names
//! the thing at fault; a log torn at its tail is repaired and loses nothing acknowledged. A session over its limit
//! and an attribute that cannot be serialized fail their request, with a sentence in Tomcat's log, and leave the session
//! as it was. Forged and absurd session ids and routes are treated as no session.
//! Broken once to see it fail: the refusal of unknown keys; the address in the sentence about a busy port; the
//! checks of the directory's node and of the disk that the peers know; the cut of a torn tail; the refusal of a
//! damaged log (an empty one in its place) and its sentence; an absurd id being no session (an error instead); a
//! copy taken out of use when its save failed. Each failed the test of that name.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use remora_proto::v1;
use remora_tests::calls::{Calls, session_key};
use remora_tests::place::{free_port, program};
use remora_tests::probe::Caller;
use remora_tests::process::{Process, ending};
use remora_tests::proxy::{Sticky, configuration};
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::tomcat::Version;
use remora_tests::visitor::{Visitor, told};
use remora_tests::wait::SOON;
use remora_tests::{Outcome, World, wait_until};

/// Exit codes of the servers: could not do its work, and was asked wrongly.
const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// How much of a record a power cut leaves in these claims: not even its whole head.
const TORN_BYTES: usize = 7;

/// The unit in which the log is written, in bytes (FORMAT.md).
const PAGE_BYTES: usize = 4_096;

/// Runs a program that must end by itself, with this code and with all these words in its last sentence.
fn ends_with(name: &str, arguments: &[String], code: i32, words: &[&str]) -> Outcome {
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("log");
    let mut process = Process::start(name, &program(name)?, &log, |command| {
        command.args(arguments);
    })?;
    let ended = process
        .wait_for_end(SOON)
        .with_context(|| format!("it said: {}", process.output()))?;
    let said = process.output();
    ensure!(
        ended.code() == Some(code),
        "expected exit code {code}, got {}; it said: {said}",
        ending(ended)
    );
    says(&sentence(&said), words)
}

/// What a program says to people: not its log, which names every address and directory anyway.
fn sentence(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('{')).collect();
    lines.join("\n")
}

fn says(said: &str, words: &[&str]) -> Outcome {
    for word in words {
        ensure!(said.contains(word), "expected the word {word:?} in: {said}");
    }
    ensure!(
        !said.contains("panicked"),
        "a panic is not a clear sentence: {said}"
    );
    Ok(())
}

fn text(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn write(path: &Path, content: &str) -> Result<String> {
    std::fs::write(path, content)?;
    Ok(path.display().to_string())
}

#[test]
fn unknown_key() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = write(
        &directory.path().join("store.toml"),
        "node-id = 1\npeer-adr = \"127.0.0.1:7501\"\n",
    )?;
    ends_with(
        "remora-store",
        &text(&["--config", &store]),
        USAGE,
        &["peer-adr", "peer-addr"],
    )?;

    let members = [("n1".to_owned(), loopback(free_port()?))];
    let good = configuration(
        loopback(free_port()?),
        loopback(free_port()?),
        Sticky::SessionSuffix,
        &members,
        None,
    );
    let bad = write(
        &directory.path().join("proxy.toml"),
        &good.replace("sticky =", "stiky ="),
    )?;
    ends_with(
        "remora-proxy",
        &text(&["--config", &bad]),
        USAGE,
        &["stiky", "sticky"],
    )?;
    ends_with(
        "remora-proxy",
        &text(&["--config", &bad, "--check"]),
        USAGE,
        &["stiky", "sticky"],
    )?;
    let good = write(&directory.path().join("good.toml"), &good)?;
    ends_with("remora-proxy", &text(&["--config", &good, "--check"]), 0, &[])?;
    ends_with("remora", &text(&["upstreams", "drian", "n1"]), USAGE, &["drian"])
}

#[test]
fn busy_port() -> Outcome {
    let taken = TcpListener::bind(loopback(0))?;
    let busy = taken.local_addr()?;
    let directory = tempfile::tempdir()?;
    for flag in ["--client-addr", "--peer-addr", "--ops-addr"] {
        let mut arguments = text(&["--data-dir", &directory.path().join("data").display().to_string()]);
        for other in ["--client-addr", "--peer-addr", "--ops-addr"] {
            let address = if other == flag {
                busy
            } else {
                loopback(free_port()?)
            };
            arguments.extend([other.to_owned(), address.to_string()]);
        }
        ends_with("remora-store", &arguments, FAILED, &[&busy.to_string()])?;
    }
    let members = [("n1".to_owned(), loopback(free_port()?))];
    let ports = [(busy, loopback(free_port()?)), (loopback(free_port()?), busy)];
    for (number, (bind, control)) in ports.into_iter().enumerate() {
        let content = configuration(bind, control, Sticky::SessionSuffix, &members, None);
        let config = write(&directory.path().join(format!("proxy-{number}.toml")), &content)?;
        ends_with(
            "remora-proxy",
            &text(&["--config", &config]),
            FAILED,
            &[&busy.to_string()],
        )?;
    }
    Ok(())
}

/// Saves enough that every node's log has something to lose, and gives the ids.
fn fill(stores: &Stores) -> Result<Vec<String>> {
    let mut calls = stores.calls(5)?;
    let mut ids = Vec::new();
    for number in 0..300 {
        let id = format!("s{number}");
        let value = format!("value of {id}, {}", "x".repeat(200)).into_bytes();
        let attribute = v1::Attribute {
            name: "a".into(),
            value: value.into(),
            ..Default::default()
        };
        let request = v1::SaveRequest {
            session: Some(session_key("claims", &id)),
            changed: vec![attribute],
            max_idle_seconds: Some(1800),
            ..Default::default()
        };
        let reply = calls.save(&request)?;
        ensure!(
            matches!(reply.outcome, Some(v1::save_reply::Outcome::Saved(_))),
            "save {id}: {reply:?}"
        );
        ids.push(id);
    }
    Ok(ids)
}

fn all_there(calls: &mut Calls, ids: &[String]) -> Outcome {
    for id in ids {
        let reply = calls.claim(&session_key("claims", id))?;
        let Some(v1::claim_reply::Outcome::Claimed(record)) = reply.outcome else {
            bail!("{id} is lost: {reply:?}")
        };
        let value = record
            .attributes
            .first()
            .map(|attribute| attribute.value.clone())
            .unwrap_or_default();
        ensure!(
            value.starts_with(format!("value of {id},").as_bytes()),
            "{id} is damaged: {record:?}"
        );
    }
    Ok(())
}

/// Starts the killed node with `flags`; it must refuse.
fn refuses(flags: &[String], words: &[&str]) -> Outcome {
    ends_with("remora-store", flags, FAILED, words)
}

/// The same node at ports that nobody has: those of the running one are refused before its directory is.
fn at_free_ports(mut flags: Vec<String>) -> Result<Vec<String>> {
    for flag in flags.chunks_exact_mut(2) {
        if flag[0].ends_with("-addr") {
            flag[1] = loopback(free_port()?).to_string();
        }
    }
    Ok(flags)
}

#[test]
fn data_directory_of_another_node_or_cluster() -> Outcome {
    World::plan().run(|world| {
        fill(&world.stores)?;
        let data = |world: &World, id: u64| {
            world
                .stores
                .node(id)
                .map(|node| node.data.clone())
                .unwrap_or_default()
        };
        let (first, second) = (data(world, 1), data(world, 2));
        let path = first.display().to_string();
        refuses(&at_free_ports(world.stores.flags(1)?)?, &[&path, "in use"])?;

        world.stores.kill(1)?;
        world.stores.kill(2)?;
        std::fs::rename(&first, first.with_extension("aside"))?;
        std::fs::rename(&second, &first)?;
        refuses(&world.stores.flags(1)?, &[&path, "node 2", "node 1"])?;
        std::fs::rename(&first, &second)?;

        let foreign = world.directory().join("foreign");
        std::fs::create_dir(&foreign)?;
        let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
        let other = Stores::start(&foreign, &ports)?;
        other.wait_ready()?;
        let strange = other.status(1)?.cluster;
        let stolen = other.node(1).map(|node| node.data.clone()).unwrap_or_default();
        drop(other);
        std::fs::rename(&stolen, &first)?;
        world.stores.launch(2)?;
        // It belongs where its directory says, which is nowhere near, and takes nothing from those that --cluster names.
        world.stores.launch(1)?;
        wait_until("it says whose directory it has", SOON, || {
            let process = world.stores.process(1);
            let said = process.map(|process| process.output()).unwrap_or_default();
            said.contains(&strange) && said.contains("than --cluster says, and they count")
        })?;
        world.stores.kill(1)?;
        std::fs::remove_dir_all(&first)?;
        std::fs::rename(first.with_extension("aside"), &first)?;
        world.stores.launch(1)?;
        world.stores.wait_caught_up(1).map(|_| ())
    })
}

#[test]
fn emptied_data_directory_of_a_known_node() -> Outcome {
    World::plan().run(|world| {
        let ids = fill(&world.stores)?;
        world.stores.kill(3)?;
        let data = world
            .stores
            .node(3)
            .map(|node| node.data.clone())
            .unwrap_or_default();
        std::fs::remove_dir_all(&data)?;
        refuses(&world.stores.flags(3)?, &["node 3", "disk"])?;
        world.stores.wait_ready()?;
        all_there(&mut world.stores.calls(6)?, &ids)
    })
}

/// The segment that the saves went to, and where in it the page begins that lies behind what was written. The others are
/// kept for later: behind their label is nothing.
fn written(data: &Path) -> Result<(PathBuf, usize)> {
    for segment in std::fs::read_dir(data.join("log"))? {
        let path = segment?.path();
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        if end > PAGE_BYTES && path.to_string_lossy().contains("segment-") {
            return Ok((path, end.next_multiple_of(PAGE_BYTES)));
        }
    }
    bail!("no segment was written")
}

#[test]
fn torn_log_tail_is_repaired() -> Outcome {
    World::plan().run(|world| {
        let ids = fill(&world.stores)?;
        for id in world.stores.ids() {
            world.stores.kill(id)?;
            let data = world
                .stores
                .node(id)
                .map(|node| node.data.clone())
                .unwrap_or_default();
            // What a power cut leaves: a part of a write that nobody was told of.
            let (path, end) = written(&data)?;
            let mut bytes = std::fs::read(&path)?;
            bytes.copy_within(PAGE_BYTES..PAGE_BYTES + TORN_BYTES, end);
            std::fs::write(path, bytes)?;
        }
        for id in world.stores.ids() {
            world.stores.launch(id)?;
        }
        world.stores.wait_ready()?;
        all_there(&mut world.stores.calls(6)?, &ids)?;
        fill(&world.stores)
            .err()
            .map_or(Ok(()), |error| bail!("it must go on saving: {error}"))
    })
}

#[test]
fn damaged_log_middle_is_refused() -> Outcome {
    World::plan().run(|world| {
        let ids = fill(&world.stores)?;
        world.stores.kill(2)?;
        let data = world
            .stores
            .node(2)
            .map(|node| node.data.clone())
            .unwrap_or_default();
        let (file, end) = written(&data)?;
        let mut bytes = std::fs::read(&file)?;
        let middle = end / 2 / PAGE_BYTES * PAGE_BYTES;
        for byte in &mut bytes[middle..middle + 16] {
            *byte ^= 0x5a;
        }
        std::fs::write(&file, bytes)?;
        refuses(&world.stores.flags(2)?, &["log", &data.display().to_string()])?;
        world.stores.wait_ready()?;
        all_there(&mut world.stores.calls(6)?, &ids)
    })
}

#[test]
fn session_over_its_limit_and_attribute_that_cannot_be_serialized() -> Outcome {
    let plan = World::plan()
        .tomcats(&[Version::V10, Version::V10])
        .manager("onUnserializable", "fail");
    plan.run(|world| {
        let (first, second) = (world.tomcat("n1")?.address(), world.tomcat("n2")?.address());
        let mut caller = Caller::new(first);
        caller.set("color", "blue")?;
        let pages = [
            "huge.jsp?name=big-thing&size=2000000",
            "unserializable.jsp?name=odd-thing",
        ];
        for (page, attribute) in pages.into_iter().zip(["big-thing", "odd-thing"]) {
            let answer = caller.browser.get(&format!("/probe/{page}"))?;
            ensure!(
                answer.status >= 500,
                "{page} cannot be kept and must fail: {}",
                told(&answer)
            );
            ensure!(
                answer.field("set-cookie").is_none(),
                "{page}: the cookie is left alone: {}",
                told(&answer)
            );
            let told_in_log = || world.tomcats[0].log().is_ok_and(|log| log.contains(attribute));
            wait_until(
                &format!("a sentence about {attribute} in Tomcat's log"),
                SOON,
                told_in_log,
            )?;
            for address in [first, second, first] {
                let held = caller.at(address).held()?;
                let color = held.attributes.get("color").map(String::as_str);
                ensure!(
                    color == Some("blue"),
                    "after {page} the session is as before: {held:?}"
                );
                ensure!(
                    !held.attributes.contains_key(attribute),
                    "after {page} nothing of it is kept: {held:?}"
                );
            }
        }
        Ok(())
    })
}

#[test]
fn forged_and_absurd_ids_and_routes() -> Outcome {
    World::plan().tomcats(&[Version::V9, Version::V11]).run(|world| {
        let long = "A".repeat(6_000);
        let absurd = [
            "",
            ".",
            "..",
            ".n1",
            "n1",
            "x.",
            "x.n9",
            "x.n1.n2.n3",
            "../../etc/passwd.n1",
            "%00%0d%0aX-Evil:1.n1",
            "0123456789ABCDEF0123456789ABCDEF.n1",
            "0123456789ABCDEF0123456789ABCDEF.\u{fc}\u{4e2d}",
            "\"x\".n1",
            long.as_str(),
        ];
        for id in absurd {
            let mut visitor: Visitor = world.visitor()?;
            visitor.browser.set_cookie("JSESSIONID", id, "/shop");
            let shown: String = id.chars().take(40).collect();
            ensure!(
                visitor.is_signed_out().with_context(|| shown.clone())?,
                "the id {shown:?} opens a login"
            );
            let page = visitor
                .sign_in("ada", "lovelace")
                .with_context(|| format!("with the id {shown:?}"))?;
            ensure!(
                page.user == "ada",
                "with the id {shown:?} a sign-in works: {page:?}"
            );
        }
        for route in ["x", ".", ".n9", "..n1", "\u{fc}.n1"] {
            let mut visitor = world.visitor()?;
            visitor.browser.set_cookie("ROUTEID", route, "/");
            ensure!(
                visitor.sign_in("ada", "lovelace")?.user == "ada",
                "with the route {route:?} a sign-in works"
            );
        }
        Ok(())
    })
}
