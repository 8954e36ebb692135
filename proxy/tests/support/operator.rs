//! What an operator says of a pool, as the command line does.

use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{
    ConsoleTokenRequest, DrainMode, DrainRequest, MaintainRequest, MaintenanceWish, OwnPage, PoolStatus,
    ProxyStatusRequest, SetRequest,
};
pub(crate) use remora_proto::v1::{ExplainReply, ExplainRequest};

use super::process::Proxy;

/// What is said.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    /// It is under maintenance for ten minutes, with this page.
    Page(&'a str),
    Off,
    Reset,
}

/// A client of the operators' side there.
macro_rules! connected {
    ($address:expr) => {
        ProxyAdminClient::connect($address)
            .await
            .expect("it answers operators")
    };
}

impl Proxy {
    /// The pool after this was said of it, or why it was refused.
    pub(crate) fn maintain(&self, pool: &str, told: Told<'_>) -> Result<PoolStatus, String> {
        let pool = pool.to_owned();
        let wish = |wish: MaintenanceWish| MaintainRequest {
            pool,
            wish: wish.into(),
            ..MaintainRequest::default()
        };
        let request = match told {
            Told::Page(text) => MaintainRequest {
                retry_after_seconds: 600,
                page: Some(OwnPage {
                    form: "html".to_owned(),
                    text: text.to_owned().into(),
                }),
                ..wish(MaintenanceWish::On)
            },
            Told::Off => wish(MaintenanceWish::Off),
            Told::Reset => wish(MaintenanceWish::Reset),
        };
        self.asked(async |address| {
            let mut admin = connected!(address);
            let answered = admin.maintain(request).await;
            let answered = answered.map_err(|status| status.message().to_owned())?;
            let status = admin.status(ProxyStatusRequest {}).await.expect("a status");
            let pool = answered.into_inner().pool.expect("the pool after the change");
            assert!(status.into_inner().pools.contains(&pool), "as a list shows it");
            Ok(pool)
        })
    }

    /// Why it sends this request where it does.
    pub(crate) fn explain(&self, request: &ExplainRequest) -> ExplainReply {
        self.asked(async |address| {
            let mut admin = connected!(address);
            let explained = admin.explain(request.clone()).await;
            explained.expect("it can be explained").into_inner()
        })
    }

    /// Wishes a state of a route, or says why that was refused.
    pub(crate) fn set(&self, route: &str, state: &str) -> Result<(), String> {
        let request = SetRequest {
            route: route.to_owned(),
            state: Some(state.to_owned()),
            careful: true,
            ..SetRequest::default()
        };
        self.asked(async |address| {
            let mut admin = connected!(address);
            let answered = admin.set(request).await;
            answered.map(drop).map_err(|status| status.message().to_owned())
        })
    }

    /// A token for the console, good for so many seconds; 0 for as long as they are.
    pub(crate) fn console_token(&self, read_only: bool, seconds: u64) -> Result<String, String> {
        self.asked(async |address| {
            let mut admin = connected!(address);
            let answered = admin
                .console_token(ConsoleTokenRequest { read_only, seconds })
                .await;
            let answered = answered.map_err(|status| status.message().to_owned())?;
            Ok(answered.into_inner().token)
        })
    }

    /// Drains a route so that its sessions end in time.
    pub(crate) fn finish(&self, route: &str) {
        let request = DrainRequest {
            route: route.to_owned(),
            mode: DrainMode::Finish.into(),
            ..DrainRequest::default()
        };
        self.asked(async |address| {
            let mut admin = connected!(address);
            let answered = admin.drain(request).await;
            answered.map(drop).expect("the route is known");
        });
    }

    /// What comes of a question to its operators' side.
    fn asked<T>(&self, ask: impl AsyncFnOnce(String) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(ask(format!("http://{}", self.control)))
    }
}
