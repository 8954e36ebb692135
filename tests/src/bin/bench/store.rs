//! Durable saves per second of three store nodes, and what one costs all three together.
//!
//! A closed loop as a busy site makes it: each stream is one Tomcat's, each slot on it one request thread that saves
//! 1 KiB, waits for the majority, and saves again. Three nodes, every one of them syncing its log, and the load share
//! this machine, so the processor time per save says more than the rate.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::save_reply::Outcome;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::{
    Attribute, ExchangeReply, ExchangeRequest, Formats, Hello, Request, SaveRequest, Saved, SessionKey,
    request,
};
use remora_tests::stores::{StorePorts, Stores, loopback};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::cpu::{Usage, ratio};
use crate::table::Table;

/// Size of the value that each save changes.
const VALUE_BYTES: usize = 1_024;

/// How long each row is measured, after a warm-up of a fifth of it.
const MEASURE: Duration = Duration::from_secs(6);

/// Idle limit of the sessions; longer than any bench.
const IDLE_SECONDS: i32 = 3_600;

/// Measures a lone save, one stream and sixteen, and adds a row for each.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for (streams, slots) in [(1, 1), (1, 64), (16, 16)] {
        let directory = tempfile::tempdir()?;
        let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
        let mut stores = Stores::start(directory.path(), &ports)?;
        let leader = stores.wait_ready()?;
        let address = loopback(stores.node(leader).context("the leader is a node")?.ports.client);
        let pids = stores
            .ids()
            .into_iter()
            .map(|id| Ok(stores.process(id)?.id()))
            .collect::<Result<Vec<u32>>>()?;
        runtime.block_on(drive(table, &pids, address, (streams, slots)))?;
    }
    Ok(())
}

async fn drive(
    table: &mut Table,
    pids: &[u32],
    leader: SocketAddr,
    (streams, slots): (usize, usize),
) -> Result<()> {
    let window = Window::after_warm_up();
    let loads: Vec<_> = (0..streams)
        .map(|number| tokio::spawn(load(leader, number, slots, window)))
        .collect();
    tokio::time::sleep_until(window.start.into()).await;
    let before = Usage::of(pids)?;
    tokio::time::sleep_until(window.end.into()).await;
    let used = Usage::of(pids)?.since(before);
    let mut latencies = Vec::new();
    for load in loads {
        latencies.extend(load.await.context("a load task ended early")??);
    }
    add_row(table, streams, slots, &mut latencies, used);
    Ok(())
}

#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
}

impl Window {
    fn after_warm_up() -> Window {
        let start = Instant::now() + MEASURE / 5;
        Window {
            start,
            end: start + MEASURE,
        }
    }
}

fn add_row(table: &mut Table, streams: usize, slots: usize, latencies: &mut [u64], used: Usage) {
    latencies.sort_unstable();
    let count = latencies.len() as u64;
    let percentile = |hundredth: usize| {
        let micros = latencies
            .get(latencies.len() * hundredth / 100)
            .copied()
            .unwrap_or(0);
        format!("{:.2} ms", ratio(micros, 1_000))
    };
    table.row([
        "durable 1 KiB saves, 3 nodes".into(),
        format!("remora-store, {streams} streams x {slots}"),
        format!("{:.0}/s", ratio(count, MEASURE.as_secs())),
        format!("{:.1} us", used.microseconds_each(count)),
        format!("{:.2}", used.sleeps_each(count)),
        format!("p50 {}, p99 {}", percentile(50), percentile(99)),
    ]);
}

/// One Tomcat's worth of load; the latencies, in microseconds, of the saves answered within the window.
async fn load(leader: SocketAddr, number: usize, slots: usize, window: Window) -> Result<Vec<u64>> {
    let (sender, receiver) = mpsc::channel(slots);
    let instance = u64::try_from(number)? + 1;
    let hello = Hello {
        understands: Some(Formats { oldest: 1, newest: 1 }),
        node: format!("bench{number}"),
        instance,
        ..Hello::default()
    };
    sender
        .send(ExchangeRequest {
            hello: Some(hello),
            ..ExchangeRequest::default()
        })
        .await?;
    let mut client = SessionStoreClient::connect(format!("http://{leader}")).await?;
    let mut replies = client.exchange(ReceiverStream::new(receiver)).await?.into_inner();
    let mut slots: Vec<Slot> = (0..slots).map(|slot| Slot::new(number, slot)).collect();
    let mut serial = 0;
    let first = slots
        .iter_mut()
        .enumerate()
        .map(|(index, slot)| slot.next(index, &mut serial))
        .collect();
    sender
        .send(ExchangeRequest {
            requests: first,
            ..ExchangeRequest::default()
        })
        .await?;
    let mut latencies = Vec::new();
    while Instant::now() < window.end {
        let Some(message) = replies.message().await? else {
            bail!("the leader ended the stream")
        };
        let requests = answer(message, &mut slots, &mut serial, window, &mut latencies)?;
        if !requests.is_empty() {
            sender
                .send(ExchangeRequest {
                    requests,
                    ..ExchangeRequest::default()
                })
                .await?;
        }
    }
    Ok(latencies)
}

/// Takes what was answered and gives what each of those slots asks next.
fn answer(
    message: ExchangeReply,
    slots: &mut [Slot],
    serial: &mut u64,
    window: Window,
    latencies: &mut Vec<u64>,
) -> Result<Vec<Request>> {
    let mut requests = Vec::with_capacity(message.replies.len());
    for reply in message.replies {
        let index = slots
            .iter()
            .position(|slot| slot.serial == reply.serial)
            .context("a reply to nobody")?;
        let Some(Answer::Save(save)) = reply.answer else {
            bail!("a save was not saved: {:?}", reply.answer)
        };
        let Some(Outcome::Saved(saved)) = save.outcome else {
            bail!("a save was not saved: {:?}", save.outcome)
        };
        let now = Instant::now();
        if now >= window.start && now < window.end {
            latencies.push(u64::try_from(slots[index].sent.elapsed().as_micros())?);
        }
        slots[index].saved = saved;
        requests.push(slots[index].next(index, serial));
    }
    Ok(requests)
}

/// One request thread with its session.
struct Slot {
    key: SessionKey,
    saved: Saved,
    serial: u64,
    sent: Instant,
}

impl Slot {
    fn new(stream: usize, slot: usize) -> Slot {
        let mut key = [0; 16];
        key[0] = u8::try_from(slot % 256).unwrap_or_default();
        key[1] = u8::try_from(stream % 256).unwrap_or_default();
        let key = SessionKey {
            application: "bench:localhost/shop".into(),
            key: Bytes::copy_from_slice(&key),
        };
        Slot {
            key,
            saved: Saved::default(),
            serial: 0,
            sent: Instant::now(),
        }
    }

    fn next(&mut self, index: usize, serial: &mut u64) -> Request {
        *serial += 1;
        self.serial = *serial;
        self.sent = Instant::now();
        let filler =
            u8::try_from((index + usize::try_from(*serial).unwrap_or_default()) % 251).unwrap_or_default();
        let value = Attribute {
            name: "cart".into(),
            value: vec![filler; VALUE_BYTES].into(),
            ..Attribute::default()
        };
        let save = SaveRequest {
            session: Some(self.key.clone()),
            epoch: self.saved.epoch,
            base: self.saved.version,
            changed: vec![value],
            max_idle_seconds: (self.saved.epoch == 0).then_some(IDLE_SECONDS),
            ..SaveRequest::default()
        };
        Request {
            serial: self.serial,
            ask: Some(request::Ask::Save(save)),
        }
    }
}
