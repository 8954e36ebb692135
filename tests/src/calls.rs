//! The gRPC side of stores and proxies, as a client in another language would use it.
//!
//! The only file of the harness that names tonic. Calls block; each [`Calls`] owns one small runtime. A command
//! whose outcome is unknown is repeated with the same request id at the next node, which is the rule that every
//! client of the store must keep (session.proto).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use remora_process::tls::Dial;
use remora_proto::v1;
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};
use v1::proxy_admin_client::ProxyAdminClient;
use v1::registry_client::RegistryClient;
use v1::session_store_client::SessionStoreClient;
use v1::store_admin_client::StoreAdminClient;

/// Longest wait for one call: an election fits, a hang shows.
const CALL: Duration = Duration::from_secs(3);

/// Longest time that a command is repeated: a restart of the whole cluster fits.
const COMMAND: Duration = Duration::from_secs(30);

/// Between two tries of a command: elections take a few hundred milliseconds.
const RETRY: Duration = Duration::from_millis(20);

/// A blocking gRPC client of several addresses of one kind.
#[derive(Debug)]
pub struct Calls {
    runtime: tokio::runtime::Runtime,
    channels: Vec<Channel>,
    /// The channel that answered last.
    preferred: usize,
    instance: u64,
    serial: u64,
    /// Tries that brought no answer.
    vain: u64,
}

impl Calls {
    /// A client; connects when first used. `instance` is who this client claims to be; never 0.
    ///
    /// # Errors
    /// When the runtime cannot start.
    pub fn new(addresses: &[SocketAddr], instance: u64) -> Result<Self> {
        Self::over(&Dial::default(), addresses, instance)
    }

    /// The same over TLS, if `dial` says so.
    ///
    /// # Errors
    /// When the runtime cannot start.
    pub fn over(dial: &Dial, addresses: &[SocketAddr], instance: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start a runtime")?;
        let channels = {
            let _entered = runtime.enter();
            let lazily = |address: &SocketAddr| -> Result<Channel> {
                let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
                let endpoint = endpoint.connect_timeout(CALL).timeout(CALL);
                Ok(endpoint.connect_with_connector_lazy(dial.clone()))
            };
            addresses.iter().map(lazily).collect::<Result<Vec<_>>>()?
        };
        Ok(Self {
            runtime,
            channels,
            preferred: 0,
            instance,
            serial: 0,
            vain: 0,
        })
    }

