//! Claim: a warm exchange allocates nothing, on no thread of the proxy.
//!
//! The proxy's threads run here, in the test's process, over an allocator that tells of each allocation on the thread that
//! makes it: those named `proxy-0` and `access-log` count, the client's and the upstream's do not. So the program itself
//! pays for no counter. A test that fails shows where one exchange allocates.
//!
//! Checks of upstreams and operators' requests are left out: they live on a thread of their own and belong to no exchange.
#![allow(clippy::print_stdout, reason = "says what was counted")]

mod support;

use std::alloc::System;
use std::backtrace::Backtrace;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use remora_proxy::{AccessLog, Config, Directory, Gates, Inherited, Server};
use support::process::free_address;
use support::{PATIENCE, head_end};
use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker, Allocator};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

/// Exchanges that are counted.
const EXCHANGES: usize = 1_000;

/// Exchanges before, after which connections stand and buffers have grown: some batches of the access log among them.
const WARM_UP: usize = 1_000;

/// Allocations of all exchanges together at most: one for a hundred, for what goes by time or by batch.
const ALLOCATIONS_MAX: usize = EXCHANGES / 100;

/// Clients that take turns.
const CLIENTS: usize = 4;

const REQUEST: &[u8] =
    b"GET /shop/page?a=b HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\nAccept: */*\r\n\
    Cookie: JSESSIONID=0123456789abcdef.n1\r\nReferer: http://shop.example/\r\n\r\n";

/// Bytes of a page: head and body go out in one piece.
const PAGE_BYTES: usize = 1_024;

/// Bytes of a client's or the upstream's buffer: more than any message here.
const BUFFER_BYTES: usize = 8 * 1_024;

/// Allocations of the proxy's threads since counting began.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Whether their places are kept, too.
static SHOWS: AtomicBool = AtomicBool::new(false);

/// Sizes and places, not yet looked up.
static PLACES: Mutex<Vec<(usize, Backtrace)>> = Mutex::new(Vec::new());

struct Counter;

impl AllocationTracker for Counter {
    fn allocated(&self, _: usize, size: usize, _: usize, _: AllocationGroupId) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        if !name.starts_with("proxy-") && name != "access-log" {
            return;
        }
        COUNT.fetch_add(1, Ordering::SeqCst);
        if SHOWS.load(Ordering::SeqCst) {
            let place = Backtrace::force_capture();
            PLACES.lock().expect("nobody panics with it").push((size, place));
        }
    }

    fn deallocated(&self, _: usize, _: usize, _: usize, _: AllocationGroupId, _: AllocationGroupId) {}
}

/// What the proxy's threads allocate while something is done.
fn counted(what: impl FnOnce()) -> usize {
    COUNT.store(0, Ordering::SeqCst);
    AllocationRegistry::enable_tracking();
    what();
    AllocationRegistry::disable_tracking();
    COUNT.load(Ordering::SeqCst)
}

/// The innermost calls in our own code and in libraries: each with its file and line.
fn shown(place: &Backtrace) -> String {
    /// Calls that tell where it is.
    const CALLS: usize = 4;
    let text = place.to_string();
    let mut name = "";
    let mut calls = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some(location) = line.strip_prefix("at ") else {
            name = line.split_once(": ").map_or("", |(_, name)| name);
            continue;
        };
        // The standard library and what counts lie above each of them.
        let above = ["rustc/", "tracking-allocator", "tests/allocations.rs"];
        if !above.iter().any(|part| location.contains(part)) {
            let library = location
                .split_once("registry/src/")
                .and_then(|(_, rest)| rest.split_once('/'));
            let name = name.split('<').next().unwrap_or_default();
            calls.push(format!("{} {name}", library.map_or(location, |(_, file)| file)));
        }
    }
    calls.truncate(CALLS);
    calls.join("\n                from ")
}

