//! `remora upstreams list|drain|undrain|set|maintenance`: every proxy named is asked, because each answers for itself, also where the
//! store keeps what is wished for all of them.
//!
//! Invariants: a proxy that refuses or does not answer is a trouble of the report, and the others hold · it is none that a proxy has
//! nothing left to take back, if the store told it of that first.
//!
//! Left out on purpose: what a wish means, which each proxy decides; which of them is told it, and how carefully: `careful`.

mod careful;
mod kept;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use remora_proto::v1::{DrainMode, DrainRequest, ProxyStatus, SessionFilter, SetRequest, UpstreamStatus};

use crate::args::{Upstreams, Whom};
use crate::failure::Failure;
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, Store, UpstreamWish, check_addresses, proxy_status, wish};
use remora_overview::owned::{Owned, owned};

use self::careful::Considered;
pub(super) use self::kept::Kept;
use super::{listing, maintenance};

/// Lists, or says what is wished. What any proxy refused is a trouble of the report; the others hold.
pub(super) async fn run(store: &Reach, proxies: &Reach, verb: Upstreams) -> Result<Report, Failure> {
    need_proxies(proxies)?;
    check_addresses(&proxies.addresses)?;
    if let Upstreams::Maintenance {
        pool,
        wish,
        page,
        retry_after,
    } = &verb
    {
        let retry_after = retry_after.map(Into::into);
        let wish = maintenance::wished(pool, *wish, page.as_deref(), retry_after)?;
        return Ok(maintenance::run(proxies, &wish).await);
    }
    let (mut rows, mut pools, mut troubles, mut kept) = (Vec::new(), Vec::new(), Vec::new(), Kept::default());
    let dial = &proxies.dial;
    let considered = match wished(&verb)? {
        Some(wished) => careful::considered(proxies, &wished, &verb).await?,
        None => Considered::nothing(proxies),
    };
    troubles.extend(considered.troubles);
    for (address, wished) in &considered.wishes {
        let answer = match wished {
            None => proxy_status(dial, address).await.map(|status| {
                troubles.extend(absent(address, &status));
                pools.push((address.clone(), status.pools));
                status.upstreams
            }),
            Some(wished) => match wish(dial, address, wished).await {
                Ok(reply) => {
                    kept.note(proxies, address, reply.shared, reply.ends_with_process)
                        .await;
                    Ok(reply.upstreams)
                }
                Err(refused) if kept.is_shared() => {
                    let done = is_undone(proxies, address, wished, refused).await;
                    if done.is_ok() {
                        kept.note(proxies, address, true, false).await;
                    }
                    done
                }
                Err(refused) => Err(refused),
            },
        };
        match answer {
            Ok(upstreams) => rows.push((address.clone(), upstreams)),
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    let mut hint = kept.said();
    let report = kept.add_figures(add_table(Report::default(), &rows).main());
    let report = maintenance::add_table(report, &pools);
    let report = match held(store, &rows).await {
        Ok(held) => add_held(report, held),
        Err(failure) => {
            // What was asked of the proxies is done.
            let unknown = format!("the store does not say how many sessions are left: {failure}");
            hint.get_or_insert(unknown);
            report
        }
    };
    Ok(report.troubles(troubles).hint(hint))
}

/// The upstreams of a proxy that refuses to take a drain back because there is none, where it follows a store: another proxy was asked
/// before and has told that store, and this one has heard of it.
async fn is_undone(
    proxies: &Reach,
    address: &str,
    wished: &UpstreamWish,
    refused: Failure,
) -> Result<Vec<UpstreamStatus>, Failure> {
    let (UpstreamWish::Undrain(whom), Failure::Against(_)) = (wished, &refused) else {
        return Err(refused);
    };
    let status = proxy_status(&proxies.dial, address).await;
    let Some(status) = status.ok().filter(|status| status.discovery.is_some()) else {
        return Err(refused);
    };
    let mut upstreams = status.upstreams;
    upstreams.retain(|upstream| match whom.group.as_str() {
        "" => upstream.route == whom.route,
        group => upstream.group == group,
    });
    Ok(upstreams)
}

/// Somebody has to be asked.
pub(super) fn need_proxies(proxies: &Reach) -> Result<(), Failure> {
    if proxies.addresses.is_empty() {
        return Err(Failure::Usage(
            "say where the proxies are: --proxy HOST:PORT[,HOST:PORT], or set REMORA_PROXY".into(),
        ));
    }
    Ok(())
}

/// What is known of the sessions of a drained route.
type Held<'a> = (&'a str, Owned);

/// How many sessions the drained Tomcats own, where it is known who the store is. They are what a drain is about.
async fn held<'a>(
    store: &Reach,
    proxies: &'a [(String, Vec<UpstreamStatus>)],
) -> Result<Vec<Held<'a>>, Failure> {
    let upstreams = proxies.iter().flat_map(|(_, upstreams)| upstreams);
    let drained: BTreeMap<&str, &UpstreamStatus> = upstreams
        .filter(|upstream| upstream.draining)
        .map(|upstream| (upstream.route.as_str(), upstream))
        .collect();
    if store.addresses.is_empty() || drained.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::new(store)?;
    let announced = store.servers().await?.servers;
    let mut held = Vec::new();
    for (route, upstream) in drained {
        let of_owner = SessionFilter {
            owner: route.to_owned(),
            ..SessionFilter::default()
        };
        let counted = listing::count(&store, of_owner).await?;
        held.push((route, owned(upstream, counted, Some(&announced))));
    }
    Ok(held)
}

