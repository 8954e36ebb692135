//! The simulation: whole nodes in one thread, under a time, a chance, wires and disks that a seed decides, with clients
//! that do what Tomcats do and a judge who holds every answer to what was told before.
//!
//! | module | what it is |
//! |---|---|
//! | `turns`, `dice` | one order of all tasks, drawn by the seed; time that passes only when nobody has anything to do |
//! | `wires`, `world` | what nodes say to each other; nodes with their disks and clocks |
//! | `troubles` | processes that end, power that goes, ways that are blocked, nodes that stand still, disks |
//! | `operator` | the replacement of a node whose disk is lost |
//! | `tomcats`, `oracle` | what is asked, and what the answers are held to |
//! | `twists` | the product's rules, broken one at a time, to see that the judge notices |
//! | `story` | one seed from its first start to the last comparison |
//! | `chronicle` | what happened, for people and for comparing two runs to the byte |
//!
//! Consensus is the real one, and so are the log, the images, the table, elections, proposer and reader: all that this crate
//! gets of time, chance, tasks and threads comes through one seam (`crate::runtime`), which takes them from here while a
//! simulation is played on its thread. So a seed is played again to the byte, in any process.
//!
//! Left out on purpose: tonic and the desk's services, which have their own tests over real sockets; a disk that gives back
//! other bytes than were written, against which checksums stand.

mod chronicle;
mod dice;
mod operator;
mod oracle;
mod story;
mod tests;
mod tomcats;
mod troubles;
mod turns;
mod twists;
mod wires;
mod world;

pub(crate) use turns::Turns;

/// By how many hundredths a node's clock goes faster or slower than the world's, at most: far more than any crystal.
const RATE_PERCENT_MAX: u32 = 10;
