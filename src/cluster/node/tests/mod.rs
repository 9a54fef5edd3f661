//! Nodes over a real engine, if the environment names one (`CHINWAG_TEST_ENGINE`, as
//! `scripts/cluster` does): without one these tests say nothing.

mod closing;
mod drops;
mod late;
mod locked;
mod names;
mod nodes;
mod outgoing;
mod passwords;
pub(crate) mod peer;
mod people;
mod profiles;
mod pushes;
mod rooms;
mod search;
mod sessions;
mod upkeep;
