//! A proxy that is none.

use remora_proto::v1::proxy_admin_server::ProxyAdmin;
use remora_proto::v1::{
    Change, ConsoleTokenReply, ConsoleTokenRequest, DiscoveryStatus, DrainReply, DrainRequest, ExplainReply,
    ExplainRequest, ForeseeReply, ForeseeRequest, LatelyReply, LatelyRequest, MaintainReply, MaintainRequest,
    MaintenanceWish, PoolStatus, ProxyStatus, ProxyStatusRequest, SetRequest, UpstreamStatus,
};
use tonic::{Request, Response, Status};

/// A proxy that knows one route. One of `n7` foresees nothing, as one of an earlier release that stumbles, and is to be told nothing;
/// one of `n5` follows a store that keeps what is wished, one of `n6` such a store that is away, for which it waits a while.
pub(crate) struct Proxy {
    route: &'static str,
}

impl Proxy {
    pub(crate) fn of(route: &'static str) -> Self {
        Self { route }
    }

    fn discovery(&self) -> Option<DiscoveryStatus> {
        ["n5", "n6"].contains(&self.route).then(|| DiscoveryStatus {
            present: self.route == "n5",
            silent_seconds: Some(if self.route == "n5" { 0 } else { 90 }),
            reason: "the store does not answer".into(),
            ..DiscoveryStatus::default()
        })
    }

    fn upstreams(&self) -> Vec<UpstreamStatus> {
        vec![UpstreamStatus {
            pool: "tomcat".into(),
            route: self.route.into(),
            health: "up".into(),
            wished_by: "ada".into(),
            wished_since: 1_795_766_400,
            discovered: self.discovery().is_some(),
            ..UpstreamStatus::default()
        }]
    }

    fn wished(&self, route: &str) -> Result<Response<DrainReply>, Status> {
        if route == self.route {
            return Ok(Response::new(DrainReply {
                upstreams: self.upstreams(),
                ends_with_process: self.discovery().is_none(),
                shared: self.route == "n5",
            }));
        }
        Err(Status::not_found("no pool has an upstream with that route"))
    }
}

#[tonic::async_trait]
impl ProxyAdmin for Proxy {
    async fn lately(&self, request: Request<LatelyRequest>) -> Result<Response<LatelyReply>, Status> {
        assert_eq!(request.into_inner().after, 0, "it is asked once");
        let change = |number, kind: &str, why: &str, who: &str| Change {
            number,
            at_ms: 1_795_766_400_000 + number,
            kind: kind.into(),
            of: self.route.into(),
            what: format!("{} is down", self.route),
            why: why.into(),
            who: who.into(),
        };
        Ok(Response::new(LatelyReply {
            changes: vec![
                change(1, "belief", "connection refused", ""),
                change(2, "wish", "", "ada"),
            ],
            missed: false,
        }))
    }

    /// That of `n7` has no console.
    async fn console_token(
        &self,
        request: Request<ConsoleTokenRequest>,
    ) -> Result<Response<ConsoleTokenReply>, Status> {
        let ConsoleTokenRequest { read_only, seconds } = request.into_inner();
        if self.route == "n7" {
            return Err(Status::failed_precondition("this proxy has no console"));
        }
        Ok(Response::new(ConsoleTokenReply {
            token: if read_only { "looks" } else { "operates" }.into(),
            seconds,
            path: "/console/".into(),
        }))
    }

    async fn status(&self, _: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        Ok(Response::new(ProxyStatus {
            upstreams: self.upstreams(),
            discovery: self.discovery(),
            ..ProxyStatus::default()
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let request = request.into_inner();
        assert!(request.careful || request.route == "n8", "nobody has said yes");
        assert!(self.route != "n7", "it has not said what this takes");
        if self.route == "n6" {
            super::slowly().await;
        }
        let mut reply = self.wished(&request.route)?;
        let drained = reply.get_mut().upstreams.iter_mut();
        drained.for_each(|upstream| upstream.draining = true);
        Ok(reply)
    }

    /// Nobody has drained `n5` but at its own proxy.
    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let route = request.into_inner().route;
        if route == "n5" && self.route != "n5" {
            return Err(Status::failed_precondition(
                "n5: not drained, and nothing was changed",
            ));
        }
        self.wished(&route)
    }

    async fn set(&self, request: Request<SetRequest>) -> Result<Response<DrainReply>, Status> {
        self.wished(&request.into_inner().route)
    }

    /// Every wish of `n8` takes the last from somewhere.
    async fn foresee(&self, request: Request<ForeseeRequest>) -> Result<Response<ForeseeReply>, Status> {
        use remora_proto::v1::foresee_request::Wish;
        if self.route == "n7" {
            return Err(Status::unavailable("it stumbled"));
        }
        let route = match request.into_inner().wish {
            Some(Wish::Drain(request)) => request.route,
            Some(Wish::Set(request)) => request.route,
            None => String::new(),
        };
        self.wished(&route)?;
        let emptied = (route == "n8").then(|| "this takes the last".to_owned());
        Ok(Response::new(ForeseeReply {
            emptied: emptied.into_iter().collect(),
        }))
    }

    /// Everything goes to the route that it knows.
    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        let request = request.into_inner();
        Ok(Response::new(ExplainReply {
            pick: "moved".to_owned(),
            route: self.route.to_owned(),
            target: request.target,
            because: vec![format!("{} and {}", request.session.len(), request.cookies.len())],
            ..ExplainReply::default()
        }))
    }

    /// Knows the pool `tomcat`, which is open, and shows what was said of it.
    async fn maintain(&self, request: Request<MaintainRequest>) -> Result<Response<MaintainReply>, Status> {
        let request = request.into_inner();
        if request.pool != "tomcat" {
            return Err(Status::not_found("there is no pool with that name"));
        }
        let request_is_on = request.wish() == MaintenanceWish::On;
        let page = request.page.as_ref().map_or(0, |page| page.text.len());
        let pool = PoolStatus {
            maintenance: request_is_on,
            retry_after_seconds: request.retry_after_seconds,
            page_bytes: u64::try_from(page).expect("it is small"),
            wished: true,
            by: request.page.map_or_else(String::new, |page| page.form),
            since: 1_795_766_400,
            pool: request.pool,
            ..PoolStatus::default()
        };
        Ok(Response::new(MaintainReply {
            pool: Some(pool),
            ends_with_process: true,
            unchanged: !request_is_on,
            shared: false,
        }))
    }
}
