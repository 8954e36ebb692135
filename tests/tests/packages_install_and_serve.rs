//! Beside the promises: what is installed from packages keeps the demo's promises as its units start it.
//!
//! Shown with packages of what tests build, installed by dpkg on four machines that are directories. The commands of the units are
//! run as their users, three stores with their configuration changed where an address or a path has to be, the proxy with
//! sockets of a service manager, beside two real Tomcats with the packaged jar. The demo's story is told to its end, ExecReload replaces
//! the proxy, once more with a file that the steps of `docs/migration.md` make of an httpd's, all end as asked, the service manager
//! is told so, and nothing that they did would systemd have refused. Whoever is not root runs them as himself, and reads so.
//! Broken once to see it fail: `@process` refused to the proxy (its successor was seen to be cloned); a READY that the store
//! does not say.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::fronts::{By, Kind};
use remora_tests::imported;
use remora_tests::installed::{Machine, Packages, Unit, is_root, said, tell_nothing};
use remora_tests::page::text;
use remora_tests::place::free_port;
use remora_tests::probe::Signals;
use remora_tests::process::ending;
use remora_tests::proxy::Proxy;
use remora_tests::stores::{InstalledNode, StorePorts, Stores};
use remora_tests::story::{Site, tell};
use remora_tests::telling::Telling;
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::visitor::Visitor;

/// How long anything may take to end: the longest of their own bounds, and as much again.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A machine with the packages of a store node or of the proxy, and what its unit says.
fn machine(packages: &Packages, directory: &Path, names: &[&str], unit: &str) -> Result<(Machine, Unit)> {
    std::fs::create_dir(directory)?;
    let machine = Machine::new(directory)?;
    let files: Vec<PathBuf> = names
        .iter()
        .map(|name| packages.file(name))
        .collect::<Result<_>>()?;
    machine.install(&files)?;
    let unit = machine.unit(unit)?;
    Ok((machine, unit))
}

/// Three machines, each with a node that knows its number, its ports and the others.
fn stores(packages: &Packages, scratch: &Path) -> Result<(Vec<(Machine, Unit)>, Stores)> {
    let ports: Vec<StorePorts> = (0..3).map(|_| StorePorts::free()).collect::<Result<_>>()?;
    let member = |(id, ports): (u64, &StorePorts)| format!("{id}=127.0.0.1:{}", ports.peer);
    let cluster: Vec<String> = (1..).zip(&ports).map(member).collect();
    let cluster = format!("cluster = \"{}\"", cluster.join(","));
    let mut machines = Vec::new();
    let mut nodes: Vec<InstalledNode> = Vec::new();
    for (id, ports) in (1..).zip(ports) {
        let directory = scratch.join(format!("store-{id}"));
        let (machine, unit) = machine(packages, &directory, &["remora-store"], "remora-store.service")?;
        let data = machine.at("var/lib/remora-store");
        machine.change(
            "etc/remora/store.toml",
            &[
                ("node-id = 1", &format!("node-id = {id}")),
                ("/var/lib/remora-store", &data.display().to_string()),
                ("127.0.0.1:7400", &format!("127.0.0.1:{}", ports.client)),
                ("127.0.0.1:7500", &format!("127.0.0.1:{}", ports.peer)),
                ("127.0.0.1:7600", &format!("127.0.0.1:{}", ports.ops)),
                (
                    "# cluster = \"1=192.0.2.1:7500,2=192.0.2.2:7500,3=192.0.2.3:7500\"",
                    &cluster,
                ),
            ],
        )?;
        nodes.push((ports, data, machine.command(&unit, &[])?));
        machines.push((machine, unit));
    }
    let stores = Stores::start_installed(scratch, nodes)?;
    for (machine, _) in &machines {
        ensure!(machine.told()? == "READY=1");
    }
    Ok((machines, stores))
}

