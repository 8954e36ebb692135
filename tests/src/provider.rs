//! An OpenID provider on the loopback that grants whatever a claim says, and signs with a key that it draws.
//!
//! It speaks what a relying party asks of one: discovery, keys, tokens for codes; and a logout token for a claim to send. The
//! signature is `openssl`'s, so that nothing of ours vouches for it. Left out: its login page, for which the claim stands, and
//! whatever checks the party's own credentials.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http::{Browser, encode};

/// Longest wait for a byte of a party that has connected.
const SILENCE: Duration = Duration::from_secs(10);

/// How long its tokens hold, in seconds: longer than a claim takes.
const TOKEN_SECONDS: u64 = 600;

/// What the party is called, and by which registration of its own it knows that.
const CLIENT: &str = "sample";
const REGISTRATION: &str = "idp";

/// The same of another client, which the same party is as well.
pub const PARTNER: &str = "partner";

/// The end of a session here, as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Logout<'a> {
    /// To which registration's address.
    pub registration: &'a str,
    /// For which client it is meant.
    pub client: &'a str,
    /// Whose session it was,
    pub user: &'a str,
    /// and which.
    pub sid: &'a str,
}

impl<'a> Logout<'a> {
    /// That of a session which [`Provider::sign_in`] made.
    pub fn of(user: &'a str, sid: &'a str) -> Self {
        Self {
            registration: REGISTRATION,
            client: CLIENT,
            user,
            sid,
        }
    }
}

/// A provider, which serves until its process ends.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    key: PathBuf,
    /// What the next code gives.
    granted: Arc<Mutex<Value>>,
}

impl Provider {
    /// Draws a key, and serves.
    ///
    /// # Errors
    /// When `openssl` is missing, or there is no port.
    pub fn start(directory: &Path) -> Result<Self> {
        let key = directory.join("provider.key");
        openssl(&["genrsa", "-out", &key.display().to_string(), "2048"])?;
        let said = openssl(&["rsa", "-noout", "-modulus", "-in", &key.display().to_string()])?;
        let modulus = String::from_utf8(said)?;
        let modulus = modulus.trim().strip_prefix("Modulus=").context("a modulus")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let provider = Self {
            address: listener.local_addr()?,
            key,
            granted: Arc::new(Mutex::new(Value::Null)),
        };
        let keys = json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "e": "AQAB",
            "n": URL_SAFE_NO_PAD.encode(bytes(modulus)?),
        }]});
        let (known, granted) = (provider.discovery(), Arc::clone(&provider.granted));
        std::thread::spawn(move || {
            for party in listener.incoming().flatten() {
                // A party that breaks off is told of by its own failure.
                let _ = answer(party, |path| match path {
                    "/.well-known/openid-configuration" => known.clone(),
                    "/keys" => keys.clone(),
                    _ => granted.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                });
            }
        });
        Ok(provider)
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn discovery(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "subject_types_supported": ["public"],
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// What a Spring Boot application is told of it, as arguments: both clients, each as a registration with a provider.
    pub fn properties(&self) -> Vec<String> {
        let of = |registration: &str, client: &str| {
            let security = "--spring.security.oauth2.client";
            [
                format!("{security}.registration.{registration}.client-id={client}"),
                format!("{security}.registration.{registration}.client-secret=secret"),
                format!("{security}.registration.{registration}.scope=openid"),
                format!("{security}.provider.{registration}.issuer-uri={}", self.issuer()),
            ]
        };
        [of(REGISTRATION, CLIENT), of(PARTNER, PARTNER)].concat()
    }

    /// Logs a user in at the application below `path`, with a session of his here.
    ///
    /// # Errors
    /// When the application does not send him here, or does not take him.
    pub fn sign_in(&self, at: SocketAddr, path: &str, user: &str, sid: &str) -> Result<Browser> {
        let mut browser = Browser::new(at);
        let sent = browser.get(&format!("{path}/oauth2/authorization/{REGISTRATION}"))?;
        let to = sent.field("location").context("a way to the provider")?;
        let query = to.split_once('?').context("a question")?.1;
        let said = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (state, nonce) = (
            said("state").context("a state")?,
            said("nonce").context("a nonce")?,
        );
        let claims = json!({"sub": user, "sid": sid, "nonce": nonce});
        let granted = json!({
            "access_token": "access", "token_type": "Bearer", "expires_in": TOKEN_SECONDS,
            "id_token": self.token("JWT", CLIENT, claims)?,
        });
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = granted;
        let code = format!("{path}/login/oauth2/code/{REGISTRATION}?code=one&state={state}");
        let back = browser.get(&code)?;
        let to = back.field("location").unwrap_or_default();
        ensure!(
            back.status == 302 && !to.contains("error"),
            "{} to {to}",
            back.status
        );
        Ok(browser)
    }

    /// Tells an application that a session here has ended; gives its answer's status, which is 200 if it takes that.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn log_out(&self, at: SocketAddr, path: &str, told: Logout<'_>) -> Result<u16> {
        let event = "http://schemas.openid.net/event/backchannel-logout";
        let id = format!("of-{}", told.sid);
        let claims = json!({"sub": told.user, "sid": told.sid, "jti": id, "events": {event: {}}});
        let token = self.token("logout+jwt", told.client, claims)?;
        let answer = Browser::new(at).post(
            &format!("{path}/logout/connect/back-channel/{}", told.registration),
            &[("logout_token", &token)],
        )?;
        Ok(answer.status)
    }

    /// Signs claims, with those that every token has.
    #[expect(clippy::disallowed_methods, reason = "tokens hold by the calendar")]
    fn token(&self, kind: &str, client: &str, mut claims: Value) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        claims["iss"] = json!(self.issuer());
        claims["aud"] = json!(client);
        claims["iat"] = json!(now);
        claims["exp"] = json!(now + TOKEN_SECONDS);
        let head = json!({"alg": "RS256", "kid": "one", "typ": kind});
        let parts = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let file = self.key.with_extension("signed");
        std::fs::write(&file, &signed)?;
        let (key, file) = (self.key.display().to_string(), file.display().to_string());
        let signature = openssl(&["dgst", "-sha256", "-sign", &key, &file])?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// What `openssl` writes.
fn openssl(arguments: &[&str]) -> Result<Vec<u8>> {
    let ran = Command::new("openssl").args(arguments).output();
    let ran = ran.context("run openssl: is it installed?")?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    ensure!(
        ran.status.success(),
        "openssl {}: {said}",
        encode(&arguments.join(" "))
    );
    Ok(ran.stdout)
}

/// Bytes from hexadecimal digits.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

/// Reads one request and answers it with a document; one connection for each.
fn answer(party: TcpStream, document: impl Fn(&str) -> Value) -> Result<()> {
    party.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(party);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let field = field.trim().to_ascii_lowercase();
        if let Some(said) = field.strip_prefix("content-length:") {
            length = said.trim().parse()?;
        }
        if field.is_empty() {
            break;
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let body = document(&path).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    reader.get_mut().write_all(format!("{head}{body}").as_bytes())?;
    Ok(())
}
