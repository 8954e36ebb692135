//! A small browser over blocking sockets: cookies, forms, heads and bodies exactly as they came.
//!
//! One connection per request unless the caller keeps one, so that a claim never depends on which connection a pool
//! picked. Redirects are not
//! followed unless asked for. An answer that was cut is an answer with `complete == false`, never an error: claims
//! about cut answers need to see it. Left out: TLS, HTTP/2, compression.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest wait for any byte: longer than every limit inside the system, so that a hang shows as one.
const SILENCE: Duration = Duration::from_secs(30);

/// What is read at once of an answer on a kept connection, in bytes: most answers are shorter.
const PIECE_BYTES: usize = 16 * 1024;

/// More redirects than any application of ours needs.
const REDIRECTS_MAX: usize = 5;

/// One answer, as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Body, without chunk framing.
    pub body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub complete: bool,
    /// From the first byte of the connection attempt to the last byte read.
    pub took: Duration,
}

impl Answer {
    /// First field of that name (lower case).
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// All fields of that name (lower case).
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to ask.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Fields beside Host, Connection, Cookie and Content-Length.
    pub fields: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A GET.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    /// A POST of form fields.
    pub fn form(path: &str, form: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let fields = vec![(
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )];
        Self {
            method: "POST".to_owned(),
            path: path.to_owned(),
            fields,
            body: Some(pairs.join("&").into_bytes()),
        }
    }
}

/// A name=value pair as a query or form writes it.
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// A user agent with a cookie jar. Cloning it makes a second window of the same user.
#[derive(Clone, Debug)]
pub struct Browser {
    origin: SocketAddr,
    cookies: Vec<Cookie>,
}

impl Browser {
    /// A browser without cookies that talks to `origin`.
    pub fn new(origin: SocketAddr) -> Self {
        Self {
            origin,
            cookies: Vec::new(),
        }
    }

    /// The same user at another address: past the proxy, say.
    pub fn at(&self, origin: SocketAddr) -> Self {
        Self {
            origin,
            cookies: self.cookies.clone(),
        }
    }

    /// Where it talks to.
    pub fn origin(&self) -> SocketAddr {
        self.origin
    }

    /// Value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|cookie| cookie.name == name)
            .map(|cookie| cookie.value.as_str())
    }

    /// Plants or replaces a cookie.
    pub fn set_cookie(&mut self, name: &str, value: &str, path: &str) {
        self.cookies
            .retain(|cookie| cookie.name != name || cookie.path != path);
        let (name, value, path) = (name.to_owned(), value.to_owned(), path.to_owned());
        self.cookies.push(Cookie { name, value, path });
    }

    /// Forgets a cookie.
    pub fn drop_cookie(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// GET.
    ///
    /// # Errors
    /// When no head came.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(&Request::get(path))
    }

    /// POST of a form.
    ///
    /// # Errors
    /// When no head came.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        self.send(&Request::form(path, form))
    }

    /// Sends a request, then follows redirects with GET as browsers do after a POST.
    ///
    /// # Errors
    /// When no head came, or when redirects do not end.
    pub fn follow(&mut self, request: &Request) -> Result<Answer> {
        let mut answer = self.send(request)?;
        let mut path = request.path.clone();
        for _ in 0..REDIRECTS_MAX {
            if !matches!(answer.status, 301..=303 | 307) {
                return Ok(answer);
            }
            path = resolve(
                &path,
                answer.field("location").context("a redirect without Location")?,
            );
            answer = self.get(&path)?;
        }
        bail!("more than {REDIRECTS_MAX} redirects, the last to {path}")
    }

    /// Sends one request and keeps the cookies of the answer.
    ///
    /// # Errors
    /// When no head came: refused, cut before the head, silence.
    pub fn send(&mut self, request: &Request) -> Result<Answer> {
        let started = Instant::now();
        let mut connection = self.open(request)?;
        let mut bytes = Vec::new();
        let ended = connection.read_to_end(&mut bytes);
        let asked = format!("{} {} at {}", request.method, request.path, self.origin);
        let Some(answer) = parse(&bytes, ended.is_ok(), started.elapsed()) else {
            match ended {
                Ok(_) => bail!("{asked}: the connection ended without an answer"),
                Err(error) => bail!("{asked}: no answer: {error}"),
            }
        };
        for set in answer.all("set-cookie") {
            self.keep(set);
        }
        Ok(answer)
    }

    /// Sends one request over the connection that `kept` holds, or over a new one, and keeps it if the answer lets it.
    ///
    /// # Errors
    /// When no head came.
    pub fn send_kept(&mut self, request: &Request, kept: &mut Option<TcpStream>) -> Result<Answer> {
        let started = Instant::now();
        let mut connection = match kept.take() {
            Some(mut connection) => {
                connection.write_all(&self.bytes(request, "keep-alive"))?;
                connection
            }
            None => self.connect(&self.bytes(request, "keep-alive"))?,
        };
        let mut bytes = Vec::new();
        let mut piece = [0; PIECE_BYTES];
        loop {
            let read = connection.read(&mut piece).unwrap_or(0);
            bytes.extend_from_slice(&piece[..read]);
            let answer = parse(&bytes, read == 0, started.elapsed());
            if let Some(mut answer) = answer {
                answer.complete |= request.method == "HEAD" || [204, 304].contains(&answer.status);
                if answer.complete || read == 0 {
                    let closes = answer.field("connection").is_some_and(|word| word == "close");
                    *kept = (answer.complete && read > 0 && !closes).then_some(connection);
                    for set in answer.all("set-cookie") {
                        self.keep(set);
                    }
                    return Ok(answer);
                }
            } else if read == 0 {
                bail!(
                    "{} {} at {}: no answer",
                    request.method,
                    request.path,
                    self.origin
                );
            }
        }
    }

    /// Sends one request and leaves the reading to the caller, who watches when bytes come.
    ///
    /// # Errors
    /// When the connection is refused or cut.
    pub fn open(&self, request: &Request) -> Result<TcpStream> {
        self.connect(&self.bytes(request, "close"))
    }

    /// Sends a request that asks for another protocol, and leaves the rest to the caller.
    ///
    /// # Errors
    /// When the connection is refused or cut.
    pub fn upgrade(&self, request: &Request) -> Result<TcpStream> {
        self.connect(&self.bytes(request, "Upgrade"))
    }

    fn connect(&self, bytes: &[u8]) -> Result<TcpStream> {
        let connect = || format!("connect to {}", self.origin);
        let mut connection = TcpStream::connect_timeout(&self.origin, SILENCE).with_context(connect)?;
        connection.set_read_timeout(Some(SILENCE))?;
        connection.set_write_timeout(Some(SILENCE))?;
        connection.set_nodelay(true)?;
        connection
            .write_all(bytes)
            .with_context(|| format!("write to {}", self.origin))?;
        Ok(connection)
    }

    fn bytes(&self, request: &Request, connection: &str) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n",
            request.method, request.path
        );
        let sent: Vec<String> = (self.cookies.iter())
            .filter(|cookie| request.path.starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !sent.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", sent.join("; ")));
        }
        for (name, value) in &request.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &request.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(request.body.iter().flatten());
        bytes
    }

    fn keep(&mut self, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut path = "/".to_owned();
        let mut ended = false;
        for part in parts {
            let (attribute, argument) = part.split_once('=').unwrap_or((part, ""));
            match attribute.to_ascii_lowercase().as_str() {
                "path" => path = argument.to_owned(),
                "max-age" => ended = argument == "0",
                _ => {}
            }
        }
        self.cookies
            .retain(|cookie| cookie.name != name || cookie.path != path);
        if !ended {
            self.cookies.push(Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                path,
            });
        }
    }
}

