//! Who starts threads and tasks.
//!
//! Owners are files. One that starts nothing is a fault: a list that allows more than is needed allows the next thread
//! without a question.

use std::collections::BTreeSet;

use crate::Fault;
use crate::tree::Tree;
use crate::words::names;

/// Where a program starts threads, tasks and processes: composition roots, accept loops, owners of one thread of their own, a
/// successor of the process, and work
/// for the disk, which must not be done on a thread that sends heartbeats, for a pager that takes nothing,
/// for the end of an example's process,
/// for files of TLS that are read again and again, for servers that must not wait for each other's answers, or for keys, a page that does not read and has to end, and what is written in the books, which goes on when nobody waits for it.
const STARTERS: &[&str] = &[
    "admin/src/commands/top.rs",
    "admin/src/commands/top/terminal.rs",
    "admin/src/commands/watching.rs",
    "process/src/tls/mod.rs",
    "store/src/main.rs",
    "store/src/clients.rs",
    "store/src/log/file_log.rs",
    "store/src/node.rs",
    "store/src/raft/anew.rs",
    "store/src/raft/applier.rs",
    "store/src/raft/endpoint.rs",
    "store/src/raft/formats.rs",
    "store/src/raft/lives.rs",
    "store/src/raft/log_seam.rs",
    "store/src/raft/opening.rs",
    "store/src/raft/recover.rs",
    "store/src/raft/runtime.rs",
    "store/src/raft/snapshots.rs",
    "store/src/raft/start.rs",
    "store/src/rpc/books.rs",
    "store/src/rpc/copies.rs",
    "store/src/rpc/listing.rs",
    "store/src/runtime.rs",
    "proxy/src/handover/successor.rs",
    "proxy/src/console/live.rs",
    "proxy/src/control/deeds.rs",
    "proxy/src/control/following.rs",
    "proxy/src/conversation/streams.rs",
    "proxy/src/main.rs",
    "proxy/src/server.rs",
    "proxy/src/server/acceptor.rs",
    "tomcat-adapter/src/main/java/remora/tomcat/codec/Aside.java",
    "tomcat-adapter/src/main/java/remora/tomcat/codec/DeepStack.java",
    "tomcat-adapter/src/main/java/remora/tomcat/keeper/Departure.java",
    "tomcat-adapter/src/main/java/remora/tomcat/keeper/ApplicationThread.java",
    "tomcat-adapter/src/main/java/remora/tomcat/keeper/Handovers.java",
    "tomcat-adapter/src/main/java/remora/tomcat/keeper/PauseTicker.java",
    "tomcat-adapter/src/main/java/remora/tomcat/keeper/Touches.java",
    "tomcat-adapter/src/main/java/remora/tomcat/store/grpc/Channels.java",
    "tomcat-adapter/src/main/java/remora/tomcat/store/grpc/Threads.java",
    "examples/embedded/src/main/java/com/example/Embedded.java",
];

/// What starts a thread or task, as a whole word: called, handed on or imported, of a runtime, a set, a builder or a scope.
const STARTS: &[&str] = &[
    "spawn",
    "spawn_on",
    "spawn_local",
    "spawn_local_on",
    "spawn_blocking",
    "spawn_blocking_on",
    "spawn_scoped",
    "spawn_unchecked",
    "runtime::blocking",
    "thread::Builder",
    "thread::scope",
    "new Thread",
    "Thread::new",
    "Thread.of",
    "startVirtualThread",
    "Executors",
    "new ThreadPoolExecutor",
    "new ScheduledThreadPoolExecutor",
    "new ForkJoinPool",
    "new Timer",
    "supplyAsync",
    "runAsync",
    "parallelStream",
];

/// Threads and tasks are started by their owners only, and each listed owner starts one.
pub(crate) fn tasks_have_owners(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut idle = STARTERS.iter().copied().collect::<BTreeSet<_>>();
    for source in tree.rust().chain(tree.java()) {
        let starts = source.may_name(STARTS);
        let listed = STARTERS.contains(&source.path.as_str());
        for line in source
            .product()
            .filter(|line| starts.iter().any(|start| names(&line.code, start)))
        {
            if listed {
                idle.remove(source.path.as_str());
            } else {
                faults.push(Fault::at(
                    source,
                    line.number,
                    "starts a thread or task and is not listed for it",
                ));
            }
        }
    }
    let what = "may start a thread or task and does not: its row can go";
    faults.extend(idle.into_iter().map(|path| Fault::new(path, 1, what)));
    faults
}