/// An upstream that answers every head with the same page and allocates nothing once a connection stands.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {PAGE_BYTES}\r\n\r\n{}",
        "x".repeat(PAGE_BYTES)
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let page = page.clone();
            std::thread::spawn(move || {
                let (mut buffer, mut filled) = ([0; BUFFER_BYTES], 0);
                while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
                    filled += read;
                    if head_end(&buffer[..filled]).is_some() {
                        filled = 0;
                        if stream.write_all(page.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// One request and its whole answer.
fn exchange(client: &mut TcpStream) {
    client.write_all(REQUEST).expect("the proxy reads");
    let (mut buffer, mut filled) = ([0; BUFFER_BYTES], 0);
    loop {
        let read = client.read(&mut buffer[filled..]).expect("an answer in time");
        assert!(read > 0, "the proxy closed");
        filled += read;
        if head_end(&buffer[..filled]).is_some_and(|end| filled == end + PAGE_BYTES) {
            break;
        }
    }
    assert!(buffer.starts_with(b"HTTP/1.1 200 "));
}

/// Threads of a proxy before that upstream, with metrics and access log, as the program starts them.
fn proxy(upstream: SocketAddr, directory: &std::path::Path) -> SocketAddr {
    remora_process::ops::recorder();
    let (address, control) = (free_address(), free_address());
    let file = directory.join("proxy.toml");
    let log = directory.join("access.log");
    let text = format!(
        "threads = 1\naccess_log = {log:?}\n[[listen]]\nbind = \"{address}\"\n[control]\nbind = \"{control}\"\n\
         [pool.tomcat]\nsticky = {{ session = \"JSESSIONID\" }}\nhealth = \"off\"\n\
         [[pool.tomcat.member]]\nurl = \"http://{upstream}\"\nroute = \"n1\"\n[[route]]\npath = \"/shop\"\nto = \"tomcat/shop\"\n"
    );
    std::fs::write(&file, text).expect("a writable directory");
    let config = Config::load(&file).expect("a good file");
    let (log, writers) = AccessLog::open(&config.access_log).expect("a writable log");
    assert_eq!(writers.len(), 1, "the log is on");
    for writer in writers {
        let writing = std::thread::Builder::new().name("access-log".to_owned());
        writing.spawn(move || writer.run()).expect("a thread");
    }
    let directory = Directory::new(&config);
    let mut inherited = Inherited::take().expect("nothing was handed down");
    let gates = Gates::open(&config.listen).expect("none has TLS");
    let server =
        Server::bind(&config.listen, config.threads, &gates, &mut inherited).expect("a free address");
    let workers = server.start(&directory, &log).expect("threads");
    workers.serve();
    // They work until the process ends.
    std::mem::forget(workers);
    address
}

fn connect(proxy: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(proxy).expect("the proxy accepts");
    client.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    client.set_nodelay(true).expect("no delay");
    client
}

#[test]
fn a_warm_exchange_allocates_nothing() {
    AllocationRegistry::set_global_tracker(Counter).expect("the only one");
    let directory = tempfile::tempdir().unwrap();
    let proxy = proxy(upstream(), directory.path());
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(proxy)).collect();
    let ask = |clients: &mut [TcpStream], exchanges: usize| {
        for number in 0..exchanges {
            exchange(&mut clients[number % CLIENTS]);
        }
    };
    ask(&mut clients, WARM_UP);

    let first = counted(|| exchange(&mut connect(proxy)));
    assert!(first > 0, "a new client costs something, so nothing is counted");
    let warm = counted(|| ask(&mut clients, EXCHANGES));
    println!("{warm} allocations of {EXCHANGES} warm exchanges; {first} of a new client's first");
    if warm <= ALLOCATIONS_MAX {
        return;
    }
    SHOWS.store(true, Ordering::SeqCst);
    let one = counted(|| exchange(&mut clients[0]));
    let places = PLACES.lock().expect("nobody panics with it");
    let places: Vec<String> = places
        .iter()
        .map(|(size, place)| format!("\n{size:8} bytes {}", shown(place)))
        .collect();
    panic!(
        "more than {ALLOCATIONS_MAX} allocations; {one} of one more exchange:{}",
        places.concat()
    );
}