/// The path that `location` means, seen from `path`.
pub fn resolve(path: &str, location: &str) -> String {
    if let Some((_, rest)) = location.split_once("://") {
        return rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned();
    }
    if location.starts_with('/') {
        return location.to_owned();
    }
    let plain = path.split('?').next().unwrap_or(path);
    let directory = plain.rfind('/').map_or("/", |slash| &plain[..=slash]);
    format!("{directory}{}", location.trim_start_matches("./"))
}

/// Reads an answer out of all bytes of a connection; `ended` says whether the connection was closed in order.
fn parse(bytes: &[u8], ended: bool, took: Duration) -> Option<Answer> {
    let mut rest = bytes;
    loop {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 4..];
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        if (100..200).contains(&status) {
            continue;
        }
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            fields,
            body: Vec::new(),
            complete: true,
            took,
        };
        (answer.body, answer.complete) = body(&answer, rest, ended);
        return Some(answer);
    }
}

fn body(answer: &Answer, rest: &[u8], ended: bool) -> (Vec<u8>, bool) {
    if answer
        .field("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        return unchunk(rest);
    }
    match answer
        .field("content-length")
        .and_then(|length| length.parse::<usize>().ok())
    {
        Some(length) => (rest[..rest.len().min(length)].to_vec(), rest.len() >= length),
        None => (rest.to_vec(), ended),
    }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let Ok(length) = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16) else {
            return (body, false);
        };
        rest = &rest[end + 2..];
        if length == 0 {
            return (body, true);
        }
        if rest.len() < length + 2 {
            body.extend_from_slice(&rest[..rest.len().min(length)]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_chunked_answer_is_not_complete() {
        let whole = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let answer = parse(whole, true, Duration::ZERO).unwrap();
        assert!(answer.complete && answer.body == b"abc");
        let cut = parse(&whole[..whole.len() - 6], true, Duration::ZERO).unwrap();
        assert!(!cut.complete && cut.body == b"abc");
    }

    #[test]
    fn a_short_body_is_not_complete() {
        let answer = parse(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            true,
            Duration::ZERO,
        )
        .unwrap();
        assert!(!answer.complete);
    }

    #[test]
    fn relative_and_absolute_redirects_resolve() {
        assert_eq!(resolve("/shop/cart.jsp?x=1", "./"), "/shop/");
        assert_eq!(
            resolve("/shop/cart.jsp", "http://localhost:8080/shop/a?b"),
            "/shop/a?b"
        );
        assert_eq!(resolve("/shop/", "/other"), "/other");
    }

    #[test]
    fn cookies_are_kept_replaced_and_ended() {
        let mut browser = Browser::new("127.0.0.1:1".parse().unwrap());
        browser.keep("JSESSIONID=1.n1; Path=/shop; HttpOnly");
        browser.keep("JSESSIONID=2.n2; Path=/shop");
        assert_eq!(browser.cookie("JSESSIONID"), Some("2.n2"));
        browser.keep("JSESSIONID=; Path=/shop; Max-Age=0");
        assert_eq!(browser.cookie("JSESSIONID"), None);
    }
}
