//! What is shown on a terminal's standard error while the generator runs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::results::{Sample, float};
use super::units::{number, percent, time};

/// How often the line is written anew at most, in a second.
const HZ: u8 = 5;
/// A bar and words after it, which are cut at the terminal's edge.
const TEMPLATE: &str = "{bar:12.dim} {wide_msg}";

/// A line that is written over itself. Shows nothing if standard error is no terminal, or if it is
/// to be quiet.
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
            ProgressDrawTarget::stderr_with_hz(HZ)
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template(TEMPLATE).ok();
        Self { bar: bar.with_style(style.map_or_else(ProgressStyle::default_bar, bar_characters)) }
    }

    /// Whether anybody sees it. If not, there is no need to find out what to show.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows that `done` of `all` connections are open. May be called for each of them.
    pub fn connecting(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        // Words are made as often as they may be seen, and not for each of a million.
        if done.is_multiple_of(64) || done == all {
            self.bar.set_message(connecting_words(done, all));
        }
    }

    /// Shows the latest interval of a run that goes on for `left`.
    pub fn running(&self, sample: &Sample, left: Duration) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let passed = Duration::try_from_secs_f64(sample.at_s).unwrap_or_default();
        self.bar.set_length(millis(passed.saturating_add(left)));
        self.bar.set_position(millis(passed));
        self.bar.set_message(running_words(sample, left));
    }

    /// Shows in a word or two what is being done, such as `settling`.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar_characters(style: ProgressStyle) -> ProgressStyle {
    style.progress_chars("━╸─")
}

fn connecting_words(done: u64, all: u64) -> String {
    format!("connecting: {} of {}", number(float(done)), number(float(all)))
}

/// The rate first, since it is what moves.
fn running_words(sample: &Sample, left: Duration) -> String {
    let mut words = vec![format!("{}/s", number(sample.deliveries_per_s.round()))];
    words.extend(sample.p99.map(|us| format!("p99 {}", time(float(us)))));
    words.extend(sample.server_busy.map(|busy| format!("server {}", percent(busy))));
    words.extend(sample.generator_busy.map(|busy| format!("generator {}", percent(busy))));
    // Rounded up: it does not say 0 while it goes on.
    words.push(format!("{} s left", left.as_millis().div_ceil(1_000)));
    words.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connecting_says_how_many_of_how_many() {
        assert_eq!(connecting_words(12_000, 19_000), "connecting: 12,000 of 19,000");
        assert_eq!(connecting_words(128, 1_000_000), "connecting: 128 of 1.00 M");
    }

    #[test]
    fn running_says_what_is_known() {
        let mut sample = Sample { deliveries_per_s: 1_870_000.0, ..Sample::default() };
        let left = Duration::from_millis(6_001);
        assert_eq!(running_words(&sample, left), "1.87 M/s · 7 s left");
        sample = Sample {
            p99: Some(1_245),
            server_busy: Some(0.998),
            generator_busy: Some(0.87),
            ..sample
        };
        let all = "1.87 M/s · p99 1.25 ms · server 100 % · generator 87 % · 7 s left";
        assert_eq!(running_words(&sample, left), all);
    }

    #[test]
    fn quiet_is_not_shown() {
        let progress = Progress::new(true);
        progress.connecting(64, 100);
        progress.say("settling");
        assert!(!progress.is_shown());
    }
}
