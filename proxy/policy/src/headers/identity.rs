//! Fields by which a front vouches for its client: who it is, where it comes from, with which certificate.
//!
//! Servers and applications believe them without asking who wrote them (Tomcat's SSLValve the certificate, many an
//! application the address), so they pass only from a peer that is trusted; what tells of TLS that ends here, from nobody.
//!
//! Left out on purpose: fields of one site's own front. Its owner unsets them by a rule (see `rules`).

use super::names::{has_prefix, initial, is_same_as_any, same_name};

/// How the names of whole families with an X begin: `X-Forwarded-For` and its kin, the certificate as nginx's and HAProxy's
/// recipes call it, users that a gateway signed in.
const X_PREFIXES: [&[u8]; 7] = [
    b"x-forwarded-",
    b"x-ssl-",
    b"x-client-cert",
    b"x-arr-",
    b"x-amzn-oidc-",
    b"x-auth-request-",
    b"x-remote-",
];

/// The others with an X: addresses as CDNs and balancers write them, another host or path than the request's.
const X_NAMES: [&[u8]; 10] = [
    b"x-real-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-original-forwarded-for",
    b"x-envoy-external-address",
    b"x-azure-clientip",
    b"x-url-scheme",
    b"x-original-host",
    b"x-original-url",
    b"x-rewrite-url",
];

/// Whether a field tells a server of a client's certificate, or of its TLS. Where TLS ends here nobody else can know them.
pub(super) fn tells_of_certificate(name: &[u8]) -> bool {
    match initial(name) {
        b'x' => [
            &b"x-ssl-"[..],
            b"x-client-cert",
            b"x-forwarded-client-cert",
            b"x-forwarded-tls-client-cert",
        ]
        .iter()
        .any(|prefix| has_prefix(name, prefix)),
        b'c' => has_prefix(name, b"client-cert"),
        b's' => has_prefix(name, b"ssl-"),
        _ => false,
    }
}

/// Whether a field tells a server who the client is. An underscore counts as a hyphen. Asked of every field, and nearly all
/// are told apart by their first letter.
pub(super) fn tells_of_client(name: &[u8]) -> bool {
    match initial(name) {
        b'x' => is_same_as_any(name, &X_NAMES) || X_PREFIXES.iter().any(|prefix| has_prefix(name, prefix)),
        // Addresses, and the certificate as RFC 9440 names it.
        b'c' => {
            is_same_as_any(name, &[b"client-ip", b"cf-connecting-ip"]) || has_prefix(name, b"client-cert")
        }
        // What httpd's mod_ssl calls the certificate; SSLValve's fields are among them.
        b's' => has_prefix(name, b"ssl-"),
        // Addresses, and https as Microsoft's fronts say it.
        b'f' => is_same_as_any(name, &[b"forwarded", b"fastly-client-ip", b"front-end-https"]),
        b't' => same_name(name, b"true-client-ip"),
        // The signed-in user.
        b'r' => same_name(name, b"remote-user"),
        b'p' => same_name(name, b"proxy-user"),
        _ => false,
    }
}
