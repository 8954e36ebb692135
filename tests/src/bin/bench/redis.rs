//! Redis under the load: a primary and two replicas, each syncing its append-only file before it answers; a save is a SET
//! followed by WAIT 1 in the same packet, one on its way on each connection.
//!
//! That is less than the others promise: WAIT says that a replica has received the change, not that it has synced it, and
//! a failover may still lose it; a read at the primary may be stale for as long as that does not know of a failover.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use remora_tests::place::free_port;
use remora_tests::process::Process;
use remora_tests::stores::loopback;
use remora_tests::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Ask, Client, Rival, SERVES_WITHIN, VALUE_BYTES};
use crate::wrk::installed;

/// One answer of a primary that starts comes within this, or it is asked again.
const ANSWER: Duration = Duration::from_secs(2);

/// Bytes read at once: more than an answer with a value.
const READ_BYTES: usize = 4_096;

/// A primary and two replicas.
pub(crate) struct Redis {
    directory: PathBuf,
    /// The primary's first.
    ports: [u16; 3],
    nodes: Vec<Process>,
}

impl Redis {
    fn primary(&self) -> SocketAddr {
        loopback(self.ports[0])
    }

    /// Starts all three and waits until the primary has both replicas.
    fn launch(&mut self) -> Result<()> {
        self.nodes = self
            .ports
            .map(|port| self.node(port))
            .into_iter()
            .collect::<Result<_>>()?;
        wait_until("a primary of Redis with two replicas", SERVES_WITHIN, || {
            replicated(self.primary()).is_ok_and(|by| by == 2)
        })?;
        Ok(())
    }

    fn node(&self, port: u16) -> Result<Process> {
        let program = installed("redis-server").context("redis-server is not installed")?;
        let data = self.directory.join(format!("redis-{port}"));
        std::fs::create_dir_all(&data)?;
        Process::start("redis", &program, &data.join("log"), |command| {
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
            command.arg("--dir").arg(&data);
            command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
            if port != self.ports[0] {
                command.args(["--replicaof", "127.0.0.1", &self.ports[0].to_string()]);
            }
        })
    }
}

impl Rival for Redis {
    type Client = RedisClient;

    const NAME: &'static str = "Redis, WAIT 1";
    const READS: &'static str = "; GET at the primary, not linearizable";

    fn start(directory: &Path) -> Result<Self> {
        let mut redis = Redis {
            directory: directory.to_owned(),
            ports: [free_port()?, free_port()?, free_port()?],
            nodes: Vec::new(),
        };
        redis.launch()?;
        Ok(redis)
    }

    fn restart(&mut self) -> Result<Duration> {
        self.nodes.iter_mut().for_each(Process::kill);
        let began = Instant::now();
        self.launch()?;
        Ok(began.elapsed())
    }

    fn pids(&mut self) -> Result<Vec<u32>> {
        Ok(self.nodes.iter().map(Process::id).collect())
    }

    async fn connect(&self, number: usize, slots: usize) -> Result<Vec<RedisClient>> {
        let mut clients = Vec::new();
        for slot in 0..slots {
            let connection = TcpStream::connect(self.primary()).await?;
            connection.set_nodelay(true)?;
            clients.push(RedisClient {
                connection,
                key: format!("bench/{number}/{slot}"),
                saves: 0,
            });
        }
        Ok(clients)
    }
}

/// How many replicas have what is written now.
fn replicated(primary: SocketAddr) -> Result<u64> {
    let mut connection = std::net::TcpStream::connect(primary)?;
    connection.set_read_timeout(Some(ANSWER))?;
    connection.write_all(b"SET probe 1\r\nWAIT 2 500\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; READ_BYTES];
    loop {
        let length = connection.read(&mut part)?;
        ensure!(length > 0, "Redis closed the connection");
        answer.extend_from_slice(&part[..length]);
        if let Some(replicas) = replicas(&answer)? {
            return Ok(replicas);
        }
    }
}

/// What the answer to a SET and a WAIT says, once it is whole.
fn replicas(answer: &[u8]) -> Result<Option<u64>> {
    let answer = std::str::from_utf8(answer).context("Redis answers in words")?;
    if answer.matches("\r\n").count() < 2 {
        return Ok(None);
    }
    let Some(replicas) = answer.strip_prefix("+OK\r\n:") else {
        bail!("Redis did not save: {answer}")
    };
    Ok(Some(replicas.trim_end().parse()?))
}

/// Somebody with one key and a connection.
pub(crate) struct RedisClient {
    connection: TcpStream,
    key: String,
    saves: u8,
}

impl Client for RedisClient {
    fn choose(&mut self, session: u64) {
        self.key = format!("bench/s{session}");
    }

    async fn ask(&mut self, ask: Ask) -> Result<()> {
        match ask {
            Ask::Save | Ask::Change => self.save(ask.bytes()).await,
            Ask::Read => self.read().await,
        }
    }
}

impl RedisClient {
    async fn save(&mut self, bytes: usize) -> Result<()> {
        // Digits, so that a value is never the same twice in a row and never looks like the end of a line.
        self.saves = (self.saves + 1) % 10;
        let value = vec![b'0' + self.saves; bytes];
        let mut asked = command(&[b"SET", self.key.as_bytes(), &value]);
        asked.extend(command(&[b"WAIT", b"1", b"1000"]));
        self.connection.write_all(&asked).await?;
        let mut answer = Vec::with_capacity(READ_BYTES);
        loop {
            ensure!(
                self.connection.read_buf(&mut answer).await? > 0,
                "Redis closed the connection"
            );
            if let Some(replicas) = replicas(&answer)? {
                ensure!(replicas > 0, "no replica of Redis has a save");
                return Ok(());
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        let asked = command(&[b"GET", self.key.as_bytes()]);
        self.connection.write_all(&asked).await?;
        let head = format!("${VALUE_BYTES}\r\n");
        let whole = head.len() + VALUE_BYTES + 2;
        let mut answer = Vec::with_capacity(READ_BYTES);
        while answer.len() < whole {
            ensure!(
                self.connection.read_buf(&mut answer).await? > 0,
                "Redis closed the connection"
            );
            let told = &answer[..answer.len().min(head.len())];
            ensure!(head.as_bytes().starts_with(told), "Redis did not bring the value");
        }
        Ok(())
    }
}

/// A command as Redis reads it.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_counts_once_a_replica_is_named() {
        assert_eq!(command(&[b"GET", b"a"]), b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
        assert_eq!(replicas(b"+OK\r\n").unwrap(), None);
        assert_eq!(replicas(b"+OK\r\n:2\r\n").unwrap(), Some(2));
        assert!(replicas(b"-READONLY\r\n:0\r\n").is_err());
    }
}