    /// What the store node at the first address says of itself and its cluster.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn store_status(&self) -> Result<v1::StoreStatus> {
        let mut client = StoreAdminClient::new(self.first()?);
        let reply = self.runtime.block_on(client.status(v1::StoreStatusRequest {}));
        Ok(reply.context("ask a store for its status")?.into_inner())
    }

    /// Sessions in the store, up to 1,000.
    ///
    /// # Errors
    /// When the node at the first address does not answer.
    pub fn sessions(&self, filter: v1::SessionFilter) -> Result<Vec<v1::SessionSummary>> {
        let mut client = StoreAdminClient::new(self.first()?);
        let ask = v1::ListSessionsRequest {
            filter: Some(filter),
            page_size: 1_000,
            ..v1::ListSessionsRequest::default()
        };
        let reply = self.runtime.block_on(client.list_sessions(ask));
        Ok(reply
            .context("ask a store for its sessions")?
            .into_inner()
            .sessions)
    }

    /// Who is in the store's registry, and who of them has a stream to the node that answers.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn servers(&mut self) -> Result<Vec<v1::list_servers_reply::Server>> {
        let reply = self.repeat("list servers", async |channel| {
            let mut client = RegistryClient::new(channel);
            client
                .list_servers(v1::ListServersRequest {})
                .await
                .map(tonic::Response::into_inner)
        })?;
        Ok(reply.servers)
    }

    /// The registry and the wishes as a proxy that begins to follow is told them.
    ///
    /// # Errors
    /// When no node leads.
    pub fn view(&mut self) -> Result<v1::FollowReply> {
        self.repeat("follow", async |channel| {
            let asked = v1::FollowRequest {
                proxy: "harness".into(),
                ..Default::default()
            };
            let mut client = RegistryClient::new(channel);
            // The call stays open until the whole view is here.
            let asked = tokio_stream::once(asked).chain(tokio_stream::pending());
            let mut told = client.follow(asked).await?.into_inner();
            let mut view = v1::FollowReply::default();
            loop {
                let part = told.message().await?;
                let part =
                    part.ok_or_else(|| tonic::Status::unavailable("the stream ended within a view"))?;
                let more = part.more;
                view.cluster = part.cluster;
                view.version = part.version;
                view.servers.extend(part.servers);
                view.wishes.extend(part.wishes);
                view.retired.extend(part.retired);
                if !more {
                    return Ok(view);
                }
            }
        })
    }

    /// Takes an application server out of the registry as an operator does; whether it was there.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn retire(&mut self, node: &str) -> Result<bool> {
        let request = v1::RetireNodeRequest {
            node: node.to_owned(),
            instance: 0,
        };
        let reply = self.repeat("retire a node", async |channel| {
            let mut client = RegistryClient::new(channel);
            client
                .retire_node(request.clone())
                .await
                .map(tonic::Response::into_inner)
        })?;
        Ok(reply.retired)
    }

    /// What the proxy at the first address believes.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn proxy_status(&self) -> Result<v1::ProxyStatus> {
        let mut client = ProxyAdminClient::new(self.first()?);
        let reply = self.runtime.block_on(client.status(v1::ProxyStatusRequest {}));
        Ok(reply.context("ask a proxy for its status")?.into_inner())
    }

    /// Says to the proxy at the first address that users of a route are wanted elsewhere, or are not.
    ///
    /// # Errors
    /// When it refuses, or does not answer.
    pub fn drain(&self, route: &str, is_wanted: bool) -> Result<v1::DrainReply> {
        let mut client = ProxyAdminClient::new(self.first()?);
        let ask = v1::DrainRequest {
            route: route.to_owned(),
            ..v1::DrainRequest::default()
        };
        let reply = self.runtime.block_on(async {
            match is_wanted {
                true => client.drain(ask).await,
                false => client.undrain(ask).await,
            }
        });
        Ok(reply.context("say a drain to a proxy")?.into_inner())
    }

    /// A token for the console of the proxy at the first address, to look and change nothing.
    ///
    /// # Errors
    /// When it has no console, or does not answer.
    pub fn console_token(&self) -> Result<String> {
        let mut client = ProxyAdminClient::new(self.first()?);
        let ask = v1::ConsoleTokenRequest {
            read_only: true,
            ..v1::ConsoleTokenRequest::default()
        };
        let reply = self.runtime.block_on(client.console_token(ask));
        let reply = reply.context("ask a proxy for a token of its console")?;
        Ok(reply.into_inner().token)
    }

    /// Saves, and repeats until the outcome is known.
    ///
    /// # Errors
    /// When the outcome stays unknown, or when the store calls the request malformed.
    pub fn save(&mut self, request: &v1::SaveRequest) -> Result<v1::SaveReply> {
        let caller = Some(self.next_caller());
        let request = v1::SaveRequest {
            caller,
            ..request.clone()
        };
        self.repeat("save", async |channel| {
            let mut client = SessionStoreClient::new(channel);
            client
                .save(request.clone())
                .await
                .map(tonic::Response::into_inner)
        })
    }

    /// Saves once: whatever is not an answer is an error.
    ///
    /// # Errors
    /// The status, in words.
    pub fn save_once(&mut self, request: &v1::SaveRequest) -> Result<v1::SaveReply> {
        let caller = Some(self.next_caller());
        let mut client = SessionStoreClient::new(self.first()?);
        let reply = self.runtime.block_on(client.save(v1::SaveRequest {
            caller,
            ..request.clone()
        }));
        reply
            .map(tonic::Response::into_inner)
            .map_err(|status| anyhow::anyhow!("{:?}: {}", status.code(), status.message()))
    }

    /// Claims, and repeats until the outcome is known.
    ///
    /// # Errors
    /// When the outcome stays unknown, or when the store calls the request malformed.
    pub fn claim(&mut self, session: &v1::SessionKey) -> Result<v1::ClaimReply> {
        let request = v1::ClaimRequest {
            caller: Some(self.next_caller()),
            session: Some(session.clone()),
        };
        self.repeat("claim", async |channel| {
            let mut client = SessionStoreClient::new(channel);
            client
                .claim(request.clone())
                .await
                .map(tonic::Response::into_inner)
        })
    }

    /// Reads a session as it stands, if this ownership of it does, and repeats until there is an answer.
    ///
    /// # Errors
    /// When there is no answer, or when the store calls the request malformed.
    pub fn check(&mut self, session: &v1::SessionKey, epoch: u64) -> Result<v1::CheckReply> {
        // No copy has this version, so the record comes along.
        let request = v1::CheckRequest {
            session: Some(session.clone()),
            epoch,
            version: 0,
        };
        self.repeat("check", async |channel| {
            let mut client = SessionStoreClient::new(channel);
            client
                .check(request.clone())
                .await
                .map(tonic::Response::into_inner)
        })
    }

    /// Removes as a logout does, and repeats until the outcome is known.
    ///
    /// # Errors
    /// When the outcome stays unknown, or the session was not there to be removed.
    pub fn remove(&mut self, session: &v1::SessionKey, created_version: u64) -> Result<()> {
        let request = v1::RemoveRequest {
            caller: Some(self.next_caller()),
            session: Some(session.clone()),
            created_version,
            epoch: 0,
            reason: v1::remove_request::Reason::Logout.into(),
        };
        let reply = self.repeat("remove", async |channel| {
            let mut client = SessionStoreClient::new(channel);
            client
                .remove(request.clone())
                .await
                .map(tonic::Response::into_inner)
        })?;
        match reply.outcome {
            Some(v1::remove_reply::Outcome::Done(_)) => Ok(()),
            other => bail!("remove: {other:?}"),
        }
    }

    /// How many tries of commands brought no answer so far: refused, or not answered in time.
    pub fn vain_tries(&self) -> u64 {
        self.vain
    }

    fn next_caller(&mut self) -> v1::Caller {
        self.serial += 1;
        v1::Caller {
            instance: self.instance,
            serial: self.serial,
            node: format!("harness-{}", self.instance),
        }
    }

    fn first(&self) -> Result<Channel> {
        self.channels
            .first()
            .cloned()
            .context("a client without addresses")
    }

    /// Asks node after node, always with the same request id.
    fn repeat<T>(
        &mut self,
        what: &str,
        call: impl AsyncFn(Channel) -> Result<T, tonic::Status>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            let channel = self.channels[self.preferred].clone();
            let status = match self.runtime.block_on(call(channel)) {
                Ok(reply) => return Ok(reply),
                Err(status) => status,
            };
            let hopeless = matches!(
                status.code(),
                tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition
            );
            if hopeless || started.elapsed() > COMMAND {
                bail!("{what}: {:?}: {}", status.code(), status.message());
            }
            self.vain += 1;
            self.preferred = (self.preferred + 1) % self.channels.len();
            self.runtime.block_on(crate::wait::pause_in_runtime(RETRY));
        }
    }
}

/// The key of a session in the store: its id never gets there, only a hash of the part before the first dot.
pub fn session_key(application: &str, id: &str) -> v1::SessionKey {
    let bare = id.split('.').next().unwrap_or(id);
    let hash = Sha256::digest(bare.as_bytes());
    v1::SessionKey {
        application: application.to_owned(),
        key: hash[..16].to_vec().into(),
    }
}
