//! Our store under the load: each connection is one Tomcat's stream, each slot on it one request thread.
//!
//! A stream's requests leave together when several wait, as the session manager sends them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::save_reply::Outcome;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::{
    Attribute, CheckRequest, ExchangeReply, ExchangeRequest, Formats, Hello, Request, SaveRequest, Saved,
    SessionKey, check_reply, request,
};
use remora_tests::stores::{StorePorts, Stores, loopback};
use remora_tests::table::Table;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::load::{self, Ask, CHANGED_PARTS, Client, Load, Rival};

/// Idle limit of the sessions; longer than any bench.
const IDLE_SECONDS: i32 = 3_600;

/// Bytes of a session's key.
const KEY_BYTES: usize = 16;

/// Answers that wait for a slot: it has one request on its way.
const ANSWERS: usize = 1;

/// Measures a lone save, one stream and sixteen, and adds a row for each.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    [(1, 1), (1, 64), (16, 16)]
        .into_iter()
        .try_for_each(|(streams, slots)| load::measure::<Ours>(table, Load::saves(streams, slots)))
}

/// Three store nodes.
pub(crate) struct Ours {
    stores: Stores,
    leader: SocketAddr,
}

impl Rival for Ours {
    type Client = Slot;

    const NAME: &'static str = "remora-store";
    const READS: &'static str = "; linearizable";

    fn start(directory: &Path) -> Result<Self> {
        let ports = [StorePorts::free()?, StorePorts::free()?, StorePorts::free()?];
        let stores = Stores::start(directory, &ports)?;
        let leader = stores.wait_ready()?;
        let leader = loopback(stores.node(leader).context("the leader is a node")?.ports.client);
        Ok(Ours { stores, leader })
    }

    fn restart(&mut self) -> Result<Duration> {
        for id in self.stores.ids() {
            self.stores.kill(id)?;
        }
        let began = Instant::now();
        for id in self.stores.ids() {
            self.stores.launch(id)?;
        }
        self.stores.wait_ready()?;
        Ok(began.elapsed())
    }

    fn pids(&mut self) -> Result<Vec<u32>> {
        let ids = self.stores.ids().into_iter();
        ids.map(|id| Ok(self.stores.process(id)?.id())).collect()
    }

    async fn connect(&self, number: usize, slots: usize) -> Result<Vec<Slot>> {
        let (sender, receiver) = mpsc::channel(slots);
        let hello = Hello {
            understands: Some(Formats { oldest: 1, newest: 1 }),
            node: format!("bench{number}"),
            instance: u64::try_from(number)? + 1,
            ..Hello::default()
        };
        sender
            .send(ExchangeRequest {
                hello: Some(hello),
                ..ExchangeRequest::default()
            })
            .await?;
        let mut client = SessionStoreClient::connect(format!("http://{}", self.leader)).await?;
        let replies = client.exchange(ReceiverStream::new(receiver)).await?.into_inner();
        let (asks, asked) = mpsc::channel(slots);
        let (answers, slots): (Vec<_>, Vec<_>) = (0..slots)
            .map(|slot| {
                let (answer, answers) = mpsc::channel(ANSWERS);
                (answer, Slot::new(number, slot, asks.clone(), answers))
            })
            .unzip();
        let stream = Stream {
            sender,
            asked,
            answers,
            under_way: HashMap::new(),
            serial: 0,
        };
        tokio::spawn(stream.run(replies));
        Ok(slots)
    }
}

/// What a slot asks, with its number on the stream.
type Asked = (usize, request::Ask);

/// One Tomcat's stream to the leader.
struct Stream {
    sender: mpsc::Sender<ExchangeRequest>,
    asked: mpsc::Receiver<Asked>,
    answers: Vec<mpsc::Sender<Answer>>,
    /// Which slot waits for which serial.
    under_way: HashMap<u64, usize>,
    serial: u64,
}

