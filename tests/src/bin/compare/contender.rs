//! Who is compared: a proxy in front of the Tomcats, and who keeps their sessions; and how the story is played on each.
//!
//! Each gets a world of its own: two Tomcats, started alike, and what belongs to it beside them. Left out: tuning. Everybody runs
//! as Debian packs it and as `docs/keep-your-proxy.md` or Tomcat's own guide configures it.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use remora_tests::World;
use remora_tests::fronts::{By, Kind};
use remora_tests::http::Browser;
use remora_tests::place::release;
use remora_tests::tomcat::{Application, Version};
use remora_tests::wait::{START, wait_until};
use remora_tests::world::Keeper;

use crate::crowd::{self, Came, DYING, Losses, NODES, click, sign_in};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    /// In front of the Tomcats; ours where it is nobody else's.
    front: Option<Kind>,
    keeper: Keeper,
}

impl Contender {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 10] = [
        Self::of(Some(Kind::Httpd), Keeper::Standard),
        Self::of(Some(Kind::Httpd), Keeper::Delta { acknowledged: false }),
        Self::of(Some(Kind::Httpd), Keeper::Delta { acknowledged: true }),
        Self::of(Some(Kind::Httpd), Keeper::Remora),
        Self::of(Some(Kind::Haproxy), Keeper::Standard),
        Self::of(Some(Kind::Haproxy), Keeper::Remora),
        Self::of(Some(Kind::Nginx), Keeper::Standard),
        Self::of(Some(Kind::Nginx), Keeper::Remora),
        Self::of(None, Keeper::Standard),
        Self::of(None, Keeper::Remora),
    ];

    const fn of(front: Option<Kind>, keeper: Keeper) -> Self {
        Self { front, keeper }
    }

    /// What the table calls its two parts.
    pub(crate) fn names(self) -> [&'static str; 2] {
        let front = self.front.map_or("remora-proxy", Kind::name);
        let keeper = match self.keeper {
            Keeper::Standard => "StandardManager",
            Keeper::Delta { acknowledged: false } => "DeltaManager",
            Keeper::Delta { acknowledged: true } => "DeltaManager, channelSendOptions=6",
            Keeper::Remora => "RemoraManager, 3 store nodes",
        };
        [front, keeper]
    }

    /// Other people's proxies, each with its version.
    ///
    /// # Errors
    /// When one is not there.
    pub(crate) fn releases() -> Result<Vec<String>> {
        let named = |kind: Kind| Ok(format!("{} {}", kind.name(), release(kind.program(), "-v")?));
        Kind::ALL.map(named).into_iter().collect()
    }

    /// Plays the story so often, each time with new users and both Tomcats alive.
    ///
    /// # Errors
    /// When something does not start, or does not take users again after its Tomcat came back.
    pub(crate) fn play(self, rounds: usize) -> Result<Losses> {
        let mut plan = World::plan()
            .tomcats(&[Version::V10; 2])
            .application(Application::Clicks)
            .keeper(self.keeper);
        if self.keeper != Keeper::Remora {
            plan = plan.stores(0);
        }
        if self.front.is_some() {
            plan = plan.no_proxy();
        }
        let mut losses = Losses::default();
        plan.run(|world| {
            let front = self
                .front
                .map(|kind| kind.stand(By::JvmRoute, world.directory(), &world.tomcats));
            let front = front.transpose()?;
            let address = match &front {
                Some(front) => front.address,
                None => world.front_door()?,
            };
            for round in 1..=rounds {
                if round > 1 {
                    world.tomcat(DYING)?.launch()?;
                    world.tomcat(DYING)?.wait_ready()?;
                }
                self.wait_whole(world, address)?;
                losses.add(&crowd::round(world, address, round)?);
            }
            Ok(())
        })?;
        Ok(losses)
    }

    /// Waits until both Tomcats take users and, where they tell each other's sessions, do.
    fn wait_whole(self, world: &mut World, front: SocketAddr) -> Result<()> {
        for node in NODES {
            let what = format!("new users come to {node}");
            wait_until(&what, START, || {
                let mut user = Browser::new(front);
                matches!(sign_in(&mut user), Came::Page { node: at, .. } if at == node)
            })?;
        }
        if matches!(self.keeper, Keeper::Delta { .. }) {
            let [first, second] = NODES.map(|node| world.tomcat(node).map(|tomcat| tomcat.address()));
            let mut user = Browser::new(first?);
            ensure!(
                matches!(sign_in(&mut user), Came::Page { .. }),
                "nobody can sign in at n1"
            );
            let there = user.at(second.context("n2 is there")?);
            wait_until("n2 knows the sessions of n1", START, || {
                matches!(click(&mut there.clone(), None), Came::Page { .. })
            })?;
        }
        Ok(())
    }
}
