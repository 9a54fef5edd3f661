//! Chinwag's load generator: it drives a server, verifies what comes back, measures both sides and
//! shows it.
//!
//! It speaks through the server's own reactor and codecs, and uses nothing of the server that is
//! not public.
//!
//! | module | |
//! |---|---|
//! | `args`, `choices`, `target`, `share` | what was asked for |
//! | `plan` | the same with everything decided |
//! | `engine` | connections on the project's own reactor: opened, loaded, verified, measured |
//! | `scenario` | what is done with them |
//! | `stream`, `order`, `pattern`, `zipf`, `ledger` | what should arrive, and what did not |
//! | `run`, `failure` | one run, from the command line to the exit code |
//! | `processes` | the same by several processes |
//! | [`latency`] | the distribution of how long things took |
//! | [`measure`] | what the system says of a process, of the kernel's sockets and of the machine |
//! | [`spawn`] | a server of our own, configured for load |
//! | [`results`] | everything that was measured, as JSON |
//! | [`summary`] | the same for a terminal |
//! | [`progress`] | what is shown while it runs |
//! | [`report`] | the same as an HTML page, and as pictures |

mod args;
mod choices;
mod engine;
mod failure;
pub mod latency;
mod ledger;
pub mod measure;
mod order;
mod pattern;
mod plan;
mod processes;
pub mod progress;
pub mod report;
pub mod results;
mod run;
mod scenario;
mod share;
pub mod spawn;
mod stream;
pub mod summary;
mod target;
mod units;
mod zipf;

pub use run::run;
