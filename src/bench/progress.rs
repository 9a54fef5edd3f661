//! What is shown on a terminal's standard error while the generator runs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::results::Sample;

/// A line that is written over itself. Shows nothing if standard error is no terminal, or if quiet.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(4)
        };
        Self { bar: ProgressBar::with_draw_target(None, target) }
    }

    /// Shows that `done` of `all` connections are open.
    pub fn connecting(&self, done: u64, all: u64) {
        self.bar.set_message(format!("connecting {done} of {all}"));
    }

    /// Shows the latest second, and how long it will go on.
    pub fn running(&self, sample: &Sample, left: Duration) {
        self.bar.set_message(format!("{} {}", sample.deliveries_per_s, left.as_secs()));
    }

    /// Shows in a word or two what is being done, such as `settling`.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
