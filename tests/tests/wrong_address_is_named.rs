//! Beside the promises: who asks the wrong port is told which port it is and which is the right one, and who has the wrong
//! certificates, what is wrong with them.
//!
//! Shown, with a store node and a proxy in clear and a node behind TLS: each address given for each other, TLS on one side alone,
//! certificates of another cluster on either side, a port where nobody listens and a host that is not there. Each is exit code 1 and
//! a sentence that says what to write instead, at once.
//! Broken once to see it fail: the field that names the operations port left out of its pages (it is taken for some web server).

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use remora_tests::Outcome;
use remora_tests::certificates::Certificates;
use remora_tests::place::{free_port, program};
use remora_tests::proxy::{Proxy, Sticky};
use remora_tests::stores::{StorePorts, Stores, loopback};

/// The longest that a mistake may take to be named: what the command line waits for an election, and its questions.
const AT_ONCE: Duration = Duration::from_secs(4);

/// A mistake: where was asked, and what has to be said.
struct Wrong<'w> {
    flag: &'w str,
    address: String,
    more: Vec<String>,
    said: String,
}

fn wrong<'w>(flag: &'w str, address: SocketAddr, said: &str) -> Wrong<'w> {
    Wrong {
        flag,
        address: address.to_string(),
        more: Vec::new(),
        said: said.to_owned(),
    }
}

impl Wrong<'_> {
    fn with(self, more: Vec<String>) -> Self {
        Self { more, ..self }
    }

    fn is_named(&self) -> Outcome {
        let verb = match self.flag {
            "--store" => ["sessions", "list"],
            _ => ["upstreams", "list"],
        };
        let began = Instant::now();
        let output = Command::new(program("remora")?)
            .args([self.flag, &self.address])
            .args(&self.more)
            .args(verb)
            .output()
            .context("run remora")?;
        let said = [&output.stderr[..], &output.stdout[..]].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(
            output.status.code() == Some(1) && said.contains(&self.said),
            "{} {} says not {:?} but\n{said}",
            self.flag,
            self.address,
            self.said
        );
        ensure!(
            began.elapsed() < AT_ONCE,
            "{} took {:?}",
            self.said,
            began.elapsed()
        );
        Ok(())
    }
}

#[test]
fn whoever_asks_the_wrong_one_is_told_the_right_one() -> Outcome {
    let [plain, secured, ours, theirs] = [(); 4].map(|()| tempfile::tempdir());
    let (plain, secured, ours, theirs) = (plain?, secured?, ours?, theirs?);
    let [ours, theirs] = [
        Certificates::make(ours.path())?,
        Certificates::make(theirs.path())?,
    ];
    let (node, hidden) = (StorePorts::free()?, StorePorts::free()?);
    let stores = Stores::start(plain.path(), &[node])?;
    let behind_tls = Stores::start_with(secured.path(), &[hidden], &[], false, Some(ours.clone()))?;
    let ports = (free_port()?, free_port()?);
    let members = [("n1".to_owned(), loopback(free_port()?))];
    let proxy = Proxy::start(plain.path(), ports, Sticky::SessionSuffix, &members, None)?;
    stores.wait_ready()?;
    behind_tls.wait_ready()?;
    proxy.wait_ready()?;

    let client = node.at(node.client);
    let operations = format!("this is the operations port of store node 1; its client address is {client}");
    let web = "a web server answers there";
    let flags = |all: &Certificates| all.flags("admin");
    // Trusts the right authority, and has a certificate of the other.
    let mixed = [&flags(&ours)[..2], &flags(&theirs)[2..]].concat();
    let cases = [
        wrong("--store", node.at(node.ops), &operations),
        wrong("--store", node.at(node.ops), &operations).with(flags(&ours)),
        wrong("--proxy", node.at(node.ops), &operations),
        wrong("--store", node.at(node.peer), "(--peer-addr)"),
        wrong("--proxy", node.at(node.peer), "(--peer-addr)"),
        wrong(
            "--store",
            proxy.control,
            "this is a proxy's control address: name it with --proxy",
        ),
        wrong(
            "--proxy",
            client,
            "this is the client address of store node 1: name it with --store",
        ),
        wrong("--store", proxy.address, web),
        wrong("--proxy", proxy.address, web),
        wrong("--proxy", loopback(free_port()?), "Connection refused"),
        Wrong {
            // A label that no resolver may be asked for (RFC 1035, 2.3.4): nobody off this machine is.
            address: format!("{}.invalid:7410", "no-such-host".repeat(6)),
            ..wrong("--proxy", client, "failed to lookup address")
        },
        wrong("--store", client, "it speaks no TLS").with(flags(&ours)),
        wrong("--proxy", proxy.control, "it speaks no TLS").with(flags(&ours)),
        wrong(
            "--store",
            hidden.at(hidden.client),
            "it speaks TLS: name --tls-authority",
        ),
        wrong(
            "--store",
            hidden.at(hidden.client),
            "of an authority that --tls-authority does not hold",
        )
        .with(flags(&theirs)),
        wrong(
            "--store",
            hidden.at(hidden.client),
            "does not know the authority of --tls-cert",
        )
        .with(mixed),
    ];
    for case in cases {
        case.is_named()?;
    }
    Ok(())
}