/// A machine with the proxy, which begins when somebody comes to the sockets of its unit.
fn proxy(packages: &Packages, scratch: &Path, tomcats: &[u16]) -> Result<(Machine, Unit, Proxy)> {
    let names = ["remora-proxy", "remora", "remora-tomcat-adapter"];
    let (machine, unit) = machine(packages, &scratch.join("front"), &names, "remora-proxy.service")?;
    let ports = (free_port()?, free_port()?);
    let moved = |text: &str| {
        text.replace("0.0.0.0:80", &format!("127.0.0.1:{}", ports.0))
            .replace("127.0.0.1:7410", &format!("127.0.0.1:{}", ports.1))
    };
    let listens = machine.unit("remora-proxy.socket")?;
    let listens: Vec<String> = listens.all("ListenStream").into_iter().map(moved).collect();
    let member = |number: usize, port: u16| {
        format!("[[pool.tomcat.member]]\nurl = \"http://127.0.0.1:{port}\"\nroute = \"n{number}\"\n")
    };
    machine.change(
        "etc/remora/proxy.toml",
        &[
            (
                &member(1, 8080),
                &(member(1, tomcats[0]) + "\n" + &member(2, tomcats[1])),
            ),
            ("0.0.0.0:80", &moved("0.0.0.0:80")),
            ("127.0.0.1:7410", &moved("127.0.0.1:7410")),
            ("/var/lib/", &machine.at("var/lib/").display().to_string()),
            ("/var/log/", &machine.at("var/log/").display().to_string()),
        ],
    )?;
    let (file, command) = (
        machine.at("etc/remora/proxy.toml"),
        machine.command(&unit, &listens)?,
    );
    let proxy = Proxy::start_installed(scratch, ports, file, &command)?;
    proxy.wait_ready()?;
    ensure!(machine.told()? == "READY=1");
    Ok((machine, unit, proxy))
}

fn tomcats(scratch: &Path, (jar, store): (&Path, &str), ports: &[u16]) -> Result<Vec<Tomcat>> {
    let signals = Signals::new(&scratch.join("signals"))?;
    let start = |(number, port): (u32, &u16)| {
        let plan = TomcatPlan {
            version: Version::V10,
            node: format!("n{number}"),
            jvm_route: true,
            port: *port,
            store: Some(store.to_owned()),
            manager: Vec::new(),
            replication: None,
            behind_front: false,
            applications: Application::USUAL.to_vec(),
            java_options: QUICK_START.to_owned(),
            signals: signals.directory().to_path_buf(),
        };
        Tomcat::start_with(scratch, plan, Some(jar))
    };
    (1..).zip(ports).map(start).collect()
}

/// The lines of ExecReload: a check and a replacement.
fn reload_lines(unit: &Unit) -> Result<[&str; 2]> {
    let lines = unit.all("ExecReload");
    <[&str; 2]>::try_from(lines).map_err(|lines| anyhow::anyhow!("ExecReload is {lines:?}"))
}

/// Runs a line of a unit on its machine.
fn run(machine: &Machine, line: &str) -> Outcome {
    let words = machine.words(line);
    said(Command::new(&words[0]).args(&words[1..])).map(drop)
}

/// What ExecReload does with the file that is there, as the service manager is told.
fn replaced(machine: &Machine, unit: &Unit, site: &mut Site) -> Outcome {
    let [check, replace] = reload_lines(unit)?;
    run(machine, check)?;
    site.proxy
        .replace_by(|process| run(machine, &replace.replace("$MAINPID", &process.to_string())))?;
    ensure!(machine.told()? == format!("MAINPID={}", site.proxy.serving()));
    ensure!(machine.told()? == "READY=1");
    Ok(())
}

/// The lines of ExecReload refuse a faulty file, and put a new proxy in the place of the old one, which the service manager is told;
/// a user notices nothing.
fn reloaded(machine: &Machine, unit: &Unit, site: &mut Site) -> Outcome {
    let mut grace = Visitor::new(site.proxy.address);
    grace.sign_in("grace", "hopper")?;
    let [check, _] = reload_lines(unit)?;
    let file = "etc/remora/proxy.toml";
    machine.change(file, &[("[[listen]]", "[[listne]]")])?;
    ensure!(run(machine, check).is_err(), "a faulty file passed");
    machine.change(file, &[("[[listne]]", "[[listen]]")])?;
    replaced(machine, unit, site)?;
    ensure!(grace.look()?.user == "grace", "she is still signed in");
    Ok(())
}

/// The lines of code of the page on moving that begin so, out of its lists as well.
fn page_lines(begin: &str) -> Result<Vec<String>> {
    let page = text(imported::PAGE)?;
    let lines = page.lines().map(str::trim).filter(|line| line.starts_with(begin));
    Ok(lines.map(str::to_owned).collect())
}

