//! A plain reverse proxy made of pingora, for `make bench-proxy`: one upstream, kept connections, an access log in batches.
//!
//! Usage: `peer-pingora LISTEN UPSTREAM THREADS ACCESS_LOG`
//!
//! Left out on purpose: all that pingora does not do by itself. It is measured as its makers ship it, with a log as the
//! others have one.

use std::env;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, Result};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Bytes of the log that are written at a time, as nginx and ours do.
const BATCH_BYTES: usize = 32 * 1_024;

struct Plain {
    upstream: SocketAddr,
    log: Mutex<BufWriter<File>>,
}

#[async_trait]
impl ProxyHttp for Plain {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _context: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, _context: &mut ()) {
        let client = session.client_addr().map(ToString::to_string).unwrap_or_default();
        let status = session
            .response_written()
            .map_or(0, |answer| answer.status.as_u16());
        let agent = session.req_header().headers.get("user-agent");
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("-");
        let failed = if error.is_some() { " failed" } else { "" };
        if let Ok(mut log) = self.log.lock() {
            // A line that cannot be written costs nobody an answer.
            let _ = writeln!(
                log,
                "{client} - - \"{}\" {status} {} \"{agent}\"{failed}",
                session.request_summary(),
                session.body_bytes_sent(),
            );
        }
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, upstream, threads, log] = &arguments[..] else {
        panic!("LISTEN UPSTREAM THREADS ACCESS_LOG");
    };
    let configuration = ServerConf {
        threads: threads.parse().expect("a number of threads"),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let plain = Plain {
        upstream: upstream.parse().expect("an address"),
        log: Mutex::new(BufWriter::with_capacity(
            BATCH_BYTES,
            File::create(log).expect("a log"),
        )),
    };
    let mut service = http_proxy_service(&server.configuration, plain);
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever();
}
