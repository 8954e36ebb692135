//! From what an operator asks for to what is wished of a pool.
//!
//! Invariant: what is refused changes nothing, and says what to write instead.

use remora_policy::{Maintenance, Maintenances, Mark, Page, PageForm};
use remora_process::tls::Caller;
use remora_proto::v1::{MaintainRequest, MaintenanceWish, PoolStatus};

use crate::config::RETRY_AFTER;
use crate::directory::{MaintainedPool, unix_now};

/// The wish that is asked for; none where the file's word is to hold. `by_file` says whether that is maintenance: then an end has
/// to be wished.
pub(super) fn wished(
    request: MaintainRequest,
    by: &str,
    by_file: bool,
) -> Result<Option<Maintenance>, String> {
    let on = match request.wish() {
        MaintenanceWish::On => true,
        MaintenanceWish::Off => false,
        MaintenanceWish::Reset => return Ok(None),
        MaintenanceWish::Unspecified => return Err("say on, off or reset".to_owned()),
    };
    let seconds = request.retry_after_seconds;
    let (least, most) = (RETRY_AFTER.start().as_secs(), RETRY_AFTER.end().as_secs());
    if seconds != 0 && !(least..=most).contains(&u64::from(seconds)) {
        return Err(format!(
            "clients may be told to come back after {least} to {most} s, not {seconds} s"
        ));
    }
    let page = request.page.map(|page| {
        let form = PageForm::named(&page.form)
            .ok_or_else(|| format!("a page is html, txt or json, not `{}`", page.form))?;
        Page::new(form, page.text.to_vec()).map_err(|sentence| format!("the page {sentence}"))
    });
    let wish = Maintenance {
        on,
        since: unix_now(),
        by: by.into(),
        retry_after: (on && seconds != 0).then_some(seconds),
        page: page.transpose()?.filter(|_| on),
        mark: Mark::default(),
    };
    Ok((on || by_file).then_some(wish))
}

/// Wishes this of a pool, or that the file's word holds; `is_shared`: the store is to be told.
pub(super) fn set(
    pools: &mut Maintenances,
    name: &str,
    (wish, is_shared): (Option<Maintenance>, bool),
    caller: &Caller,
) {
    match wish {
        Some(wish) => pools.set(name, wish, is_shared),
        None => pools.lift(name, (caller.name(), unix_now()), is_shared),
    }
}

/// What a wish says, whoever said it and when.
pub(super) fn said(wish: &Maintenance) -> (bool, Option<u32>, Option<&Page>) {
    (wish.on, wish.retry_after, wish.page.as_ref())
}

/// What was wished, for people.
pub(super) fn told(wish: MaintenanceWish) -> &'static str {
    match wish {
        MaintenanceWish::On => "is under maintenance",
        MaintenanceWish::Off => "is not under maintenance any more",
        MaintenanceWish::Reset | MaintenanceWish::Unspecified => "is as the file says",
    }
}

/// The same of a wish that somebody else said; none that was taken back.
pub(super) fn heard(wish: Option<&Maintenance>) -> &'static str {
    told(match wish {
        Some(wish) if wish.on => MaintenanceWish::On,
        Some(_) => MaintenanceWish::Off,
        None => MaintenanceWish::Reset,
    })
}

/// A pool as operators see it.
pub(super) fn status_of(pool: MaintainedPool) -> PoolStatus {
    let MaintainedPool {
        pool,
        is_there,
        notice,
        except,
        wish,
    } = pool;
    let page = notice.as_ref().and_then(|notice| notice.page.as_ref());
    PoolStatus {
        pool,
        maintenance: notice.is_some(),
        retry_after_seconds: notice.as_ref().map_or(0, |notice| notice.retry_after),
        page_bytes: page.map_or(0, |page| u64::try_from(page.text().len()).unwrap_or(u64::MAX)),
        except,
        wished: wish.is_some(),
        by: wish.as_ref().map_or_else(String::new, |wish| wish.by.to_string()),
        since: wish.map_or(0, |wish| wish.since),
        absent: !is_there,
    }
}
