//! Accepts clients on one socket, and has each served by a task of its own.
//!
//! Invariants: a client takes its place among all before anything is read from it · where a listener names balancers, nobody else
//! is served there · on stop, clients that are in the accept queue are served.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::{Peer, Scheme, ToHttps};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::addresses::{self, Resident};
use super::clients::{Clients, Ticket};
use super::ending::Stage;
use super::room::ClientPlace;
use super::securing::secure;
use super::{ACCEPT_QUEUE, preamble};
use crate::config::Networks;
use crate::conversation::converse;
use crate::exchange::Visitor;
use crate::http::Socket;
use crate::metrics::REFUSED_CONNECTIONS;
use crate::site::Site;
use crate::tls::Gate;

/// Pause after an accept failed for want of sockets: long enough to let some close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients on one socket.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) balancers: Option<Networks>,
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) redirect: Option<Arc<ToHttps>>,
    pub(super) site: Rc<Site>,
    pub(super) clients: Rc<Clients>,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Acceptor {
    pub(super) async fn run(self) {
        let mut stage = self.stage.clone();
        // Without whoever says so there is nothing to begin.
        let _ = stage.wait_for(|stage| *stage != Stage::Starting).await;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stage.wait_for(Stage::is_closed) => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    let Some(resident) = self.let_in(&stream, client) else {
                        continue;
                    };
                    // Clients that never leave must not hold up a stop: then who waits is served like who is in the queue.
                    let place = tokio::select! {
                        biased;
                        _ = stage.wait_for(Stage::is_closed) => self.clients.squeeze_in(),
                        place = self.clients.place(|| self.most()) => place,
                    };
                    self.welcome(stream, client, (place, resident));
                }
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let address = self.listener.local_addr().ok();
        let is_own = match &*stage.borrow() {
            Stage::Ending(_, queues) => queues.are_own(address),
            _ => false,
        };
        if is_own {
            self.welcome_queued();
        }
    }

    /// How many clients there may be at a time.
    fn most(&self) -> usize {
        self.site.current().snapshot.limits.connections
    }

    /// Takes over who is in the accept queue, room or not. Asks the kernel itself: tokio may not have been told of them
    /// yet. Takes no more than the queue holds, so that a rush of new clients cannot hold up the stop.
    fn welcome_queued(self) {
        let Self {
            listener,
            balancers,
            gate,
            redirect,
            site,
            clients,
            stage,
        } = self;
        let Ok(socket) = listener.into_std() else { return };
        let Ok(listener) = socket.try_clone().and_then(TcpListener::from_std) else {
            return;
        };
        let acceptor = Self {
            listener,
            balancers,
            gate,
            redirect,
            site,
            clients,
            stage,
        };
        for _ in 0..ACCEPT_QUEUE {
            let Ok((stream, client)) = socket.accept() else {
                break;
            };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                let Some(resident) = acceptor.let_in(&stream, client) else {
                    continue;
                };
                acceptor.welcome(stream, client, (acceptor.clients.squeeze_in(), resident));
            }
        }
    }

    /// Counts a client among those of its address, if it may come in. Whom a balancer brings is counted when it is known who
    /// that is.
    fn let_in(&self, stream: &TcpStream, client: SocketAddr) -> Option<Resident> {
        let current = self.site.current();
        current.tally.thread(self.site.thread).accepted.add(1);
        match &self.balancers {
            None => {
                let from = (self.told(stream), client);
                count(&self.site, &self.clients, from, client.ip())
            }
            Some(known) if known.include(client.ip()) => Some(Resident::uncounted()),
            Some(_) => {
                refuse(client, "not from a balancer that listen.proxy_protocol names");
                None
            }
        }
    }

    /// Where a client can be told in clear that it is turned away.
    fn told<'s>(&self, stream: &'s TcpStream) -> Option<&'s TcpStream> {
        self.gate.is_none().then_some(stream)
    }

    fn welcome(&self, stream: TcpStream, client: SocketAddr, (place, resident): (ClientPlace, Resident)) {
        let limits = self.site.current().snapshot.limits;
        // Without these the connection works all the same: later packets, or a dead client noticed later.
        let _later_packets = stream.set_nodelay(true);
        let _noticed_later = SockRef::from(&stream).set_tcp_user_timeout(Some(limits.idle));
        let (site, clients) = (Rc::clone(&self.site), Rc::clone(&self.clients));
        let (ticket, announces) = (clients.enter(place), self.balancers.is_some());
        let (gate, redirect) = (self.gate.clone(), self.redirect.clone());
        spawn_local(async move {
            ticket.here().await;
            let from = From {
                client,
                announces,
                gate,
                redirect,
                resident,
            };
            serve(stream, from, (site, clients), ticket).await;
        });
    }
}

