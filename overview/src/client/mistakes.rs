//! Which mistake it is when an address gives no answer, or a wrong one: another port was named, TLS is spoken on one side alone, a
//! certificate is another authority's.
//!
//! Whoever is there is asked who it is, in the ways in which servers of ours answer: over gRPC, and on pages whose field
//! `remora-port` says which port this is. Asked only when a proper answer failed; nothing is changed anywhere.
//!
//! Invariant: what is not sure is not said. Left out on purpose: an address where nobody listens. Its own error says so.

use std::time::Duration;

use remora_process::tls::Dial;
use remora_proto::v1::peer_client::PeerClient;
use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_proto::v1::{ProxyStatusRequest, ReadIndexRequest, StoreStatusRequest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{ATTEMPT_TIMEOUT, connect, root_cause};
use crate::Failure;

/// How long somebody is asked who it is. As long as a person who has made a mistake may wait for it to be named.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// The most that is read of what somebody says in clear: the head of a short page.
const READ_BYTES: u64 = 4_096;

/// Longest name of a port that is shown; ours are shorter, and nobody else's should fill a screen.
const PORT_NAME_MAX: usize = 200;

/// What is asked of whoever speaks HTTP.
const QUESTION: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: remora\r\nConnection: close\r\n\r\n";

/// Who was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A store node, at its client address.
    Store,
    /// A proxy, at its control address.
    Proxy,
}

/// The mistake by which this came of asking an address; none where it may be no mistake.
pub(super) async fn named(dial: &Dial, address: &str, meant: Asked, status: &Status) -> Option<Failure> {
    let cause = std::error::Error::source(status).map_or_else(|| status.message().to_owned(), root_cause);
    let sentence = match by_cause(&cause) {
        Some(sentence) => Some(sentence.to_owned()),
        None if is_refused(&cause) => None,
        None => match status.code() {
            Code::Unimplemented => by_service(dial, address, meant).await,
            _ if is_made_here(status) => None,
            _ => return None,
        },
    };
    let sentence = match sentence {
        Some(sentence) => sentence,
        None if is_refused(&cause) => return None,
        None => by_port(dial, address, meant).await?,
    };
    Some(Failure::Refused(format!("{address}: {sentence}")))
}

/// Whether nobody said anything: the status was made up on this side.
fn is_made_here(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.message().starts_with(super::NO_ANSWER)
}

/// Whether nobody was there to ask.
fn is_refused(cause: &str) -> bool {
    [
        "Connection refused",
        "timed out",
        "deadline has elapsed",
        "failed to lookup",
    ]
    .iter()
    .any(|words| cause.contains(words))
}

/// Mistakes that the libraries name, in their words.
fn by_cause(cause: &str) -> Option<&'static str> {
    // What the library says, and what it means to an operator.
    const SENTENCES: [(&str, &str); 8] = [
        // Another authority of the same name, as each of ours has.
        (
            "BadSignature",
            "its certificate is of an authority that --tls-authority does not hold",
        ),
        (
            "UnknownIssuer",
            "its certificate is of an authority that --tls-authority does not hold",
        ),
        (
            "NotValidForName",
            "its certificate is for other names than this one",
        ),
        (
            "certificate not valid for name",
            "its certificate is for other names than this one",
        ),
        ("certificate expired", "its certificate has ended: renew it there"),
        (
            "alert: UnknownCA",
            "it does not know the authority of --tls-cert: is that of another cluster?",
        ),
        (
            "alert: CertificateRequired",
            "it takes a certificate: name --tls-cert and --tls-key",
        ),
        (
            "alert: DecryptError",
            "it does not know the authority of --tls-cert: is that of another cluster?",
        ),
    ];
    let known = SENTENCES.iter().find(|(words, _)| cause.contains(words));
    known.map(|(_, sentence)| *sentence)
}

/// Which of our services answers there, if not the one that was asked.
async fn by_service(dial: &Dial, address: &str, meant: Asked) -> Option<String> {
    let channel = connect(dial, address, ATTEMPT_TIMEOUT).await.ok()?;
    match meant {
        Asked::Store => {
            let asked = ProxyAdminClient::new(channel.clone())
                .status(ProxyStatusRequest {})
                .await;
            if is_there(asked.as_ref().err()) {
                return Some("this is a proxy's control address: name it with --proxy".to_owned());
            }
        }
        Asked::Proxy => match StoreAdminClient::new(channel.clone())
            .status(StoreStatusRequest {})
            .await
        {
            Ok(status) => {
                let node = status.into_inner().node_id;
                return Some(format!(
                    "this is the client address of store node {node}: name it with --store"
                ));
            }
            Err(status) if is_there(Some(&status)) => {
                return Some("this is the client address of a store node: name it with --store".to_owned());
            }
            Err(_) => {}
        },
    }
    is_peer(channel).await.then(|| {
        "this is the address at which a store node's peers reach it (--peer-addr); operators ask at its client address".to_owned()
    })
}

