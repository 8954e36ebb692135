//! etcd under the load: three members with its defaults, asked at their leader as ours is. It syncs before it answers.
//!
//! Of its API only what is asked here, derived by hand: the fields' numbers are those of its own protocol file and never change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use remora_tests::http::Browser;
use remora_tests::place::free_port;
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::{wait_for, wait_until};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::load::{Ask, Client, Rival, SERVES_WITHIN};
use crate::wrk::installed;

/// What its largest table needs, above its default of 2 GiB.
const QUOTA_BYTES: &str = "8589934592";

/// Three members.
pub(crate) struct Etcd {
    directory: PathBuf,
    /// For clients and for members.
    ports: Vec<(u16, u16)>,
    members: Vec<Process>,
    leader: SocketAddr,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Nothing of it is looked at: an answer is a success.
#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {}

/// Without `serializable`, which it does not say: linearizable.
#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    found: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
}

impl Rival for Etcd {
    type Client = EtcdClient;

    const NAME: &'static str = "etcd";
    const READS: &'static str = "; linearizable";

    fn start(directory: &Path) -> Result<Self> {
        let mut ports = Vec::new();
        for _ in 0..3 {
            ports.push((free_port()?, free_port()?));
        }
        let mut etcd = Etcd {
            directory: directory.to_owned(),
            ports,
            members: Vec::new(),
            leader: loopback(0),
        };
        etcd.launch()?;
        Ok(etcd)
    }

    fn restart(&mut self) -> Result<Duration> {
        self.members.iter_mut().for_each(Process::kill);
        let began = Instant::now();
        self.launch()?;
        Ok(began.elapsed())
    }

    fn pids(&mut self) -> Result<Vec<u32>> {
        Ok(self.members.iter().map(Process::id).collect())
    }

    async fn connect(&self, number: usize, slots: usize) -> Result<Vec<EtcdClient>> {
        let channel = EtcdClient::endpoint(self.leader)?.connect().await?;
        let client = |slot| EtcdClient::over(channel.clone(), format!("bench/{number}/{slot}"));
        Ok((0..slots).map(client).collect())
    }
}

impl Etcd {
    /// Starts all members and waits until one leads.
    fn launch(&mut self) -> Result<()> {
        let cluster = self.cluster();
        let members = (1..).zip(&self.ports);
        let members = members.map(|(id, ports)| self.member(id, *ports, &cluster));
        self.members = members.collect::<Result<_>>()?;
        let clients = self.clients();
        self.leader = wait_for("a leader of etcd", SERVES_WITHIN, || {
            clients.iter().copied().find(|client| leads(*client))
        })?;
        // Whoever leads has loaded; the others may still do so.
        wait_until("all members of etcd", SERVES_WITHIN, || {
            clients.iter().copied().all(serves)
        })?;
        Ok(())
    }

    /// Where members are asked.
    pub(crate) fn clients(&self) -> Vec<SocketAddr> {
        self.ports.iter().map(|(client, _)| loopback(*client)).collect()
    }

    /// Kills the member that leads; gives its place.
    ///
    /// # Errors
    /// When nobody leads.
    pub(crate) fn kill_leader(&mut self) -> Result<usize> {
        let clients = self.clients();
        let leader = wait_for("a leader of etcd", SERVES_WITHIN, || {
            clients.iter().position(|client| leads(*client))
        })?;
        self.members[leader].kill();
        Ok(leader)
    }

    /// Starts a member that was killed, and waits until it serves.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn revive(&mut self, place: usize) -> Result<()> {
        self.members[place] = self.member(place + 1, self.ports[place], &self.cluster())?;
        let client = self.clients()[place];
        wait_until("a member of etcd to come back", SERVES_WITHIN, || serves(client))?;
        Ok(())
    }

    fn cluster(&self) -> String {
        let members = (1..).zip(&self.ports);
        let members = members.map(|(id, (_, peer))| format!("n{id}=http://127.0.0.1:{peer}"));
        members.collect::<Vec<_>>().join(",")
    }

    fn member(&self, id: usize, (client, peer): (u16, u16), cluster: &str) -> Result<Process> {
        let program = installed("etcd").context("etcd is not installed")?;
        let url = |port| format!("http://127.0.0.1:{port}");
        let (client, peer) = (url(client), url(peer));
        let log = self.directory.join(format!("etcd-{id}.log"));
        Process::start(&format!("etcd {id}"), &program, &log, |command| {
            let data = self.directory.join(format!("etcd-{id}"));
            command.args(["--name", &format!("n{id}"), "--initial-cluster", cluster]);
            command.arg("--data-dir").arg(data);
            command.args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ]);
            command.args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ]);
            command.args(["--quota-backend-bytes", QUOTA_BYTES]);
        })
    }
}

/// Whether a member answers.
fn serves(client: SocketAddr) -> bool {
    let answer = Browser::new(client).get("/health");
    answer.is_ok_and(|answer| answer.text().contains("\"true\""))
}

/// Whether a member serves and says that it leads.
fn leads(client: SocketAddr) -> bool {
    let answer = Browser::new(client).get("/metrics");
    answer.is_ok_and(|answer| answer.text().contains("\netcd_server_is_leader 1\n"))
}

/// Somebody with one key.
pub(crate) struct EtcdClient {
    grpc: Grpc<Channel>,
    key: Vec<u8>,
    saves: u8,
}

impl EtcdClient {
    /// How a member is reached.
    ///
    /// # Errors
    /// When the address is no address.
    pub(crate) fn endpoint(member: SocketAddr) -> Result<Endpoint> {
        Ok(Endpoint::from_shared(format!("http://{member}"))?)
    }

    /// Somebody with this key.
    pub(crate) fn over(channel: Channel, key: String) -> EtcdClient {
        EtcdClient {
            grpc: Grpc::new(channel),
            key: key.into_bytes(),
            saves: 0,
        }
    }
}

impl Client for EtcdClient {
    fn choose(&mut self, session: u64) {
        self.key = format!("bench/s{session}").into_bytes();
    }

    async fn ask(&mut self, ask: Ask) -> Result<()> {
        self.grpc.ready().await?;
        let key = self.key.clone();
        if ask == Ask::Read {
            let path = PathAndQuery::from_static("/etcdserverpb.KV/Range");
            let codec = ProstCodec::<RangeRequest, RangeResponse>::default();
            let asked = tonic::Request::new(RangeRequest { key });
            let found = self.grpc.unary(asked, path, codec).await?.into_inner().found;
            let whole = found
                .first()
                .is_some_and(|entry| entry.value.len() == ask.bytes());
            ensure!(whole, "etcd did not bring the value");
            return Ok(());
        }
        self.saves = self.saves.wrapping_add(1);
        let value = vec![self.saves; ask.bytes()];
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        let asked = tonic::Request::new(PutRequest { key, value });
        self.grpc.unary(asked, path, codec).await?;
        Ok(())
    }
}
