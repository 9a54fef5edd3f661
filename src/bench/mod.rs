//! The load generator: it drives a server, verifies what comes back, measures both sides and shows it.
//!
//! | module | |
//! |---|---|
//! | [`latency`] | the distribution of how long things took |
//! | [`measure`] | what the system says of a process, of the kernel's sockets and of the machine |
//! | [`spawn`] | a server of our own, configured for load |
//! | [`results`] | everything that was measured, as JSON |
//! | [`summary`] | the same for a terminal |
//! | [`progress`] | what is shown while it runs |
//! | [`report`] | the same as an HTML page, and as pictures |

pub mod latency;
pub mod measure;
pub mod progress;
pub mod report;
pub mod results;
pub mod spawn;
pub mod summary;
mod units;
