//! The stage: every process of the demo, on the ports that the README names where they are free.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use remora_tests::certificates::Certificates;
use remora_tests::place::{self, preferred_port};
use remora_tests::probe::Signals;
use remora_tests::proxy::{Proxy, Sticky, configuration};
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::story::Site;
use remora_tests::telling::Telling;
use remora_tests::tomcat::{Application, QUICK_START, Tomcat, TomcatPlan, Version, prepare};

/// The line of Tomcat that the demo shows.
const VERSION: Version = Version::V10;

/// All processes of the demo.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) site: Site,
    certificates: Option<Certificates>,
}

impl Setting {
    /// Starts everything and waits until users can come.
    pub(crate) fn start(directory: &Path, telling: &Telling) -> Result<Self> {
        place::adapter_jar()?;
        for program in ["remora-store", "remora-proxy", "remora"] {
            place::program(program)?;
        }
        let ports = Ports::choose(telling)?;
        if !place::cache()?
            .join(format!("apache-tomcat-{}", VERSION.release()))
            .is_dir()
        {
            telling.step(
                &format!("fetching Tomcat {} from Maven", VERSION.release()),
                || {
                    prepare(VERSION)?;
                    Ok((format!("fetched and unpacked Tomcat {}", VERSION.release()), ()))
                },
            )?;
        }
        let certificates = secured().then(|| {
            telling.step("an authority issues certificates", || {
                let made = Certificates::make(&directory.join("certs"))?;
                let seen =
                    "made an authority, and certificates for stores, Tomcats, proxy and operators".to_owned();
                Ok((seen, made))
            })
        });
        let certificates = certificates.transpose()?;
        let stores = telling.step("three store nodes start and form a cluster", || {
            let stores = Stores::start_with(directory, &ports.stores, &[], false, certificates.clone())?;
            let leader = stores.wait_ready().with_context(|| stores.tails())?;
            Ok((
                format!("started stores 1, 2 and 3; they formed a cluster, store {leader} leads"),
                stores,
            ))
        })?;
        telling.step("the proxy and two Tomcats start", || {
            let signals = Signals::new(&directory.join("signals"))?;
            let tomcats = start_tomcats(directory, &ports, (&stores, certificates.as_ref()), &signals)?;
            let members: Vec<_> = tomcats
                .iter()
                .map(|tomcat| (tomcat.node().to_owned(), tomcat.address()))
                .collect();
            let proxy = start_proxy(directory, &ports, &stores, &members, certificates.clone())?;
            let site = Site {
                stores,
                proxy,
                tomcats,
            };
            site.wait_ready().with_context(|| site.tails())?;
            let setting = Self {
                site,
                certificates: certificates.clone(),
            };
            let release = VERSION.release();
            let seen = format!(
                "started Tomcats n1 and n2 ({release}) and the proxy: {}",
                setting.shop()
            );
            Ok((seen, setting))
        })
    }

    /// Where a browser finds the shop.
    pub(crate) fn shop(&self) -> String {
        format!("http://{}/shop/", self.site.proxy.address)
    }

    /// What a person can try while everything runs.
    pub(crate) fn invitation(&self) -> String {
        let remora = place::program("remora").unwrap_or_else(|_| "remora".into());
        // As short as a person would type it, where make runs.
        let remora = remora
            .strip_prefix(place::repository())
            .unwrap_or(&remora)
            .display();
        let (stores, proxy) = (self.site.stores.client_list(), self.site.proxy.control);
        let files = self.certificates.as_ref().map(|all| all.files("admin"));
        let tls = files.map_or_else(String::new, |files| {
            format!(
                "\n  export REMORA_TLS_AUTHORITY={} REMORA_TLS_CERT={} REMORA_TLS_KEY={}",
                files.authority.display(),
                files.cert.display(),
                files.key.display()
            )
        });
        let pids: Vec<String> = self.site.tomcats.iter().filter_map(Tomcat::description).collect();
        format!(
            "
Everything is running. Open {shop} (ada/lovelace, grace/hopper), and kill what you like: {pids}

  export REMORA_STORE={stores} REMORA_PROXY={proxy}{tls}
  {remora} status
  {remora} sessions list
  {remora} upstreams list
  {remora} console token    # an address for your browser: all of this on one page, live

Ctrl-C stops and removes everything.",
            shop = self.shop(),
            pids = pids.join(", "),
        )
    }
}

