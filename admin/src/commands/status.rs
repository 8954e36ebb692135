//! `remora status`: the whole site on one screen, and exit 1 when something needs a person, with what to do about it.
//!
//! `remora_overview` asks everybody at once, and says what is wrong with the answers; how they are arranged is `shown`'s. Whatever
//! does not answer is a trouble among others and hides nothing: a store that is away is what an operator looks for.
//!
//! Invariant: nothing is asked that takes more than a reader's right, or that the store writes in its books: this is what scripts
//! and monitoring repeat.

mod shown;

use remora_overview::client::{Reach, check_site};
use remora_overview::judge::judge;
use remora_overview::site;

use crate::failure::Failure;
use crate::render::Report;

/// Shows whatever was named: the store, the proxies, or both.
pub(super) async fn show(store: &Reach, proxies: &Reach) -> Result<Report, Failure> {
    check_site(store, proxies)?;
    let site = site::ask(store, proxies).await;
    let verdict = judge(&site);
    let report = shown::arrange(&site);
    Ok(report.troubles(verdict.troubles).remarks(verdict.remarks))
}