/// Where a connection comes from.
struct From {
    client: SocketAddr,
    /// Whether a balancer says first whom it brings.
    announces: bool,
    /// What it is secured with.
    gate: Option<Arc<Gate>>,
    /// Where it is sent.
    redirect: Option<Arc<ToHttps>>,
    resident: Resident,
}

/// Serves a connection until it ends or is cut.
async fn serve(
    mut stream: TcpStream,
    mut from: From,
    (site, clients): (Rc<Site>, Rc<Clients>),
    ticket: Ticket,
) {
    let mut address = from.client.ip();
    if from.announces {
        match preamble::read(&mut stream).await {
            Ok(Some(announced)) => {
                address = announced;
                let told = from.gate.is_none().then_some(&stream);
                let Some(counted) = count(&site, &clients, (told, from.client), address) else {
                    return;
                };
                from.resident = counted;
            }
            Ok(None) => {}
            Err(why) => return refuse(from.client, why),
        }
    }
    let (socket, scheme, secured) = match &from.gate {
        None => (Socket::Clear(stream), Scheme::Http, None),
        Some(gate) => {
            let limit = site.current().snapshot.limits.handshake;
            let securing = pin!(secure(stream, from.client, gate, (&ticket, limit)));
            let Some(Some((socket, fields))) = ticket.until_cut(securing).await else {
                return;
            };
            (socket, Scheme::Https, Some(fields))
        }
    };
    let peer = Peer { address, scheme };
    let tls = socket.tls_version();
    let visitor = Visitor {
        site,
        peer,
        secured,
        redirect: from.redirect,
        tls,
        ticket,
    };
    {
        let serving = pin!(converse(socket, &visitor));
        visitor.ticket.until_cut(serving).await;
    }
    // In this order: once it has left, its address has room too.
    drop((from.resident, visitor));
}

/// Counts a connection among those of its client's address; none if there are too many, and then the client is told where that
/// can be done in clear. Who is trusted brings others, and is not counted.
fn count(
    site: &Site,
    clients: &Clients,
    (told, peer): (Option<&TcpStream>, SocketAddr),
    address: IpAddr,
) -> Option<Resident> {
    let current = site.current();
    let most = current.snapshot.limits.connections_per_address;
    if most == 0 || current.snapshot.trust.networks.include(address) {
        return Some(Resident::uncounted());
    }
    let resident = clients.addresses().enter(address, most);
    if resident.is_none() {
        refuse(peer, "too many from one address");
        told.map(addresses::tell);
        if clients.addresses().is_time_to_tell() {
            tracing::warn!(
                %address,
                most,
                "limits.connections_per_address is reached: new connections from there are refused; if it is a proxy or a \
                 balancer, name it in trust or raise the limit"
            );
        }
    }
    resident
}

/// A connection ends before a request is read from it.
pub(super) fn refuse(client: SocketAddr, why: &'static str) {
    metrics::counter!(REFUSED_CONNECTIONS, "reason" => why).increment(1);
    tracing::debug!(%client, why, "a connection was refused");
}
