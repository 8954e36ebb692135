//! The contract of the seam to a peer, over gRPC on loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::raft::tests::link::{Carrier, link_contract};
use crate::raft::{PeerEndpoint, PeerLink, PeerLinks};
use crate::rpc::links::GrpcLinks;
use crate::rpc::links::tests::listening;
use crate::rpc::serve_peers;
use crate::runtime;

/// A gRPC server with a runtime of its own, so that it can end as a process does: its connections with it.
struct Served {
    address: SocketAddr,
    runtime: Option<Runtime>,
    /// Takes connections and says nothing on them.
    frozen: Option<TcpListener>,
}

impl Carrier for Served {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            address: free.local_addr().unwrap(),
            runtime: None,
            frozen: None,
        }
    }

    async fn serve(&mut self, endpoint: PeerEndpoint) {
        self.vanish().await;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = self.address;
        let listening = runtime.spawn(async move {
            let listener = listening(address).await;
            runtime::spawn(serve_peers(listener, endpoint, None, std::future::pending()));
        });
        listening.await.unwrap();
        self.runtime = Some(runtime);
    }

    async fn vanish(&mut self) {
        self.frozen = None;
        if let Some(runtime) = self.runtime.take() {
            let ended = runtime::blocking(move || drop(runtime));
            ended.await.unwrap();
        }
    }

    async fn freeze(&mut self) {
        self.vanish().await;
        self.frozen = Some(TcpListener::bind(self.address).unwrap());
    }

    fn link(&self) -> Arc<dyn PeerLink> {
        GrpcLinks::default().link(2, &self.address.to_string()).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

link_contract!(Served);
