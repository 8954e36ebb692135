//! Beside the promises: a redirect leads to the address that the user asked, whatever stands in front of the proxy.
//!
//! Shown with a real Tomcat that writes whole addresses and believes the proxy (RemoteIpValve): behind a port map, where
//! the user's port is not the one on which the proxy listens; behind a front that ends TLS and sends nothing but
//! `X-Forwarded-Proto: https`; behind one that names host and port as well. Cookies are Secure where the user speaks https,
//! and the access log has the user's address.
//! Broken once to see it fail: the port of our own socket told to Tomcat (then `http://localhost:NNNNN/...`).

use std::path::Path;

use anyhow::{Context, Result, ensure};
use remora_tests::http::{Answer, Browser, Request};
use remora_tests::place::{free_port, program};
use remora_tests::probe::Signals;
use remora_tests::process::Process;
use remora_tests::proxy::{ROUTE_COOKIE, Sticky, configuration};
use remora_tests::stores::loopback;
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version};
use remora_tests::wait::{SOON, START};
use remora_tests::{Outcome, wait_until};

/// What the fronts say, and the address to which the page then redirects.
const FRONTS: [(&[(&str, &str)], &str); 4] = [
    (&[], "http://localhost/probe/get.jsp"),
    (
        &[("X-Forwarded-Proto", "https")],
        "https://localhost/probe/get.jsp",
    ),
    (
        &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.test")],
        "https://shop.test/probe/get.jsp",
    ),
    (
        &[
            ("X-Forwarded-For", "1.2.3.4, 203.0.113.9"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.test"),
            ("X-Forwarded-Port", "8443"),
        ],
        "https://shop.test:8443/probe/get.jsp",
    ),
];

fn tomcat(directory: &Path, signals: &Signals) -> Result<Tomcat> {
    let plan = TomcatPlan {
        version: Version::V10,
        node: "n1".to_owned(),
        jvm_route: false,
        port: free_port()?,
        store: None,
        manager: Vec::new(),
        replication: None,
        behind_front: true,
        applications: vec![Application::Probe],
        java_options: QUICK_START.to_owned(),
        signals: signals.directory().to_path_buf(),
    };
    Tomcat::start(directory, plan)
}

fn redirected(front: &mut Browser, fields: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get("/probe/redirect.jsp?name=a&value=b");
    let fields = fields.iter();
    request.fields = fields
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let answer = front.send(&request)?;
    ensure!(answer.status == 302, "no redirect: {}", answer.text());
    Ok(answer)
}

#[test]
fn redirects_keep_the_public_address() -> Outcome {
    let directory = tempfile::tempdir()?;
    let signals = Signals::new(&directory.path().join("signals"))?;
    let tomcat = tomcat(directory.path(), &signals)?;
    let (address, control) = (loopback(free_port()?), loopback(free_port()?));
    let members = [("n1".to_owned(), tomcat.address())];
    let file = directory.path().join("proxy.toml");
    let usual = configuration(address, control, Sticky::RouteCookie, &members, None);
    let access = directory.path().join("access.log");
    let text = format!("trust = [\"127.0.0.1\"]\naccess_log = {access:?}\n{usual}");
    std::fs::write(&file, text)?;
    tomcat.wait_ready()?;
    let log = directory.path().join("proxy.log");
    let proxy = Process::start("proxy", &program("remora-proxy")?, &log, |command| {
        command.arg("--config").arg(&file);
    })?;
    wait_until("the proxy ready", START, || {
        let answer = Browser::new(control).get("/readyz");
        answer.is_ok_and(|answer| answer.status == 200)
    })?;
    for (fields, expected) in FRONTS {
        let answer = redirected(&mut Browser::new(address), fields)
            .with_context(|| format!("{}\n{}", proxy.tail(), tomcat.tail()))?;
        let location = answer.field("location");
        ensure!(
            location == Some(expected),
            "{fields:?}: expected {expected}: {location:?}"
        );
        for cookie in ["JSESSIONID=", &format!("{ROUTE_COOKIE}=")] {
            let set = answer.all("set-cookie");
            let set = set
                .iter()
                .find(|set| set.starts_with(cookie))
                .context("a new user's cookies")?;
            let secure = set.split(';').any(|part| part.trim() == "Secure");
            ensure!(secure == expected.starts_with("https"), "{fields:?}: {set}");
        }
    }
    wait_until("the user's address in the access log", SOON, || {
        let lines = std::fs::read_to_string(&access).unwrap_or_default();
        lines.lines().any(|line| line.starts_with("203.0.113.9 "))
    })?;
    Ok(())
}
