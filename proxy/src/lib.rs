//! The reverse proxy: sends each user to the Tomcat that holds the session, and elsewhere at the moment that Tomcat
//! cannot answer. It keeps no session state, and no request asks the store: stickiness makes requests cheap, the store makes
//! them right.
//!
//! # Words
//!
//! - **session id**, **bare id**: what the application's session cookie carries; its part up to the first dot.
//! - **upstream**: one Tomcat as the proxy sees it. **pool**: interchangeable upstreams.
//! - **registry**: which Tomcats there are, by what they told the store. **view**: the registry and the wishes at one version. A member
//!   is **discovered** where the registry has it and the file has not.
//! - **route**: an upstream's name, as written behind the first dot of the session id (mode 2) or in the proxy's own
//!   cookie (mode 1).
//! - **path route**: which pool serves a path, and under which path there.
//! - **health**: the proxy's belief in an upstream, from what it has seen: unknown, up, leaving, down. **administrative state**:
//!   what is wanted of it, by the file or by an operator's **wish**: active, standby, finishing, draining (a **drain** is either
//!   of these), disabled, stopped. **admission**: both together.
//! - **snapshot**: everything an exchange must know, at one moment; never changes. **tally**: what is counted beside
//!   it.
//! - **peer**: the far end of a client's connection, or whom a balancer's PROXY header names. **client view**: the client
//!   of one request, as whatever is written of it sees it: the peer, or whom trusted peers vouch for.
//! - **exchange**: one request with all that is done for it. **attempt**: one try at one upstream.
//! - **effect**: what may have happened on the far side of a failed attempt: none, possible, certain.
//! - **successor**, **predecessor**: the process that takes the place of this one with its sockets; the one whose place it took.
//! - **stand-in**: the upstream that serves a session whose own cannot, by rendezvous hash, the same in every proxy.
//!
//! # Map
//!
//! What is decided (routing, pick order, belief, admission, retry by effect, header rules) is the crate
//! [`remora_policy`]: functions from values to values. What is done is here:
//!
//! | module | does |
//! |---|---|
//! | `server`, `handover` | listens, keeps room for clients, ends in steps; sockets from and to other processes |
//! | `conversation` | a client's connection: from request to request, or many beside one another |
//! | `exchange`, `site` | one request from head to last byte, the only retry loop; what a thread's requests share |
//! | `forward`, `replay`, `connections` | one attempt; bodies that can be sent again; connections, per thread |
//! | `deadline`, `naming` | a moment by which something must have happened; names of this process and of requests |
//! | `tls` | certificates shown to clients, handshakes |
//! | `http` | sockets and buffers around [`remora_h1`], towards both sides; HTTP/2 towards clients |
//! | `directory`, `tally`, `prober`, `doubts` | the one writer of snapshots; what is counted beside them; active checks, and what asks for them |
//! | `control`, `wishes` | what operators ask, and word of the store; what of it outlives the process |
//! | `console`, `chronicle` | the same in a browser; what changed lately, for people |
//! | `access_log`, `metrics`, `answer` | what operators see; what clients see of a failure |
//! | `config`, `open_files` | the file, checked; room for sockets |
//!
//! # The life of a request
//!
//! 1. `server` accepts a connection on one of its threads; `conversation` reads a head, strictly. One of HTTP/2 is written in the
//!    form of HTTP/1.1 and checked as such; it has a task of its own from then on.
//! 2. `exchange` takes the current snapshot from `directory` and keeps it to the end; it views the client once.
//! 3. [`PathMap`](remora_policy::PathMap) finds pool and upstream path; [`RouteKey`](remora_policy::RouteKey) finds
//!    bare id and route.
//! 4. [`pick`](remora_policy::pick) says sticky, moved or fresh; a fresh user goes where
//!    [`Balance`](remora_policy::Balance) says.
//! 5. `forward` makes one attempt: a connection from `connections`, the head as the policy edits it, the body through
//!    `replay`.
//! 6. What became of it is observed for `directory`; a failure is also a question for
//!    [`decide`](remora_policy::decide): the same upstream on a fresh connection, the next one, or an answer of our
//!    own. Back to 4.
//! 7. The first answer goes to the client, mapped back; from its head on bytes are only passed along.
//! 8. What happened becomes one line in `access_log` and some figures in `metrics`.
//!
//! When a Tomcat dies, step 4 finds its route not admitted and picks the stand-in; that Tomcat's session manager claims
//! the session from the store and puts its own route into the cookie (mode 2), or the proxy does (mode 1). The user
//! stays there: nobody is moved back.
//!
//! # What is never here
//!
//! A session or a copy of one · a request that asks the store, or waits for what `control` hears of it · a second retry loop · an answer of our own that touches a
//! session cookie · a session id in a log, a figure or an answer · tonic outside `control` ·
//! a clock, a task or IO in what decides · a wait for an upstream to come back.

mod access_log;
mod answer;
mod chronicle;
mod config;
mod connections;
mod console;
mod control;
mod conversation;
mod deadline;
mod directory;
mod doubts;
mod exchange;
mod forward;
mod handover;
mod http;
mod metrics;
mod naming;
mod open_files;
mod prober;
mod replay;
mod server;
mod site;
mod tally;
mod tls;
mod way;
mod wishes;

pub use access_log::{AccessLog, LogWriter};
pub use chronicle::Chronicle;
pub use config::{Config, ListenConfig, LogConfig, LogFormat, LogTarget, Networks, keys_page};
pub use console::Console;
pub use control::{Following, serve as serve_operators};
pub use directory::{Directory, Followed};
pub use handover::{Inherited, Predecessor, Replacement, Sockets};
pub use metrics::FIGURES;
pub use open_files::make_room as make_room_for_sockets;
pub use prober::run as check_upstreams;
pub use server::{Grace, Queues, Server, Workers};
pub use tls::Gates;
pub use wishes::Keeping;