/// Adds what is known of the sessions of drained routes, and why some are not.
fn add_held(report: Report, held: Vec<Held<'_>>) -> Report {
    if held.is_empty() {
        return report;
    }
    let cell = |owned: &Owned| owned.sessions().map_or(Cell::Unknown, Cell::Count);
    let rows = held
        .iter()
        .map(|(route, owned)| vec![Cell::text(*route), cell(owned)]);
    let report = report.table("drained", vec!["route", "sessions held"], rows.collect());
    let reasons = held.into_iter().filter_map(|(route, owned)| {
        let why = owned.into_reason()?;
        Some(format!("how many sessions {route} holds is not known: {why}"))
    });
    report.remarks(reasons.collect())
}

/// What an operator wishes; nothing where he only looks.
fn wished(verb: &Upstreams) -> Result<Option<UpstreamWish>, Failure> {
    let drain = |whom: &Whom| DrainRequest {
        route: whom.route.clone().unwrap_or_default(),
        group: whom.group.clone().unwrap_or_default(),
        ..DrainRequest::default()
    };
    Ok(match verb {
        // The last is asked in its own way.
        Upstreams::List | Upstreams::Maintenance { .. } => None,
        Upstreams::Drain {
            whom, finish, within, ..
        } => Some(UpstreamWish::Drain(DrainRequest {
            mode: if *finish {
                DrainMode::Finish
            } else {
                DrainMode::Move
            }
            .into(),
            // Less than a second is not nothing, which would mean an hour.
            deadline_seconds: within.as_secs().max(1),
            ..drain(whom)
        })),
        Upstreams::Undrain { whom } => Some(UpstreamWish::Undrain(drain(whom))),
        Upstreams::Set {
            whom,
            state,
            weight,
            reset,
            ..
        } => {
            if state.is_none() && weight.is_none() && !reset {
                return Err(Failure::Usage("say what: --state, --weight or --reset".into()));
            }
            Some(UpstreamWish::Set(SetRequest {
                route: whom.route.clone().unwrap_or_default(),
                group: whom.group.clone().unwrap_or_default(),
                state: state.clone(),
                weight: *weight,
                reset: *reset,
                careful: false,
            }))
        }
    })
}

/// What is wished of routes that a proxy does not have.
fn absent(address: &str, status: &ProxyStatus) -> Option<String> {
    let routes = status.absent.join(", ");
    (!routes.is_empty()).then(|| format!("{address} keeps wishes for routes that no pool has: {routes}"))
}

/// Columns of the table of upstreams that people see with `-o wide` only.
const WIDE: [&str; 5] = ["url", "weight", "discovered", "wished by", "since"];

/// Adds the table of upstreams to a report.
pub(super) fn add_table(report: Report, proxies: &[(String, Vec<UpstreamStatus>)]) -> Report {
    let columns = vec![
        "proxy",
        "pool",
        "route",
        "url",
        "health",
        "state",
        "weight",
        "in flight",
        "tunnels",
        "answered",
        "failed",
        "discovered",
        "wished by",
        "since",
        "reason",
    ];
    let rows = proxies
        .iter()
        .flat_map(|(proxy, upstreams)| upstreams.iter().map(move |upstream| row(proxy, upstream)));
    let report = report.table("upstreams", columns, rows.collect()).wide(&WIDE);
    // Where no proxy has said which there are, that there are none would be wrong, and why stands among the troubles.
    if proxies.is_empty() {
        report.only_for_programs()
    } else {
        report
    }
}

fn row(proxy: &str, upstream: &UpstreamStatus) -> Vec<Cell> {
    vec![
        Cell::text(proxy),
        Cell::text(upstream.pool.as_str()),
        Cell::text(upstream.route.as_str()),
        Cell::text(upstream.url.as_str()),
        Cell::text(upstream.health.as_str()),
        Cell::text(state(upstream)),
        Cell::Count(upstream.weight.into()),
        Cell::Count(upstream.in_flight),
        Cell::Count(upstream.tunnels),
        Cell::Count(upstream.answered),
        Cell::Count(upstream.failed),
        Cell::Flag(upstream.discovered),
        Cell::text(upstream.wished_by.as_str()),
        since(upstream.wished_since),
        Cell::text(upstream.reason.as_str()),
    ]
}

/// A moment in seconds since 1970; nothing where it is not known.
pub(super) fn since(seconds: u64) -> Cell {
    if seconds == 0 {
        return Cell::Nothing;
    }
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Cell::text(humantime::format_rfc3339_seconds(since).to_string())
}

/// What is wanted of an upstream, and for how long.
fn state(upstream: &UpstreamStatus) -> String {
    match upstream.finishes_in_seconds {
        Some(left) => format!("{}, {left} s left", upstream.state),
        None => upstream.state.clone(),
    }
}
