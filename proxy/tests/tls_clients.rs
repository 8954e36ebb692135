//! TLS towards clients, and who they are: their certificates, whom a balancer brings, who comes in clear, who comes to a successor.

mod support;

use std::sync::Arc;

use rustls::HandshakeKind;
use support::process::{Config, Proxy};
use support::tls::{Certificates, refused, shop, visit};
use support::upstream::Upstream;
use support::wait_until;

/// The fields that told the last request's upstream of its client's certificate.
fn told(upstream: &Upstream) -> Vec<(String, String)> {
    let seen = upstream.seen().pop().expect("a request");
    let mut fields = seen.fields;
    fields.retain(|(name, _)| {
        name.starts_with("client-cert") || name.starts_with("ssl_") || name.starts_with("x-ssl")
    });
    fields
}

/// What a client says of itself that shows no certificate.
const FORGED: &str = "Client-Cert: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\nSSL_CLIENT_CERT: forged\r\nSSL_CIPHER: x\r\n\
                      ssl_session_id: x\r\nSSL-CIPHER-USEKEYSIZE: 1\r\nX-SSL-Client-Cert: forged\r\n";

#[test]
fn upstreams_are_told_of_client_certificates_and_believe_nobody_else() {
    let upstream = Upstream::named("tomcat");
    let certificates = Certificates::draw();
    certificates.issue("shop", &["shop.test"]);
    certificates.issue("ada", &["ada.test"]);
    let (pair, authority) = (certificates.pair("shop"), certificates.file("authority.pem"));
    let line = |more: &str| format!("tls = {{ {pair}, clients = {{ authority = {authority:?}{more} }} }}");
    let base = Config::new(&[&upstream]).top("trust = [\"127.0.0.1\"]");
    let told_all = line(", fields = [\"rfc9440\", \"sslvalve\"]");
    let proxy = Proxy::start(&base.clone().listen(&told_all));
    let ada = Arc::new(certificates.showing("ada"));

    let mut client = visit(&proxy, &ada);
    assert_eq!(client.get("/", FORGED).status, 200);
    let pem = std::fs::read_to_string(certificates.file("ada.pem")).unwrap();
    let lines: Vec<&str> = pem.lines().collect();
    let text = lines[1..lines.len() - 1].concat();
    let expected = [
        ("client-cert", format!(":{text}:")),
        ("ssl_client_cert", lines.join(" ")),
        ("ssl_cipher", "TLS_AES_256_GCM_SHA384".to_owned()),
        ("ssl_cipher_usekeysize", "256".to_owned()),
    ];
    assert_eq!(
        told(&upstream),
        expected.map(|(name, value)| (name.to_owned(), value))
    );

    // Nobody resumes here: each certificate is verified anew.
    assert_eq!(
        visit(&proxy, &ada).secured().handshake_kind(),
        Some(HandshakeKind::Full)
    );

    let mut nobody = visit(&proxy, &certificates.client());
    assert_eq!(nobody.get("/", FORGED).status, 200);
    let names: Vec<String> = told(&upstream).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ssl_cipher", "ssl_cipher_usekeysize"]);

    let silent = Proxy::start(&base.clone().listen(&line("")));
    assert_eq!(visit(&silent, &ada).get("/", FORGED).status, 200);
    assert_eq!(told(&upstream), []);

    let strict = Proxy::start(&base.listen(&line(", required = true")));
    assert_eq!(visit(&strict, &ada).get("/", "").status, 200);
    let stranger = Certificates::draw();
    stranger.issue("eve", &["eve.test"]);
    for config in [
        certificates.client(),
        Arc::new(certificates.trusting_showing(&stranger, "eve")),
    ] {
        let refused = strict.client().secure(&config, "shop.test");
        // With TLS 1.3 the client is told behind its own end of the handshake.
        assert!(refused.is_err() || refused.is_ok_and(|mut client| !client.keeps_asking()));
    }
    assert_eq!(refused(&strict, "it shows no certificate"), 1.0);
    assert_eq!(refused(&strict, "its certificate is of another authority"), 1.0);
}

#[test]
fn clients_in_clear_are_sent_to_https() {
    let upstream = Upstream::named("tomcat");
    let line = "redirect = { port = 8443, except = [\"/.well-known/acme-challenge\"] }";
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("400.html");
    std::fs::write(&page, "page of the owner").unwrap();
    let pages = format!("[pages]\nbad_request = {page:?}");
    let proxy = Proxy::start(&Config::new(&[&upstream]).listen(line).table(&pages));
    let mut client = proxy.client();
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)] {
        let fields = "X-Forwarded-Host: evil.test\r\nCookie: JSESSIONID=A.n1\r\n";
        let answer = client.request(method, "/shop?a=b", fields, "");
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(answer.field("location"), Some("https://shop:8443/shop?a=b"));
        assert!(answer.field("x-request-id").is_some() && answer.field("set-cookie").is_none());
        assert!(!answer.text().contains("page of the owner"), "nothing went wrong");
    }
    assert!(upstream.seen().is_empty());
    assert_eq!(
        client.get("/.well-known/acme-challenge/token", "").text(),
        "tomcat"
    );
    client.send("GET / HTTP/1.0\r\n\r\n");
    let unnamed = client.response();
    assert_eq!(
        (unnamed.status, unnamed.text().as_str()),
        (400, "page of the owner")
    );
    let figure = "remora_proxy_own_answers_total{pool=\"\",status=\"308\",reason=\"https\"}";
    wait_until("they are counted", || proxy.figure(figure) == Some(2.0));
}

#[test]
fn a_balancer_names_its_client_in_front_of_the_handshake() {
    let upstream = Upstream::named("tomcat");
    let base = Config::new(&[&upstream]).listen("proxy_protocol = [\"127.0.0.1\"]");
    let (certificates, proxy) = shop(&base);
    let mut client = proxy.client();
    client.send("PROXY TCP4 192.0.2.9 192.0.2.1 40000 443\r\n");
    let mut client = client.secure(&certificates.client(), "shop.test").unwrap();
    assert_eq!(client.get("/", "").status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.field("x-forwarded-for"), Some("192.0.2.9"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
}

#[test]
fn a_successor_speaks_tls_at_the_same_address() {
    let upstream = Upstream::named("tomcat");
    let (certificates, mut proxy) = shop(&Config::new(&[&upstream]));
    let config = certificates.client();
    assert_eq!(visit(&proxy, &config).get("/", "").status, 200);
    proxy.replace();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut client = visit(&proxy, &config);
        assert_eq!(client.get("/", "").status, 200);
        assert_eq!(
            client.secured().handshake_kind(),
            Some(expected),
            "its tickets are its own"
        );
    }
}
