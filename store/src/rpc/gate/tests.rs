//! Who is believed to forward for whom.

use remora_process::tls::Pattern;

use super::*;

/// This store's cluster.
const OURS: &str = "00000000c1057e12";

fn forwarded(caller: &Caller, cluster: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // What a client might have put there.
    headers.insert(ROLES, HeaderValue::from_static("remora://admin"));
    speak_for(&mut headers, Some(caller), cluster);
    headers
}

fn peer(node: u64) -> Caller {
    Caller::with_roles("n", vec![Role::Peer(node)])
}

fn believed(headers: &HeaderMap, peer: &Caller) -> Result<Caller, v1::Refusal> {
    on_behalf(headers, peer, OURS, |node| node <= 3)
}

#[test]
fn a_member_of_this_cluster_is_believed_word_for_word() {
    for caller in [
        Caller::with_roles("Ada Größe, ops", vec![Role::Admin, Role::Reader]),
        Caller::with_roles("t1", vec![Role::Adapter(Pattern::new("a:*/shop##*"))]),
        Caller::with_roles("none", Vec::new()),
    ] {
        let headers = forwarded(&caller, OURS);
        assert_eq!(believed(&headers, &peer(2)).unwrap(), caller);
    }
}

#[test]
fn whoever_is_not_of_this_cluster_is_not() {
    let admin = Caller::with_roles("ada", vec![Role::Admin]);
    for (headers, by) in [
        (forwarded(&admin, "00000000deadbeef"), peer(2)),
        (forwarded(&admin, OURS), peer(4)),
        (HeaderMap::new(), peer(2)),
    ] {
        let refused = believed(&headers, &by).unwrap_err();
        assert_eq!(refused.reason(), Reason::Forbidden, "{by}");
    }
}

#[test]
fn what_a_client_says_of_itself_goes_no_further() {
    let mut headers = HeaderMap::new();
    headers.insert(ROLES, HeaderValue::from_static("remora://admin"));
    headers.insert(CLUSTER, HeaderValue::from_static(OURS));
    speak_for(&mut headers, Some(&Caller::anybody()), OURS);
    assert!(headers.get(ROLES).is_none() && headers.get(CLUSTER).is_none());
    assert!(headers.contains_key(FORWARDED));
}
