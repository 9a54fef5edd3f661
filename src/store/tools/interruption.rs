//! Noticing that the process is to end, so that what is unfinished can be removed first.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::ToolError;

/// Watches for Ctrl-C, a stop of the service and a closed terminal, for as long as it lives.
pub(super) struct Interruption {
    flag: Arc<AtomicBool>,
    signals: Vec<signal_hook::SigId>,
}

impl Interruption {
    /// Begins to watch; `part` is the file that is unfinished.
    pub(super) fn watch(part: &Path) -> Result<Self, ToolError> {
        let flag = Arc::new(AtomicBool::new(false));
        let register = |signal| signal_hook::flag::register(signal, Arc::clone(&flag));
        let signals: io::Result<Vec<_>> =
            [SIGHUP, SIGINT, SIGTERM].into_iter().map(register).collect();
        let signals = signals.map_err(ToolError::file(part))?;
        Ok(Self { flag, signals })
    }

    /// Whether such a signal has come.
    pub(super) fn has_come(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Set as soon as one has come.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        for &signal in &self.signals {
            signal_hook::low_level::unregister(signal);
        }
    }
}
