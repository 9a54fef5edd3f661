//! A log that goes to a pipe of which nobody reads.

use std::fs::OpenOptions;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Client, Setup};

/// More lines than a pipe takes and than may wait, though each request is only one.
const REQUESTS: u64 = 8_000;
/// At a time.
const BATCH: u64 = 100;

#[test]
fn a_log_that_nobody_reads_slows_nobody_down_and_counts_what_it_drops() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    // Opened for both, so that neither side waits for the other; nothing is ever read.
    let held = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    let mut server = Setup::default()
        .set("log_file", pipe.to_str().expect("a path that is a text"))
        .set("log_level", "debug")
        .set("limits.rate_per_s", "off")
        .start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    for first in (0..REQUESTS).step_by(usize::try_from(BATCH).expect("a number")) {
        for id in first..first + BATCH {
            ann.say(&json!({"op": "ping", "id": id}));
        }
        // A loop that waited for the pipe would wait for ever.
        for id in first..first + BATCH {
            ann.expect(&json!({"id": id, "code": 0}));
        }
    }
    let dropped = server.metric("chinwag_log_lines_dropped_total");
    assert!(dropped > 1_000.0, "{dropped} were dropped: the pipe was not full");
    drop(ann);
    // The end waits for the log a moment, not for ever.
    server.signal(Signal::TERM);
    server.assert_left_in_order();
    drop(held);
}