impl Stream {
    /// Carries requests and answers until the slots or the leader are gone; slots that still wait see that as an error.
    async fn run(mut self, mut replies: tonic::Streaming<ExchangeReply>) -> Result<()> {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = self.asked.recv_many(&mut batch, self.answers.len()) => {
                    if count == 0 {
                        return Ok(());
                    }
                    let requests = batch.drain(..).map(|asked| self.number(asked)).collect();
                    self.sender.send(ExchangeRequest { requests, ..ExchangeRequest::default() }).await?;
                }
                message = replies.message() => {
                    self.hand_out(message?.context("the leader ended the stream")?)?;
                }
            }
        }
    }

    fn number(&mut self, (slot, ask): Asked) -> Request {
        self.serial += 1;
        self.under_way.insert(self.serial, slot);
        Request {
            serial: self.serial,
            ask: Some(ask),
        }
    }

    fn hand_out(&mut self, message: ExchangeReply) -> Result<()> {
        for reply in message.replies {
            let slot = self
                .under_way
                .remove(&reply.serial)
                .context("a reply to nobody")?;
            let answer = reply.answer.context("a reply without an answer")?;
            // A slot whose time is over has gone without its last answer.
            let _ = self.answers[slot].try_send(answer);
        }
        Ok(())
    }
}

/// One request thread with its session.
pub(crate) struct Slot {
    number: usize,
    key: SessionKey,
    saved: Saved,
    saves: usize,
    asks: mpsc::Sender<Asked>,
    answers: mpsc::Receiver<Answer>,
}

impl Client for Slot {
    fn choose(&mut self, session: u64) {
        // Real keys are hashes, and the table relies on that.
        let hash = Sha256::digest(session.to_be_bytes());
        self.key.key = Bytes::copy_from_slice(&hash[..KEY_BYTES]);
        self.saved = Saved::default();
    }

    async fn ask(&mut self, ask: Ask) -> Result<()> {
        let asked = match ask {
            Ask::Save | Ask::Change => request::Ask::Save(self.save(ask)),
            Ask::Read => request::Ask::Check(self.check()),
        };
        self.asks.send((self.number, asked)).await?;
        match self.answers.recv().await.context("the stream ended")? {
            Answer::Save(save) => match save.outcome {
                Some(Outcome::Saved(saved)) => self.saved = saved,
                other => bail!("a save was not saved: {other:?}"),
            },
            Answer::Check(check) => match check.outcome {
                Some(check_reply::Outcome::Newer(_)) => {}
                other => bail!("a read brought no record: {other:?}"),
            },
            other => bail!("answered otherwise: {other:?}"),
        }
        Ok(())
    }
}

impl Slot {
    fn new(stream: usize, number: usize, asks: mpsc::Sender<Asked>, answers: mpsc::Receiver<Answer>) -> Slot {
        let mut key = [0; KEY_BYTES];
        key[0] = u8::try_from(number % 256).unwrap_or_default();
        key[1] = u8::try_from(stream % 256).unwrap_or_default();
        let key = SessionKey {
            application: "bench:localhost/shop".into(),
            key: Bytes::copy_from_slice(&key),
        };
        Slot {
            number,
            key,
            saved: Saved::default(),
            saves: 0,
            asks,
            answers,
        }
    }

    fn save(&mut self, ask: Ask) -> SaveRequest {
        self.saves += 1;
        let filler = u8::try_from((self.number + self.saves) % 251).unwrap_or_default();
        let is_new = self.saved.epoch == 0;
        // Of a session that has its attributes, one in turn.
        let changed = match ask {
            Ask::Change if is_new => 0..CHANGED_PARTS,
            Ask::Change => self.saves % CHANGED_PARTS..self.saves % CHANGED_PARTS + 1,
            Ask::Save | Ask::Read => 0..1,
        };
        let bytes = match ask {
            Ask::Change => ask.bytes() / CHANGED_PARTS,
            Ask::Save | Ask::Read => ask.bytes(),
        };
        let attribute = |part| Attribute {
            name: format!("cart{part}"),
            value: vec![filler; bytes].into(),
            ..Attribute::default()
        };
        SaveRequest {
            session: Some(self.key.clone()),
            epoch: self.saved.epoch,
            base: self.saved.version,
            changed: changed.map(attribute).collect(),
            max_idle_seconds: is_new.then_some(IDLE_SECONDS),
            ..SaveRequest::default()
        }
    }

    /// No copy has this version, so the record comes along, as the peers' reads bring theirs.
    fn check(&self) -> CheckRequest {
        CheckRequest {
            session: Some(self.key.clone()),
            epoch: self.saved.epoch,
            version: 0,
        }
    }
}
