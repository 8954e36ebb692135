//! The harness behind the claims, the demo, the comparison, the bench and the soak: real processes, real Tomcats, free loopback ports.
//!
//! A claim is one file in `tests/`, named after the promise it shows. It asks for a [`World`], acts as users and
//! as misfortune do, and waits for conditions with a deadline. From the outside in:
//!
//! - [`world`]: three stores, Tomcats and a proxy wired together, and what to print when a claim fails.
//! - [`stores`], [`proxy`], [`tomcat`], [`fronts`]: one kind of process each: its files, its flags, how to see it ready.
//!   [`foreign`]: session managers of others, and their servers.
//! - [`visitor`]: a user of the demo shop. [`probe`]: a caller of the probe application. [`applications`]: users of
//!   applications that others wrote.
//! - [`spring`]: the sample of the Spring Boot starter. [`provider`]: who logs its users in by OpenID.
//! - [`story`], [`telling`]: what the demo shows, and how it speaks. [`installed`]: machines with our packages.
//! - [`scenario`]: requests with programs of session operations, and what came of them as text to compare.
//! - [`http`]: a small browser; shows heads, cookies and cut answers as they came. [`socket`]: its WebSockets. [`chromium`]: a
//!   large one.
//! - [`imported`]: our proxy in the place of another, as the page on moving says.
//! - [`haystack`]: secrets, and the files in which to look for them.
//! - [`monitoring`]: the alerts and dashboards that operators are given, and the figures of a site as those see them.
//! - [`calls`]: the gRPC side: status, drain, saves and claims.
//! - [`certificates`]: an authority, and what it issues to each part.
//! - [`savers`]: writers that never stop, and what became of everything that they were told.
//! - [`disk`]: disks that misbehave under real processes.
//! - [`relay`]: a network between two of them, which claims can disturb.
//! - [`page`]: pages of the documentation, to be followed as they stand. [`table`]: what is printed into them.
//! - [`containers`]: images and containers without an engine. [`compose`], [`manifests`]: what a compose file and
//!   `packaging/kubernetes` ask of one. [`kubelet`]: what a cluster makes of the latter.
//! - [`process`], [`place`], [`wait`]: children that never outlive the harness, directories and ports, waiting.
//!
//! Left out on purpose: any knowledge of how the parts work inside. The harness knows flags, configuration files,
//! HTTP and the protos, as a user does; so a claim cannot pass by agreeing with the code it judges.

pub mod applications;
pub mod axe;
pub mod calls;
pub mod certificates;
pub mod chromium;
pub mod compose;
pub mod containers;
pub mod disk;
pub mod foreign;
pub mod fronts;
pub mod haystack;
pub mod http;
mod httpd;
pub mod imported;
pub mod installed;
pub mod kubelet;
pub mod manifests;
pub mod monitoring;
pub mod page;
pub mod place;
pub mod probe;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod relay;
pub mod savers;
pub mod scenario;
pub mod socket;
pub mod spring;
pub mod stores;
pub mod story;
pub mod table;
pub mod telling;
pub mod tomcat;
pub mod visitor;
pub mod wait;
pub mod world;

/// What a claim returns: an error is a claim that does not hold, told in sentences.
pub type Outcome = anyhow::Result<()>;

pub use wait::{holds_for, wait_for, wait_until};
pub use world::World;