/// Whether everything but the user is to speak TLS: `make demo TLS=1`.
fn secured() -> bool {
    std::env::var("TLS").is_ok_and(|value| !value.is_empty() && value != "0")
}

/// Starts the proxy, with a console that shows the store as well.
fn start_proxy(
    directory: &Path,
    ports: &Ports,
    stores: &Stores,
    members: &[(String, SocketAddr)],
    certificates: Option<Certificates>,
) -> Result<Proxy> {
    let (users, operators) = (loopback(ports.proxy.0), loopback(ports.proxy.1));
    let known = certificates.as_ref();
    let text = configuration(users, operators, Sticky::SessionSuffix, members, known);
    let nodes = stores.client_addresses();
    let nodes: Vec<String> = nodes.iter().map(|address| format!("\"{address}\"")).collect();
    let tls = known.map(|all| all.files("admin")).map(|files| {
        let (authority, cert, key) = (files.authority, files.cert, files.key);
        format!(", tls = {{ authority = {authority:?}, cert = {cert:?}, key = {key:?} }}")
    });
    let console = format!(
        "console = {{ store = [{}]{} }}\n",
        nodes.join(", "),
        tls.unwrap_or_default()
    );
    Proxy::start_with(directory, ports.proxy, &(text + &console), certificates)
}

fn start_tomcats(
    directory: &Path,
    ports: &Ports,
    (stores, certificates): (&Stores, Option<&Certificates>),
    signals: &Signals,
) -> Result<Vec<Tomcat>> {
    let start = |(number, port): (u32, &u16)| {
        let plan = TomcatPlan {
            version: VERSION,
            node: format!("n{number}"),
            jvm_route: true,
            port: *port,
            store: Some(stores.client_list()),
            manager: certificates.map_or_else(Vec::new, |all| all.attributes("adapter")),
            replication: None,
            behind_front: false,
            applications: Application::USUAL.to_vec(),
            java_options: QUICK_START.to_owned(),
            signals: signals.directory().to_path_buf(),
        };
        Tomcat::start(directory, plan)
    };
    (1..).zip(&ports.tomcats).map(start).collect()
}

/// Every port of the demo.
struct Ports {
    proxy: (u16, u16),
    tomcats: Vec<u16>,
    stores: Vec<StorePorts>,
}

impl Ports {
    /// The ports that the README names; others where those are busy, said aloud.
    fn choose(telling: &Telling) -> Result<Self> {
        let mut moved = Vec::new();
        let mut choose = |what: &str, wanted: u16| -> Result<u16> {
            let port = preferred_port(wanted)?;
            if port != wanted {
                moved.push(format!("{what} {port} (not {wanted})"));
            }
            Ok(port)
        };
        let proxy = (choose("proxy", 8080)?, choose("control", 7410)?);
        let tomcats = vec![choose("n1", 8081)?, choose("n2", 8082)?];
        let mut stores = Vec::new();
        for id in 1..=3_u16 {
            let client = choose(&format!("store {id}"), 7400 + id)?;
            let peer = choose(&format!("peers of store {id}"), 7500 + id)?;
            let ops = choose(&format!("ops of store {id}"), 7600 + id)?;
            let advertised = None;
            stores.push(StorePorts {
                host: Ipv4Addr::LOCALHOST,
                namespace: None,
                client,
                peer,
                ops,
                advertised,
            });
        }
        if !moved.is_empty() {
            telling.words(&format!(
                "  Some usual ports are busy, so these moved: {}.\n",
                moved.join(", ")
            ));
        }
        Ok(Self {
            proxy,
            tomcats,
            stores,
        })
    }
}
