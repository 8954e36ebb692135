//! A browser at the console of a proxy, as far as the console can tell it from one.
//!
//! Every answer is seen to forbid frames and foreign scripts, whatever was asked.

use super::client::{Client, Response};
use super::process::Proxy;
use super::tls::Speaking;

/// A browser at the console of a proxy.
pub(crate) struct Browser {
    pub(crate) proxy: std::net::SocketAddr,
    pub(crate) host: String,
    pub(crate) tls: Option<Speaking>,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl Browser {
    pub(crate) fn new(proxy: &Proxy) -> Self {
        Self {
            proxy: proxy.control,
            host: proxy.control.to_string(),
            tls: None,
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let client = Client::connect(self.proxy);
        match &self.tls {
            Some(tls) => client.secure(tls, "127.0.0.1").expect("a handshake"),
            None => client,
        }
    }

    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// A request with exactly these field lines beside the host, the cookie and the length.
    pub(crate) fn send(&self, client: &mut Client, method: &str, path: &str, fields: &str, body: &str) {
        let (host, cookie, length) = (&self.host, &self.cookie, body.len());
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
        ));
    }

    pub(crate) fn asked(&self, method: &str, path: &str, fields: &str, body: &str) -> Response {
        let mut client = self.client();
        self.send(&mut client, method, path, fields, body);
        let answer = client.response_to(method);
        let policy = answer.field("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'"),
            "{path}: {}",
            answer.head
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        answer
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.asked("GET", &format!("/console/api/{path}"), "", "")
    }

    /// As the page does it.
    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        let fields = format!(
            "Origin: {}\r\nContent-Type: application/json\r\nX-Remora-Csrf: {}\r\n",
            self.origin(),
            self.csrf
        );
        self.asked("POST", &format!("/console/api/{path}"), &fields, body)
    }

    pub(crate) fn login(&mut self, token: &str) -> Response {
        let answer = self.post("login", &format!(r#"{{"token":"{token}"}}"#));
        self.take(&answer);
        answer
    }

    /// What a login gives.
    pub(crate) fn take(&mut self, answer: &Response) {
        if let Some(cookie) = answer.field("set-cookie") {
            assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Path=/console;"));
            assert_eq!(cookie.contains("Secure"), self.tls.is_some());
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
            self.csrf = json(answer)["csrf"].as_str().expect("a word").to_owned();
        }
    }
}

pub(crate) fn json(answer: &Response) -> serde_json::Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}
