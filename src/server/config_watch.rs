//! Reads the configuration again when it is asked to (SIGHUP): on a thread of its own, since a disk
//! may be slow.

use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::config::{Config, ConfigFault, Difference, Environment, Flags, Loaded, Reloaded, load};
use crate::reactor::EarlySignals;

/// Where a configuration came from, to be read again.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// The program as it was called, with its arguments: the one that takes its place is called so.
    pub program: Vec<OsString>,
    /// The environment at the start, which does not change while the process lives.
    pub environment: Environment,
    /// What signals have asked for since the process began.
    pub early_signals: EarlySignals,
}

/// What came of reading the configuration again.
#[derive(Debug)]
pub(super) struct Found {
    /// What is to hold from now on; `None`: it is wrong, and nothing of it was taken.
    pub config: Option<Box<Config>>,
    /// What differs; or what is wrong, each on one line.
    pub outcome: Result<Vec<Difference>, Vec<String>>,
}

/// Reads the configuration again while it is there.
#[derive(Debug)]
pub(super) struct ConfigWatch {
    /// What came of it, each time.
    found: Receiver<Found>,
    /// Has the sources read; its end ends the thread.
    look: Sender<()>,
}

impl ConfigWatch {
    /// Waits to be asked. The server runs on `loaded`; `wake` is called when another configuration
    /// is there.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub(super) fn start(
        mut loaded: Loaded,
        sources: Sources,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (look, requests) = mpsc::channel();
        let (to_take, found) = mpsc::channel();
        let watch = move || {
            for () in requests {
                let Sources { flags, environment, .. } = &sources;
                let found = match load(flags, environment).and_then(|fresh| loaded.reload(&fresh)) {
                    Ok(Reloaded { loaded: now, differences }) => {
                        loaded = now;
                        let config = Some(Box::new(loaded.config.clone()));
                        Found { config, outcome: Ok(differences) }
                    }
                    Err(error) => {
                        error.0.iter().for_each(refuse);
                        let faults = error.0.iter().map(fault_line).collect();
                        Found { config: None, outcome: Err(faults) }
                    }
                };
                // Nobody takes it once the server is gone.
                _ = to_take.send(found);
                wake();
            }
        };
        thread::Builder::new().name("configuration".to_owned()).spawn(watch)?;
        Ok(Self { found, look })
    }

    /// Has the sources read now.
    pub(super) fn look_now(&self) {
        _ = self.look.send(());
    }

    /// What came of reading it again, in the order in which that was asked for.
    pub(super) fn poll(&self) -> Option<Found> {
        self.found.try_recv().ok()
    }
}

impl Found {
    /// Says what has changed, what needs a restart, and how much of both there is: once it holds,
    /// so that whoever reads it can rely on it.
    pub(super) fn say(&self) {
        if let Ok(differences) = &self.outcome {
            say(differences);
        }
    }
}

/// What is wrong and where, without what stands there.
fn fault_line(ConfigFault { what, origin }: &ConfigFault) -> String {
    let at = origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default();
    format!("{at}{what}")
}

fn say(differences: &[Difference]) {
    for Difference { name, from, to, is_live } in differences {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".to_owned());
        let (from, to) = (shown(from), shown(to));
        if *is_live {
            log::info!(name:%, from:%, to:%; "setting changed");
        } else {
            log::warn!(name:%, from:%, to:%; "setting needs a restart: it stays as it was");
        }
    }
    let changed = differences.iter().filter(|difference| difference.is_live).count();
    let need_restart = differences.len() - changed;
    log::info!(changed, need_restart; "configuration read again");
}

/// Says what is wrong and where, on one line.
fn refuse(ConfigFault { what, origin }: &ConfigFault) {
    let at = origin.as_ref().map(ToString::to_string).unwrap_or_default();
    log::error!(at:%, fault:% = what; "the configuration is wrong: nothing of it was taken");
}
