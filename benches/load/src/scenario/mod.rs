//! What can be done to a server: each file is one thing, or a family of them.

mod history;
mod lives;
mod mixed;
mod schedule;
mod slow;
mod storm;
mod traffic;

pub(crate) use history::History;
pub(crate) use lives::{Churn, Handshakes};
pub(crate) use mixed::Mixed;
pub(crate) use slow::Slow;
pub(crate) use storm::{Outage, Storm};
pub(crate) use traffic::Traffic;

use super::engine::Scenario;

/// Everybody is in and says nothing.
#[derive(Debug)]
pub(crate) struct Idle;

impl Scenario for Idle {
    fn waits_for_quiet(&self) -> bool {
        true
    }
}
