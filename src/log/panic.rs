//! A panic is a bug, and one line in the log.

use std::io::{self, Write as _};
use std::panic::{PanicHookInfo, set_hook};
use std::sync::mpsc::sync_channel;
use std::thread;

use log::kv::Value;
use log::{Level, Record};

use super::sink::{PATIENCE, Sink};
use super::{Format, line, timestamp};

/// From now on each panic of this process is one line: the thread, the place, the cause.
pub(super) fn install(format: Format, sink: Sink) {
    set_hook(Box::new(move |info| {
        let line = describe(format, info);
        // By way of the log, so that the lines before it come before it; when the log is the one
        // that panicked, or is stuck, standard error itself is left.
        if !sink.write_now(line.as_bytes()) {
            write_directly(line);
        }
    }));
}

/// Writes to standard error, for at most [`PATIENCE`]: a reader of it that has stopped must not
/// keep the thread from unwinding, since other threads wait for its end.
fn write_directly(line: String) {
    let (end, ended) = sync_channel(1);
    let write = move || {
        _ = io::stderr().write_all(line.as_bytes());
        _ = end.send(());
    };
    if thread::Builder::new().name("panic".to_owned()).spawn(write).is_ok() {
        _ = ended.recv_timeout(PATIENCE);
    }
}

fn describe(format: Format, info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let place = info.location().map(ToString::to_string);
    let cause = info.payload_as_str().unwrap_or("a value that is no text");
    render(format, thread.name().unwrap_or("unnamed"), place.as_deref(), cause)
}

fn render(format: Format, thread: &str, place: Option<&str>, cause: &str) -> String {
    let pairs = [
        ("thread", Value::from(thread)),
        ("at", Value::from(place.unwrap_or("unknown"))),
        ("cause", Value::from(cause)),
    ];
    let mut builder = Record::builder();
    builder.level(Level::Error).target("panic").key_values(&pairs);
    line::record(format, timestamp::now(), &builder.args(format_args!("panicked")).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_whatever_it_says() {
        let line = render(Format::Text, "main", Some("src/a.rs:1:2"), "left: 1\n right: \u{1b}");
        let (_, line) = line.split_once(' ').unwrap();
        let expect = "ERROR panic panicked thread=main at=src/a.rs:1:2 \
                      cause=\"left: 1\\n right: \\u{1b}\"\n";
        assert_eq!(line, expect);
    }
}
