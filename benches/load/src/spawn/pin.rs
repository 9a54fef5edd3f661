//! Which core runs what: the server and the generator do not take turns on one.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::SpawnError;

/// A core for each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The server's.
    pub server: usize,
    /// The generator's.
    pub generator: usize,
}

impl Cores {
    /// The first two cores that this thread may use; `None` if there is only one.
    #[must_use]
    pub fn two() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { server: cores.next()?, generator: cores.next()? })
    }
}

/// Keeps this thread, and what it starts from now on, on one core.
///
/// # Errors
///
/// If the system refuses.
pub fn pin(core: usize) -> Result<(), SpawnError> {
    let mut cores = CpuSet::new();
    cores.set(core);
    let done = sched_setaffinity(None, &cores);
    done.map_err(|error| SpawnError::System { what: "choose a core", error: error.into() })
}

/// Leaves this thread, and what it starts from now on, all cores that were `allowed` but the
/// server's.
pub(super) fn spread(cores: Cores, allowed: &CpuSet) -> Result<(), SpawnError> {
    let mut others = *allowed;
    others.unset(cores.server);
    let done = sched_setaffinity(None, &others);
    done.map_err(|error| SpawnError::System { what: "choose cores", error: error.into() })
}
