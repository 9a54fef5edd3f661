//! `limits`: what is bounded stays within its bounds while others try to exceed it, and who behaves
//! is served.
//!
//! | part | |
//! |---|---|
//! | `unread` | thousands of members who never read, and one who talks as fast as is taken |
//! | `group` | a control group of 64 MiB, with slow readers, half requests and logins |
//! | `descriptors` | a thousand clients at 200 descriptors |
//! | `storm` | all come back at once, over TLS |
//! | `floods` | handshakes, logins and tokens without end |
//! | `scrape` | the metrics of many connections and rooms |
//! | `stops` | SIGTERM under load, again and again: see `kills` |
//! | `timing` | whether a wrong name takes as long as a wrong password |

mod descriptors;
mod floods;
mod group;
mod scrape;
mod sources;
mod storm;
mod timing;
mod unread;

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Outcome, kills};

/// Runs one part.
pub(crate) fn run(part: &str, binary: &str, folder: &Path, arguments: &[&str]) -> Outcome<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    match (part, arguments) {
        ("unread", [readers, seconds, memory]) => {
            unread::run(binary, folder, (readers.parse()?, seconds.parse()?), memory.parse()?)
        }
        ("group", [members, seconds]) => {
            group::run(binary, folder, members.parse()?, seconds.parse()?)
        }
        ("descriptors", []) => descriptors::run(binary, folder),
        ("storm", [clients]) => storm::run(binary, folder, clients.parse()?),
        ("floods", [seconds]) => floods::run(binary, folder, seconds.parse()?),
        ("scrape", [connections, rooms]) => {
            scrape::run(binary, folder, connections.parse()?, rooms.parse()?)
        }
        ("stops", [stops, seed]) => kills::run_stops(binary, folder, stops.parse()?, seed.parse()?),
        ("timing", [tries]) => timing::run(binary, folder, tries.parse()?),
        _ => Err(format!("not understood: limits {part} {}", arguments.join(" ")).into()),
    }
}
