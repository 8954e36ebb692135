//! Pages of an owner's own, and the maintenance of a pool.
//!
//! Invariants: a page that is named is read, whole, or is a fault with its line · a pool without a page of its own has the
//! site's · what stands in `Retry-After` is whole seconds.
//!
//! Left out on purpose: looking at a file again. A page changes with a reload, all pages at once.

use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remora_policy::{PAGE_BYTES, Page, PageForm};
use remora_process::config::{Period, Spanned};
use remora_process::files;

use super::super::file::{MaintenanceTable, PagesTable, SitePagesTable};
use super::super::report::Report;
use super::super::values::{MaintenanceConfig, Pages};

/// When a client may ask again: from the least that the field can say to a day, beyond which nobody waits.
pub(crate) const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// When a client may ask again whom nobody could serve, unless configured: about what a failover takes.
pub(in crate::config) const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// When a client may ask again during maintenance, unless configured. Ten minutes: a release with its restarts takes so long,
/// and search engines that are told so come back.
pub(in crate::config) const COME_BACK_DEFAULT: Duration = Duration::from_secs(600);

impl Report<'_> {
    pub(super) fn site_pages(&mut self, table: &SitePagesTable) -> Pages {
        Pages {
            bad_request: self.page(table.bad_request.as_ref()),
            not_found: self.page(table.not_found.as_ref()),
            bad_gateway: self.page(table.bad_gateway.as_ref()),
            unavailable: self.page(table.unavailable.as_ref()),
            timeout: self.page(table.timeout.as_ref()),
            maintenance: self.page(table.maintenance.as_ref()),
            retry_after: whole_seconds(RETRY_AFTER_DEFAULT),
        }
    }

    /// The pages of a pool, the site's where it has none.
    pub(super) fn pages(&mut self, table: &PagesTable, site: &Pages) -> Pages {
        let retry_after = table.retry_after.as_ref();
        let mut own = |written: &Option<_>, site: &Option<Page>| {
            let own = self.page(written.as_ref());
            own.or_else(|| site.clone())
        };
        Pages {
            bad_request: site.bad_request.clone(),
            not_found: site.not_found.clone(),
            bad_gateway: own(&table.bad_gateway, &site.bad_gateway),
            unavailable: own(&table.unavailable, &site.unavailable),
            timeout: own(&table.timeout, &site.timeout),
            maintenance: own(&table.maintenance, &site.maintenance),
            retry_after: self.retry_after("pages.retry_after", retry_after, RETRY_AFTER_DEFAULT),
        }
    }

    pub(super) fn maintenance(&mut self, table: &MaintenanceTable) -> MaintenanceConfig {
        let retry_after = table.retry_after.as_ref();
        MaintenanceConfig {
            on: table.on,
            retry_after: self.retry_after("maintenance.retry_after", retry_after, COME_BACK_DEFAULT),
            except: self.networks(&table.except),
        }
    }

    fn retry_after(&mut self, key: &str, written: Option<&Spanned<Period>>, default: Duration) -> u32 {
        let Some(written) = written else {
            return whole_seconds(default);
        };
        let period = self.within(key, written, RETRY_AFTER);
        if period.subsec_nanos() != 0 {
            let sentence = format!("{key} is {}: choose whole seconds", written.get_ref());
            self.fault(written.span(), sentence);
        }
        whole_seconds(period)
    }

    fn page(&mut self, written: Option<&Spanned<PathBuf>>) -> Option<Page> {
        let written = written.filter(|_| self.reads_files())?;
        read(written.get_ref())
            .map_err(|sentence| self.fault(written.span(), sentence))
            .ok()
    }
}

fn whole_seconds(period: Duration) -> u32 {
    u32::try_from(period.as_secs()).unwrap_or(u32::MAX)
}

/// The page in this file, in the form that its name ends with.
fn read(path: &Path) -> Result<Page, String> {
    let page = |sentence: &dyn std::fmt::Display| format!("page {}: {sentence}", path.display());
    let form = path.extension().and_then(|end| end.to_str());
    let form = form.and_then(PageForm::named).ok_or_else(|| {
        let ends = PageForm::ALL.map(PageForm::as_str).join(", .");
        page(&format!("its name must end in one of .{ends}"))
    })?;
    let mut bytes = Vec::new();
    // One byte more than it may have is read, so that a file that grows meanwhile is too large as well.
    let most = u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let file = files::open(path).map_err(|error| page(&error))?;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| page(&error))?;
    Page::new(form, bytes).map_err(|sentence| page(&sentence))
}
