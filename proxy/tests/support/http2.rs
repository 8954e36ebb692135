//! A client of HTTP/2 over TLS, and one that sends frames as it likes.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::client::Client;
use super::process::{Config, Proxy};
use super::tls::Certificates;

/// The host that all ask for.
pub(crate) const HOST: &str = "shop.test";
/// What a client says first: the preface of RFC 9113 section 3.4, and that it has no wishes.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Bytes before the payload of a frame.
const HEADER_BYTES: usize = 9;

/// Between two looks. 5 ms: often enough that nobody waits for it.
const PAUSE: Duration = Duration::from_millis(5);

/// A proxy that ends TLS, and the authority of its certificate.
pub(crate) struct Site {
    pub(crate) proxy: Proxy,
    certificates: Certificates,
}

/// A connection, and the task that moves its bytes.
pub(crate) struct Connection {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
}

/// An answer as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// Why it broke off, if it did.
    pub(crate) broken: Option<h2::Error>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Site {
    pub(crate) fn start(config: &Config) -> Self {
        let certificates = Certificates::draw();
        certificates.issue("shop", &[HOST]);
        let line = format!("tls = {{ {} }}", certificates.pair("shop"));
        let proxy = Proxy::start(&config.clone().listen(&line));
        Self { proxy, certificates }
    }

    /// A connection of a client that has room for so many bytes of an answer.
    pub(crate) async fn connect_with(&self, window: u32) -> Connection {
        let stream = self.certificates.dial(self.proxy.address, HOST, b"h2").await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut builder = Builder::new();
        builder.initial_window_size(window).enable_push(false);
        let (send, connection) = builder.handshake(stream).await.expect("HTTP/2");
        let driver = tokio::spawn(connection);
        Connection { send, driver }
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_with(1024 * 1024).await
    }

    /// A connection for frames of the test's own, behind the preface.
    pub(crate) fn raw(&self) -> Raw {
        let config = self.certificates.offering(b"h2");
        let mut client = self.proxy.client().secure(&config, HOST).expect("TLS");
        client.send(PREFACE);
        Raw { client }
    }
}

/// A request; more may be added to it.
pub(crate) fn ask(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("https://{HOST}{path}"))
}

impl Connection {
    /// Begins a request; its content follows unless it is over.
    pub(crate) async fn begin(
        &self,
        request: http::request::Builder,
        over: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = self.send.clone().ready().await;
        let request = request.body(()).expect("a request");
        ready
            .and_then(|mut send| send.send_request(request, over))
            .expect("it goes on")
    }

    /// A request without content, and its answer.
    pub(crate) async fn get(&self, request: http::request::Builder) -> Answer {
        let (answer, _) = self.begin(request, true).await;
        within(finish(answer)).await.expect("an answer")
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, what).await;
    done.expect("in time")
}

/// Waits until `condition` holds, and lets connections go on meanwhile.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        let mut looks = tokio::time::interval(PAUSE);
        while !condition() {
            looks.tick().await;
        }
    };
    let held = tokio::time::timeout(PATIENCE, holds).await;
    assert!(held.is_ok(), "still not so: {what}");
}

/// The answer, up to its end or its break.
///
/// # Errors
/// There was none.
pub(crate) async fn finish(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut content) = answer.await?.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        fields: head.headers,
        body: Vec::new(),
        trailers: None,
        broken: None,
    };
    while let Some(data) = content.data().await {
        match data {
            Ok(data) => {
                let _over = content.flow_control().release_capacity(data.len());
                answer.body.extend_from_slice(&data);
            }
            Err(error) => {
                answer.broken = Some(error);
                return Ok(answer);
            }
        }
    }
    answer.trailers = content.trailers().await.unwrap_or_default();
    Ok(answer)
}

/// Sends content as there is room for it, until all of it is sent or there is none for a while; answers how much was.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, mut data: Bytes, patience: Duration) -> usize {
    let whole = data.len();
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|context| stream.poll_capacity(context));
        let Ok(Some(Ok(room))) = tokio::time::timeout(patience, room).await else {
            break;
        };
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, false).expect("it is open");
    }
    whole - data.len()
}

/// Reads until so many bytes have come.
pub(crate) async fn read(content: &mut RecvStream, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let data = content.data().await.expect("more").expect("unbroken");
        let _over = content.flow_control().release_capacity(data.len());
        read.extend_from_slice(&data);
    }
    read
}

/// Whether content ends here, in order.
pub(crate) async fn ends(content: &mut RecvStream) -> bool {
    loop {
        match content.data().await {
            None => return true,
            // The frame that ends it.
            Some(Ok(data)) if data.is_empty() => {}
            Some(other) => {
                println!("{other:?} in place of the end");
                return false;
            }
        }
    }
}

/// Frames of the test's own.
pub(crate) struct Raw {
    client: Client,
}

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    /// Whether the stream ends with it, if it is of a kind that can say so.
    pub(crate) last: bool,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Raw {
    /// One frame as bytes.
    pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// The head of a GET that is over, from the static table: GET, https, /, and a host.
    pub(crate) fn get(stream: u32) -> Vec<u8> {
        let mut block = vec![0x82, 0x87, 0x84, 0x41, 0x09];
        block.extend_from_slice(HOST.as_bytes());
        Self::frame(1, 5, stream, &block)
    }

    /// Sends; false once the proxy takes no more.
    pub(crate) fn send(&mut self, frames: &[u8]) -> bool {
        self.client.try_send(frames).is_ok()
    }

    /// The next frame; none at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let header = self.client.try_bytes(HEADER_BYTES)?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        let payload = self.client.try_bytes(usize::try_from(length).expect("24 bits"))?;
        Some(Frame {
            kind: header[3],
            last: header[4] & 1 == 1,
            stream,
            payload,
        })
    }

    /// The reason for which the proxy says that the connection ends; none if it closes without.
    pub(crate) fn goes_away(&mut self) -> Option<u32> {
        loop {
            let frame = self.next()?;
            if frame.kind == 7 {
                let reason = frame.payload[4..8].try_into().expect("four bytes");
                return Some(u32::from_be_bytes(reason));
            }
        }
    }
}
