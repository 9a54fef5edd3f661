//! What `check --data DIR` says about the disk under a data directory.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::chat::model::reply::Durability;
use crate::config::Config;
use crate::store::tools::measure::{self, Measured, STORED_BYTES, WRITTEN_ALONE_BYTES};

/// From here on an answer takes so long that people notice.
const SLOW: Duration = Duration::from_millis(100);
/// Messages that share a sync at the most.
const BATCH: u64 = 512;
/// More a second than any processor stores.
const PROCESSOR_MAX: u64 = 50_000;

/// Measures the disk, and prints what that means.
pub(super) fn check(config: &Config) -> ExitCode {
    match measure::run(&config.data) {
        Ok(measured) => super::print(&describe(config, &measured)),
        Err(error) => {
            _ = writeln!(io::stderr(), "error: the disk could not be measured: {error}");
            ExitCode::FAILURE
        }
    }
}

fn describe(config: &Config, measured: &Measured) -> String {
    let Measured { directory, syncs, median, slowest } = measured;
    let mut text = format!(
        "disk under {}: a sync takes {} (median of {syncs}, the slowest {})\n",
        directory.display(),
        Shown(*median),
        Shown(*slowest)
    );
    if *directory != config.data {
        _ = writeln!(text, "  {} does not exist yet; chinwag makes it", config.data.display());
    }
    let (alone, together) = rates(*median);
    _ = write!(
        text,
        "what that means for rooms that keep what was said (durability \"disk\"):\n  \
         a message is answered, and shown, after about {}\n  \
         one person who waits for each answer: about {alone} messages a second\n  \
         many people together: about {together} messages a second, as far as the processor keeps up\n  \
         a message of 100 bytes takes about {STORED_BYTES} bytes in the database; one that comes \
         alone has about {} KiB written, many together some 1 KiB each\n",
        Shown(*median),
        WRITTEN_ALONE_BYTES / 1024
    );
    if *median >= SLOW {
        _ = writeln!(text, "warning: this disk is slow: {}", about_slow(config));
    }
    if let Some(warning) = measure::warning_of_build() {
        _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// The same on one line, and what to do if it is slow.
pub(super) fn in_short(config: &Config, measured: &Measured) -> (String, Option<String>) {
    let (alone, together) = rates(measured.median);
    let text = format!(
        "a sync takes {}: {alone} durable messages a second of one person, up to {together} of many; \
         {STORED_BYTES} bytes each are kept",
        Shown(measured.median)
    );
    (text, (measured.median >= SLOW).then(|| about_slow(config).to_owned()))
}

/// Messages a second of one person who waits for each answer, and of many together.
fn rates(sync: Duration) -> (u64, u64) {
    let micros = u64::try_from(sync.as_micros()).unwrap_or(u64::MAX).max(1);
    let alone = (1_000_000 / micros).clamp(1, PROCESSOR_MAX);
    (alone, alone.saturating_mul(BATCH).min(PROCESSOR_MAX))
}

fn about_slow(config: &Config) -> &'static str {
    match config.policies.otherwise.durability {
        Durability::Disk | Durability::Replicated => {
            "durability = \"os\" does not wait for it, and survives a crash of chinwag, not one of the \
             machine"
        }
        Durability::Os | Durability::Memory => "the durability that is set does not wait for it",
    }
}

/// A time, shown with three digits or so.
struct Shown(Duration);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_micros() {
            micros @ ..1_000 => write!(f, "{micros} µs"),
            micros @ 1_000..10_000 => write!(f, "{}.{} ms", micros / 1_000, micros % 1_000 / 100),
            micros @ 10_000..1_000_000 => write!(f, "{} ms", micros / 1_000),
            micros => write!(f, "{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_can_keep_is_said_in_words_and_a_slow_one_with_what_to_do() {
        let config = Config::default();
        let measured = |micros| Measured {
            directory: config.data.clone(),
            syncs: 100,
            median: Duration::from_micros(micros),
            slowest: Duration::from_secs(2),
        };
        let text = describe(&config, &measured(400));
        for part in ["a sync takes 400 µs", "the slowest 2.0 s", "about 2500 messages", "50000"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("warning") && !text.contains("yet"), "{text}");
        let text = describe(&config, &measured(500_000));
        for part in ["after about 500 ms", "about 2 messages", "about 1024", "durability = \"os\""]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        let elsewhere = Measured { directory: "/".into(), ..measured(2_500) };
        let text = describe(&config, &elsewhere);
        assert!(text.contains("takes 2.5 ms") && text.contains("does not exist yet"), "{text}");
        assert_eq!(Shown(Duration::from_millis(45)).to_string(), "45 ms");
    }
}