/// The page's steps from httpd's file to the package's: what is imported, with the two lines of the package's file, is installed, looked
/// at as the service's user, and served behind a reload, under a user who is logged in.
fn moved(machine: &Machine, unit: &Unit, site: &mut Site, scratch: &Path) -> Outcome {
    let mut grace = Visitor::new(site.proxy.address);
    let at = grace.sign_in("grace", "hopper")?.node;
    let file = "etc/remora/proxy.toml";
    let packaged = std::fs::read_to_string(machine.at(file))?;
    let line = |key: &str| {
        let found = packaged.lines().find(|line| line.starts_with(key));
        found.with_context(|| format!("the package's file has no {key}"))
    };
    let work = scratch.join("moving");
    std::fs::create_dir(&work)?;
    let ports = (site.proxy.address.port(), site.proxy.control.port());
    let imported = imported::imported(&work, Kind::Httpd, By::JvmRoute)?;
    let imported = imported::placed(&imported, ports, &site.tomcats);
    let control = "[control]\n";
    ensure!(imported.matches(control).count() == 1, "{imported}");
    let whole = format!(
        "{}\n{}",
        line("access_log")?,
        imported.replace(control, &format!("{control}{}\n", line("state")?))
    );
    std::fs::write(work.join("proxy.toml"), whole)?;
    let [install] = &page_lines("install -m")?[..] else {
        anyhow::bail!("the page installs its file once");
    };
    let run = |words: &[String]| said(Command::new(&words[0]).args(&words[1..]).current_dir(&work)).map(drop);
    run(&machine.words(install))?;
    let [look] = &page_lines("runuser")?[..] else {
        anyhow::bail!("the page looks once as the user of the service");
    };
    let (user, command) = (look
        .strip_prefix("runuser -u ")
        .and_then(|rest| rest.split_once(" -- ")))
    .with_context(|| format!("{look} runs something as somebody"))?;
    ensure!(user == unit.one("User")?, "{look} is as another than {user}");
    let mut words = machine.words(command);
    words[0] = machine.at(&format!("usr/bin/{}", words[0])).display().to_string();
    if is_root() {
        let (user, group) = machine.ids(user)?;
        let other = ["setpriv", "--reuid", &user, "--regid", &group, "--clear-groups"];
        words.splice(0..0, other.map(str::to_owned));
    }
    run(&words)?;
    replaced(machine, unit, site)?;
    let page = grace.look()?;
    ensure!(
        page.user == "grace" && page.node == at,
        "she stays where she is: {page:?}"
    );
    Ok(())
}

#[test]
fn the_units_commands_keep_the_demos_promises() -> Outcome {
    if !is_root() {
        tell_nothing("of the users of services: only root can become another");
    }
    let scratch = tempfile::tempdir()?;
    let directory = scratch.path();
    // The users of services pass through it.
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    let packages = Packages::pack(directory)?;
    let ports = [free_port()?, free_port()?];
    let (machines, stores) = stores(&packages, directory)?;
    let (front, unit, proxy) = proxy(&packages, directory, &ports)?;
    let jar = front.at("usr/share/java/remora-tomcat-adapter.jar");
    let tomcats = tomcats(directory, (&jar, &stores.client_list()), &ports)?;
    let mut site = Site {
        stores,
        proxy,
        tomcats,
    };
    let told = site.stores.wait_ready().and_then(|_| site.wait_ready());
    told.and_then(|()| tell(&mut site, &Telling::to_stdout()))
        .and_then(|()| reloaded(&front, &unit, &mut site))
        .and_then(|()| moved(&front, &unit, &mut site, directory))
        .with_context(|| site.tails())?;

    let said_by_all = said(Command::new(front.at("usr/bin/remora")).args([
        "--store",
        &site.stores.client_list(),
        "--proxy",
        &site.proxy.control.to_string(),
        "status",
    ]))?;
    ensure!(said_by_all.contains("leader"), "{said_by_all}");
    for id in site.stores.ids() {
        let ended = site.stores.process(id)?.stop(ENDS_WITHIN)?;
        ensure!(ended.success(), "store {id}: {}", ending(ended));
    }
    said(Command::new("kill").args(["-s", "TERM", &site.proxy.serving().to_string()]))?;
    let words: Vec<String> = std::iter::from_fn(|| front.told().ok()).take(1).collect();
    ensure!(words == ["STOPPING=1"], "{words:?}");
    let log = std::fs::read_to_string(front.at("var/log/remora-proxy/access.log"))?;
    ensure!(log.contains("GET /shop/"), "the access log is empty");
    for (machine, unit) in machines.iter().chain([&(front, unit)]) {
        let refused = machine.refused(unit)?;
        let some: Vec<_> = refused.iter().take(5).collect();
        ensure!(some.is_empty(), "systemd would have refused: {some:#?}");
    }
    Ok(())
}
