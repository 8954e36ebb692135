//! What an operator says of a pool, as the command line does.

use remora_proto::v1::proxy_admin_client::ProxyAdminClient;
use remora_proto::v1::{MaintainRequest, MaintenanceWish, OwnPage, PoolStatus, ProxyStatusRequest};

use super::process::Proxy;

/// What is said.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    /// It is under maintenance for ten minutes, with this page.
    Page(&'a str),
    Off,
    Reset,
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let address = format!("http://{}", self.control);
        runtime.block_on(async {
            let mut admin = ProxyAdminClient::connect(address)
                .await
                .expect("it answers operators");
            let answered = admin.maintain(request).await;
            let answered = answered.map_err(|status| status.message().to_owned())?;
            let status = admin.status(ProxyStatusRequest {}).await.expect("a status");
            let pool = answered.into_inner().pool.expect("the pool after the change");
            assert!(status.into_inner().pools.contains(&pool), "as a list shows it");
            Ok(pool)
        })
    }
}
