//! Fields by which a front vouches for its client: who it is, where it comes from, with which certificate.
//!
//! Servers and applications believe them without asking who wrote them (Tomcat's SSLValve the certificate, many an
//! application the address), so they pass only from a peer that is trusted.
//!
//! Left out on purpose: fields of one site's own front. Its owner unsets them by a rule (see `rules`).

use super::names::{has_prefix, same_name};

/// How the names of whole families begin: `X-Forwarded-For` and its kin; what httpd's mod_ssl (SSLValve's fields among
/// them), nginx's and HAProxy's recipes call the certificate, RFC 9440's fields; users that a gateway signed in.
const PREFIXES: [&[u8]; 9] = [
    b"x-forwarded-",
    b"ssl-",
    b"x-ssl-",
    b"client-cert",
    b"x-client-cert",
    b"x-arr-",
    b"x-amzn-oidc-",
    b"x-auth-request-",
    b"x-remote-",
];

/// The others: addresses as CDNs and balancers write them, https as Microsoft's fronts say it, another host or path than
/// the request's, the signed-in user.
const NAMES: [&[u8]; 18] = [
    b"forwarded",
    b"x-real-ip",
    b"true-client-ip",
    b"client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-original-forwarded-for",
    b"x-envoy-external-address",
    b"cf-connecting-ip",
    b"fastly-client-ip",
    b"x-azure-clientip",
    b"front-end-https",
    b"x-url-scheme",
    b"x-original-host",
    b"x-original-url",
    b"x-rewrite-url",
    b"remote-user",
    b"proxy-user",
];

/// Whether a field tells a server who the client is. An underscore counts as a hyphen.
pub(super) fn tells_of_client(name: &[u8]) -> bool {
    NAMES.iter().any(|known| same_name(name, known)) || PREFIXES.iter().any(|prefix| has_prefix(name, prefix))
}
