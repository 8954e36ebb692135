//! Users of applications that others wrote: what each does, and what a page must show for all to be well.
//!
//! A script knows pages and forms, as its user does, and not what runs below; so it can be judged by Tomcat's own
//! session manager first. Where a misfortune may strike is part of the script: in the middle of a task, where the most
//! hangs on the session. Left out: appearance, speed.

mod examples;
mod faces;
mod site;
mod spring;
mod wicket;

pub use examples::script as examples;
pub use faces::script as faces;
pub use site::{Check, Misfortune, Site};
pub use spring::script as spring;
pub use wicket::script as wicket;
