//! What is said in place of upstreams, as the directory publishes it: an owner's pages, and which pools are under maintenance.
//!
//! Invariant: what holds of a pool is derived from the file and the wishes, never from what held before.
//!
//! Left out on purpose: what clients get (`answer`), and where wishes are kept (`control`).

use std::net::IpAddr;
use std::sync::Arc;

use remora_policy::{Maintenance, Maintenances, Page};
use tracing::info;

use super::{Directory, Snapshot};
use crate::config::{MaintenanceConfig, Pages, PoolConfig};

/// What is said in place of the upstreams of one pool, and what the file says of it besides.
#[derive(Clone)]
pub(crate) struct InPlace {
    /// Its pages.
    pub(crate) pages: Arc<Pages>,
    /// What the file says of its maintenance.
    pub(super) configured: Arc<MaintenanceConfig>,
    /// Present while it is under maintenance.
    pub(crate) notice: Option<Notice>,
    /// Whether the pool asks who announced himself.
    pub(crate) discovers: bool,
}

/// What clients are told of a maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// None where a sentence must do.
    pub(crate) page: Option<Page>,
    /// When they may ask again, in seconds.
    pub(crate) retry_after: u32,
}

/// One pool's maintenance, as operators see it.
pub(crate) struct MaintainedPool {
    pub(crate) pool: String,
    /// Whether a pool has this name.
    pub(crate) is_there: bool,
    /// Present while it is under maintenance.
    pub(crate) notice: Option<Notice>,
    /// Who sees the site nevertheless; empty for nobody.
    pub(crate) except: String,
    /// What an operator wishes.
    pub(crate) wish: Option<Maintenance>,
}

impl InPlace {
    /// What a file says; what was said `before` stays until the wishes are asked.
    pub(super) fn new(config: &PoolConfig, before: Option<&InPlace>) -> Self {
        Self {
            pages: Arc::clone(&config.pages),
            configured: Arc::clone(&config.maintenance),
            notice: before.and_then(|before| before.notice.clone()),
            discovers: config.discovery.is_some(),
        }
    }

    /// What holds if an operator wishes this: the wish wins, and what it leaves open is the file's.
    fn held(&self, wish: Option<&Maintenance>) -> Option<Notice> {
        let is_on = wish.map_or(self.configured.on, |wish| wish.on);
        let own = wish.filter(|wish| wish.on);
        is_on.then(|| Notice {
            page: own
                .and_then(|own| own.page.clone())
                .or_else(|| self.pages.maintenance.clone()),
            retry_after: own
                .and_then(|own| own.retry_after)
                .unwrap_or(self.configured.retry_after),
        })
    }
}

impl Snapshot {
    /// What a client at this address is told instead of being served by a pool.
    pub(crate) fn notice(&self, pool: usize, client: IpAddr) -> Option<&Notice> {
        let InPlace {
            configured, notice, ..
        } = self.in_place.get(pool)?;
        notice.as_ref().filter(|_| !configured.except.include(client))
    }

    /// What is said in place of the pool of this name.
    pub(super) fn in_place_of(&self, pool: &str) -> Option<&InPlace> {
        let position = self
            .upstreams
            .pools
            .iter()
            .position(|known| &*known.name == pool)?;
        self.in_place.get(position)
    }

    /// Lets the wishes hold.
    pub(super) fn maintain(&mut self, wishes: &Maintenances) {
        for (pool, in_place) in self.upstreams.pools.iter().zip(&mut self.in_place) {
            let notice = in_place.held(wishes.of(&pool.name));
            if notice.is_some() != in_place.notice.is_some() {
                let (pool, maintenance) = (&*pool.name, notice.is_some());
                info!(pool, maintenance, "the maintenance of a pool begins or ends");
            }
            in_place.notice = notice;
        }
    }
}

impl Directory {
    /// The maintenance of every pool, in the order of the configuration, and then of those that are wished of and not there.
    #[must_use]
    pub(crate) fn maintained(&self) -> Vec<MaintainedPool> {
        let (current, wishes) = (self.current(), self.wishes().pools);
        let snapshot = &current.snapshot;
        let pools = snapshot.upstreams.pools.iter().zip(&snapshot.in_place);
        let there = pools.map(|(pool, in_place)| MaintainedPool {
            pool: pool.name.to_string(),
            is_there: true,
            notice: in_place.notice.clone(),
            except: match in_place.configured.except.is_empty() {
                true => String::new(),
                false => in_place.configured.except.to_string(),
            },
            wish: wishes.of(&pool.name).cloned(),
        });
        let is_there = |name: &str| snapshot.upstreams.pools.iter().any(|pool| &*pool.name == name);
        let absent = wishes.iter().filter(|(name, _)| !is_there(name));
        let absent = absent.map(|(name, wish)| MaintainedPool {
            pool: name.to_owned(),
            is_there: false,
            notice: None,
            except: String::new(),
            wish: Some(wish.clone()),
        });
        there.chain(absent).collect()
    }

    /// Whether the file says that a pool is under maintenance; none where no pool has this name.
    #[must_use]
    pub(crate) fn is_maintained_by_file(&self, pool: &str) -> Option<bool> {
        let current = self.current();
        let in_place = current.snapshot.in_place_of(pool);
        in_place.map(|in_place| in_place.configured.on)
    }
}
