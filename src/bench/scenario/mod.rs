//! What can be done to a server.

mod lives;
mod traffic;

pub(crate) use lives::Handshakes;
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
