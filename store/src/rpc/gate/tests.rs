//! Who comes as far as a service, and who is believed to forward for whom. Seen failing with the gate's question to `browsers` taken out.

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

/// Answers whatever comes as far.
#[derive(Clone)]
struct Behind;

impl Service<http::Request<Body>> for Behind {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(http::Response::new(Body::empty())))
    }
}

#[tokio::test]
async fn what_a_web_page_makes_a_browser_send_comes_to_no_service() {
    let status = async |fields: &[(&str, &str)]| {
        let request = http::Request::post("/remora.v1.StoreAdmin/KillMatching");
        let request = fields
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        let mut gate = Gate::new(Behind, None);
        let answered = gate.call(request.body(Body::empty()).unwrap()).await;
        answered.unwrap().status().as_u16()
    };
    let grpc = ("content-type", "application/grpc");
    assert_eq!(status(&[grpc]).await, 200, "gRPC, whatever it says then");
    assert_eq!(status(&[]).await, 415);
    assert_eq!(status(&[("content-type", "text/plain")]).await, 415);
    assert_eq!(status(&[grpc, ("origin", "http://evil.example")]).await, 403);
    assert_eq!(status(&[grpc, ("sec-fetch-site", "same-origin")]).await, 403);
}
