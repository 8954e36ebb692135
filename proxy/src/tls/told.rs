//! What an upstream is told of the TLS of a client's connection, as fields; made once for a connection.
//!
//! RFC 9440 has the certificate as bytes in base64 between colons. Tomcat's SSLValve reads it in PEM with spaces in place of the
//! line ends, as httpd and nginx send it, and the suite by the name that Java has for it.
//!
//! Left out on purpose: an id of the session (`SSL_SESSION_ID`), which TLS 1.3 has none of and nobody may lean on.

use std::fmt::Write;
use std::rc::Rc;

use base64::prelude::{BASE64_STANDARD, Engine};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::config::ToldCertificate;

/// Characters in a line of PEM.
const LINE: usize = 64;

/// Fields that tell of a client's TLS, names in lower case. All requests of a connection share them.
pub(crate) type SecuredFields = Rc<[(&'static str, String)]>;

/// The fields for this connection.
pub(super) fn fields(stream: &TlsStream<TcpStream>, told: ToldCertificate) -> SecuredFields {
    let (_, secured) = stream.get_ref();
    let chain = secured.peer_certificates().unwrap_or_default();
    let suite = secured.negotiated_cipher_suite();
    let suite = suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let mut fields = Vec::new();
    if told.rfc9440 {
        fields.extend(rfc9440(chain));
    }
    if told.sslvalve {
        fields.extend(sslvalve(chain, suite));
    }
    fields.into()
}

/// The certificate, and those behind it.
fn rfc9440(chain: &[CertificateDer<'_>]) -> Vec<(&'static str, String)> {
    let item = |certificate: &CertificateDer<'_>| format!(":{}:", BASE64_STANDARD.encode(certificate));
    let mut fields = Vec::new();
    if let Some((own, others)) = chain.split_first() {
        fields.push(("client-cert", item(own)));
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(item).collect();
            fields.push(("client-cert-chain", others.join(", ")));
        }
    }
    fields
}

/// The certificate in one line, and the suite with the length of its keys.
fn sslvalve(chain: &[CertificateDer<'_>], suite: &str) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(own) = chain.first() {
        fields.push(("ssl_client_cert", in_one_line(own)));
    }
    // rustls marks those of TLS 1.3.
    fields.push(("ssl_cipher", suite.replacen("TLS13_", "TLS_", 1)));
    let bits = if suite.contains("_128_") { "128" } else { "256" };
    fields.push(("ssl_cipher_usekeysize", bits.to_owned()));
    fields
}

fn in_one_line(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let mut line = "-----BEGIN CERTIFICATE-----".to_owned();
    let mut rest = &*text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(LINE));
        // Writing to a String cannot fail.
        let _ = write!(line, " {piece}");
        rest = behind;
    }
    line + " -----END CERTIFICATE-----"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_as_each_reader_has_it() {
        let chain = [vec![7_u8; 60], vec![1; 3], vec![2; 3]].map(CertificateDer::from);
        let line = "BwcH".repeat(16);
        assert_eq!(
            rfc9440(&chain),
            [
                ("client-cert", format!(":{line}{}:", "BwcH".repeat(4))),
                ("client-cert-chain", ":AQEB:, :AgIC:".to_owned())
            ]
        );
        assert_eq!(rfc9440(&chain[..1]).len(), 1);
        let pem = format!(
            "-----BEGIN CERTIFICATE----- {line} {} -----END CERTIFICATE-----",
            "BwcH".repeat(4)
        );
        assert_eq!(
            sslvalve(&chain, "TLS13_CHACHA20_POLY1305_SHA256"),
            [
                ("ssl_client_cert", pem),
                ("ssl_cipher", "TLS_CHACHA20_POLY1305_SHA256".to_owned()),
                ("ssl_cipher_usekeysize", "256".to_owned())
            ]
        );
        assert_eq!(sslvalve(&[], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")[1].1, "128");
        assert!(rfc9440(&[]).is_empty());
    }
}
