//! etcd under the load: three members with its defaults, asked at their leader as ours is. It syncs before it answers.
//!
//! Of its API only what is asked here, derived by hand: the fields' numbers are those of its own protocol file and never change.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use remora_tests::http::Browser;
use remora_tests::place::free_port;
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::wait::START;
use remora_tests::wait_for;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::load::{Ask, Client, Rival, VALUE_BYTES};
use crate::wrk::installed;

/// Three members.
pub(crate) struct Etcd {
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
        let program = installed("etcd").context("etcd is not installed")?;
        let mut ports = Vec::new();
        for _ in 0..3 {
            ports.push((free_port()?, free_port()?));
        }
        let cluster: Vec<String> = (1..)
            .zip(&ports)
            .map(|(id, (_, peer))| format!("n{id}=http://127.0.0.1:{peer}"))
            .collect();
        let cluster = cluster.join(",");
        let mut members = Vec::new();
        for (id, (client, peer)) in (1..).zip(&ports) {
            let (client, peer) = (
                format!("http://127.0.0.1:{client}"),
                format!("http://127.0.0.1:{peer}"),
            );
            let log = directory.join(format!("etcd-{id}.log"));
            members.push(Process::start(
                &format!("etcd {id}"),
                &program,
                &log,
                |command| {
                    command.args(["--name", &format!("n{id}")]);
                    command
                        .arg("--data-dir")
                        .arg(directory.join(format!("etcd-{id}")));
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
                    command.args(["--initial-cluster", &cluster]);
                },
            )?);
        }
        let clients: Vec<SocketAddr> = ports.iter().map(|(client, _)| loopback(*client)).collect();
        let leader = wait_for("a leader of etcd", START, || {
            clients.iter().copied().find(|client| leads(*client))
        })?;
        Ok(Etcd { members, leader })
    }

    fn pids(&mut self) -> Result<Vec<u32>> {
        Ok(self.members.iter().map(Process::id).collect())
    }

    async fn connect(&self, number: usize, slots: usize) -> Result<Vec<EtcdClient>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.leader))?;
        let channel = endpoint.connect().await?;
        let client = |slot| EtcdClient {
            grpc: Grpc::new(channel.clone()),
            key: format!("bench/{number}/{slot}").into_bytes(),
            saves: 0,
        };
        Ok((0..slots).map(client).collect())
    }
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

impl Client for EtcdClient {
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
                .is_some_and(|entry| entry.value.len() == VALUE_BYTES);
            ensure!(whole, "etcd did not bring the value");
            return Ok(());
        }
        self.saves = self.saves.wrapping_add(1);
        let value = vec![self.saves; VALUE_BYTES];
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        let asked = tonic::Request::new(PutRequest { key, value });
        self.grpc.unary(asked, path, codec).await?;
        Ok(())
    }
}