/// Whether a service answered at all, whatever it said.
fn is_there(refused: Option<&Status>) -> bool {
    refused.is_none_or(|status| status.code() != Code::Unimplemented && !is_made_here(status))
}

/// Whether the service of store nodes for each other is there. The question asks for nothing, and says not who asks.
async fn is_peer(channel: Channel) -> bool {
    let asked = PeerClient::new(channel)
        .read_index(ReadIndexRequest::default())
        .await;
    is_there(asked.as_ref().err())
}

/// What somebody is who speaks no gRPC, or not as it was asked.
async fn by_port(dial: &Dial, address: &str, meant: Asked) -> Option<String> {
    let plain = tokio::time::timeout(ASKED_FOR, async {
        said(TcpStream::connect(address).await.ok()?).await
    });
    let said_in_clear = plain.await.ok().flatten()?;
    let speaks_tls = said_in_clear.first() == Some(&TLS_ALERT);
    match (speaks_tls, dial.is_secured()) {
        (true, false) => Some("it speaks TLS: name --tls-authority, --tls-cert and --tls-key".to_owned()),
        (false, true) => Some(by_name(&said_in_clear, meant).unwrap_or_else(|| {
            "it speaks no TLS: leave --tls-authority, --tls-cert and --tls-key away".to_owned()
        })),
        (false, false) => by_page(&said_in_clear, meant),
        (true, true) => {
            let (host, port) = address.rsplit_once(':')?;
            let port = port.parse().ok()?;
            let secured = tokio::time::timeout(ASKED_FOR, async {
                said(dial.clone().connect(host, port).await.ok()?).await
            });
            by_page(&secured.await.ok().flatten()?, meant)
        }
    }
}

/// The first byte of a record by which a server that speaks TLS refuses what is none.
const TLS_ALERT: u8 = 0x15;

/// What somebody answers to the question.
async fn said(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<Vec<u8>> {
    stream.write_all(QUESTION).await.ok()?;
    let mut answer = Vec::new();
    // Whoever resets the connection has said before what there is.
    let _ = stream.take(READ_BYTES).read_to_end(&mut answer).await;
    (!answer.is_empty()).then_some(answer)
}

/// What a page says of the port that it is at.
fn by_page(answer: &[u8], meant: Asked) -> Option<String> {
    let wanted = match meant {
        Asked::Store => "a store node's client address",
        Asked::Proxy => "a proxy's control address",
    };
    answer.starts_with(b"HTTP/1.").then(|| {
        by_name(answer, meant).unwrap_or_else(|| {
            format!("a web server answers there, as a Tomcat does or a proxy to its clients: name {wanted}")
        })
    })
}

/// Which port of ours says so of itself, if it is not the one that was meant.
fn by_name(answer: &[u8], meant: Asked) -> Option<String> {
    let head = String::from_utf8_lossy(answer);
    let mut lines = head.lines().take_while(|line| !line.is_empty());
    let name = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("remora-port").then_some(value.trim())
    })?;
    let plain = name.chars().filter(|character| !character.is_control());
    let name: String = plain.take(PORT_NAME_MAX).collect();
    let is_meant = meant == Asked::Proxy && name.starts_with("a proxy's control address");
    (!is_meant).then(|| format!("this is {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_which_port_it_is_of() {
        let page =
            b"HTTP/1.1 200 OK\r\nRemora-Port: the operations port of store node 2\r\n\r\nRemora-Port: no";
        assert_eq!(
            by_page(page, Asked::Store).as_deref(),
            Some("this is the operations port of store node 2")
        );
        let other = by_page(b"HTTP/1.1 404 Not Found\r\n\r\nremora-port: x", Asked::Proxy);
        assert!(other.is_some_and(|said| said.ends_with("name a proxy's control address")));
        assert_eq!(by_page(b"\0\0\x12\x04\0", Asked::Proxy), None);
    }

    #[test]
    fn nobody_there_is_no_mistake() {
        for cause in [
            "Connection refused (os error 111)",
            "failed to lookup address information: Name or service not known",
        ] {
            assert!(is_refused(cause) && by_cause(cause).is_none(), "{cause}");
        }
        assert!(by_cause("invalid peer certificate: UnknownIssuer").is_some());
    }
}
