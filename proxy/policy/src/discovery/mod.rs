//! What a store's registry says of a site, and what becomes of it here: a view is merged into the one that is held, and each pool
//! selects its servers.
//!
//! A view is what one cluster told at one version: the application servers that announced themselves, those that were retired, and
//! what operators wish. Silence takes nobody out: whoever is held stays until the cluster says that it is retired, or, of the cluster
//! that told it, until a later view names it no more, which is the same.
//!
//! Invariants: within one cluster a later view replaces an earlier one, never the other way round · a view of another cluster takes
//! nobody out but whom it retires by name and instance: what was held of the one before is *carried* until the new one says
//! something of it · what is not understood changes nothing.
//!
//! Left out on purpose: how views come here, the names that have to be looked up, and what is believed of a server. That it is
//! announced says that it began, not that it answers.

mod endpoint;
mod merge;
#[cfg(test)]
mod scripts;
mod select;
mod view;

pub use endpoint::{Endpoint, NoEndpoint};
pub use merge::{heard, merge, overruled};
pub use select::{Chosen, Refusal, Refused, Selection, Taken};
pub use view::{Announced, Retired, View};
