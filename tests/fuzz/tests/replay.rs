//! Every kept input is run again.

#![expect(clippy::print_stdout, reason = "a test that fails shows which input it was")]

use std::fs;
use std::path::Path;

use chinwag_fuzz::{command, deflate, frame, head, line};

#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a folder of inputs") {
        let path = entry.expect("an entry").path();
        // Shown only if this input fails.
        println!("{}", path.display());
        run(&fs::read(path).expect("an input"));
        count += 1;
    }
    assert!(count > 0, "there are no inputs for {target}");
}

#[test]
fn kept_commands_break_no_promise() {
    replay("command", command::run);
}

#[test]
fn kept_compressed_messages_break_no_promise() {
    replay("deflate", deflate::run);
}

#[test]
fn kept_frames_break_no_promise() {
    replay("frame", frame::run);
}

#[test]
fn kept_request_heads_break_no_promise() {
    replay("head", head::run);
}

#[test]
fn kept_lines_break_no_promise() {
    replay("line", line::run);
}
