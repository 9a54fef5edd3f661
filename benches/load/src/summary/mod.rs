//! What a person reads in a terminal.

mod verdict;

use std::fmt::Write as _;

use super::latency::Latency;
use super::results::{Results, float as to_f64};
use super::units::{bytes, figure, number, percent, seconds, time};

pub use verdict::{verdict, warning};

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Columns of what a line is about.
const LABEL: usize = 14;
/// Columns of a value.
const VALUE: usize = 10;

/// The results in at most 80 columns, ending with a line that says whether all is well.
#[must_use]
pub fn render(results: &Results) -> String {
    let sections: [fn(&mut String, &Results); 5] = [heading, traffic, cpu, memory, extra];
    let sections = sections.map(|write| {
        let mut text = String::new();
        write(&mut text, results);
        text
    });
    let paragraphs = warning(results).into_iter().chain([verdict(results)]);
    let parts = sections.into_iter().chain(paragraphs.map(|paragraph| wrapped(&paragraph)));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn heading(text: &mut String, results: &Results) {
    let scenario = plain(&results.scenario);
    let lasted = if results.seconds > 0.0 { seconds(results.seconds) } else { String::new() };
    let name = results.label.as_ref().map_or_else(String::new, |label| format!("{label}, "));
    let target = format!("{name}{}", results.target);
    let room = WIDTH.saturating_sub(LABEL + lasted.chars().count() + 2);
    let target = shortened(&plain(&target), room);
    _ = writeln!(text, "{}", format!("{scenario:<LABEL$}{target}  {lasted}").trim_end());
}

fn traffic(text: &mut String, results: &Results) {
    if results.handshakes > 0 {
        let rate = results.handshakes_per_s.map_or_else(|| "–".to_owned(), per_second);
        let cost = results.server.cpu_us_per_handshake;
        let cost = cost.map_or_else(String::new, |us| format!(", {} of server CPU each", time(us)));
        let words = format!("{} opened{cost}", whole(results.handshakes));
        line(text, "handshakes", &rate, &words);
    }
    if results.deliveries > 0 || results.sends > 0 {
        let rate = results.deliveries_per_s.map_or_else(|| "–".to_owned(), per_second);
        let words = format!("{} of {} sent", whole(results.deliveries), whole(results.sends));
        line(text, "deliveries", &rate, &words);
    }
    latency(text, &results.latency_us);
}

fn latency(text: &mut String, latency: &Latency) {
    const SHOWN: [(&str, f64); 5] =
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    if latency.count() == 0 {
        return;
    }
    let mut names = format!("{:<LABEL$}", "latency");
    let mut values = " ".repeat(LABEL);
    for (name, quantile) in SHOWN {
        let value = latency.quantile(quantile).map_or_else(String::new, |us| time(to_f64(us)));
        _ = write!(names, "{name:>VALUE$}");
        _ = write!(values, "{value:>VALUE$}");
    }
    _ = writeln!(text, "{names}\n{values}");
}

fn cpu(text: &mut String, results: &Results) {
    let (server, generator) = (&results.server, &results.generator);
    if generator.busy.is_none() && server.busy.is_none() {
        return;
    }
    let shown =
        |value: Option<f64>, unit: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), unit);
    _ = writeln!(text, "{:<LABEL$}{:>VALUE$}{:>12}", "CPU", "server", "generator");
    let mut row = |name: &str, server: String, generator: String| {
        _ = writeln!(text, "{name:<LABEL$}{server:>VALUE$}{generator:>12}");
    };
    row("  of a core", shown(server.busy, percent), shown(generator.busy, percent));
    if results.deliveries > 0 {
        let each = (server.cpu_us_per_delivery, generator.cpu_us_per_delivery);
        row("  a delivery", shown(each.0, time), shown(each.1, time));
    }
}

fn memory(text: &mut String, results: &Results) {
    let (server, kernel) = (&results.server, &results.kernel);
    if server.user_bytes_per_connection.is_none() && kernel.bytes_per_connection.is_none() {
        return;
    }
    _ = writeln!(text, "memory of each of {} connections", whole(results.connections));
    if let Some(each) = server.user_bytes_per_connection {
        let total = server.rss_before.zip(server.rss_after);
        let words = total.map_or_else(String::new, |(before, after)| {
            format!("server resident {} before, {} with all", size(before), size(after))
        });
        line(text, "  user", &bytes(each), &words);
    }
    if let Some(each) = kernel.bytes_per_connection {
        let words = kernel.tcp_mem_bytes.map_or_else(String::new, |tcp| {
            format!("both ends on this machine; {} in TCP buffers", size(tcp))
        });
        line(text, "  kernel", &bytes(each), &words);
    }
}

fn extra(text: &mut String, results: &Results) {
    if results.extra.is_empty() {
        return;
    }
    let names = results.extra.iter().map(|extra| plain(&extra.name).chars().count());
    let room = names.max().unwrap_or_default().clamp(LABEL, 56) + 2;
    for extra in &results.extra {
        let name = shortened(&plain(&extra.name), room - 2);
        let value = shortened(&figure(extra.value, &plain(&extra.unit)), WIDTH - room);
        _ = writeln!(text, "{name:<room$}{value:>VALUE$}");
    }
}

fn line(text: &mut String, name: &str, value: &str, words: &str) {
    let full = format!("{name:<LABEL$}{value:>VALUE$}   {words}");
    _ = writeln!(text, "{}", full.trim_end());
}

/// A paragraph, broken between words.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += len;
    }
    text + "\n"
}

/// Without what a terminal would obey: results may come from a file.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

fn per_second(rate: f64) -> String {
    format!("{}/s", number(rate.round()))
}

fn whole(count: u64) -> String {
    number(to_f64(count))
}

fn size(count: u64) -> String {
    bytes(to_f64(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Faults;

    fn run() -> Results {
        let mut results = Results::new("fanout", "ws://127.0.0.1:41234/ws");
        results.seconds = 10.0;
        results.connections = 1_000;
        results.handshakes = 1_000;
        results.handshakes_per_s = Some(33_512.4);
        results.server.cpu_us_per_handshake = Some(27.4);
        results.deliveries = 18_700_000;
        results.deliveries_per_s = Some(1_870_000.0);
        results.sends = 187_000;
        results.latency_us.record_n(393, 990);
        results.latency_us.record_n(1_245, 10);
        results.server.busy = Some(0.998);
        results.server.cpu_us_per_delivery = Some(0.54);
        results.generator.busy = Some(0.87);
        results.generator.cpu_us_per_delivery = Some(0.47);
        results.server.user_bytes_per_connection = Some(512.0);
        results.server.rss_before = Some(9_500_000);
        results.server.rss_after = Some(10_012_000);
        results.kernel.bytes_per_connection = Some(8_300.0);
        results.kernel.tcp_mem_bytes = Some(1_200_000);
        results
    }

    #[track_caller]
    fn check(results: &Results, expect: &str) {
        let text = render(results);
        assert_eq!(text, expect.trim_start_matches('\n'), "\n{text}");
    }

    #[test]
    fn everything_stands_in_columns() {
        let expect = "
fanout        ws://127.0.0.1:41234/ws  10.0 s

handshakes      33,512/s   1,000 opened, 27.4 µs of server CPU each
deliveries      1.87 M/s   18.7 M of 187 k sent
latency              p50       p90       p99     p99.9       max
                  393 µs    393 µs    393 µs   1.25 ms   1.25 ms

CPU               server   generator
  of a core        100 %        87 %
  a delivery     0.54 µs     0.47 µs

memory of each of 1,000 connections
  user             512 B   server resident 9.50 MB before, 10.0 MB with all
  kernel         8.30 KB   both ends on this machine; 1.20 MB in TCP buffers

ok: every delivery came once and in order
";
        check(&run(), expect);
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let mut results = Results::new("echo", "ws://chat.example/ws");
        results.label = Some("theirs".to_owned());
        results.deliveries = 5;
        results.sends = 5;
        results.generator.busy = Some(0.004);
        let expect = "
echo          theirs, ws://chat.example/ws

deliveries             –   5 of 5 sent

CPU               server   generator
  of a core            –       0.4 %
  a delivery           –           –

ok: every delivery came once and in order
";
        check(&results, expect);
        check(&Results::new("idle", "tcp://[::1]:9000"), "idle          tcp://[::1]:9000\n\nok\n");
    }

    #[test]
    fn what_is_wrong_is_said_last_and_in_words() {
        let mut results = Results::new("storm", "ws://127.0.0.1:1/ws");
        results.faults = Faults {
            gaps: 3,
            duplicates: 1,
            reordered: 2,
            lost: 1,
            unexpected: 12_345,
            disconnected: 2,
        };
        results.fail("the server ended with exit status 101");
        results.add("until everyone was back", 1_234_567.0, "us");
        results.add("resumed", 19_000.0, "");
        let expect = "
storm         ws://127.0.0.1:1/ws

until everyone was back      1.23 s
resumed                      19,000

FAILED: 3 messages were skipped, 1 message came twice, 2 messages came out of
order, 1 message never came, 12,345 messages were not expected, 2 connections
were cut by the server, the server ended with exit status 101
";
        check(&results, expect);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_and_none_is_obeyed_by_it() {
        let mut results = run();
        results.scenario = "\u{1b}[2J".to_owned();
        results.label = Some("x".repeat(200));
        results.add(&"name ".repeat(30), 1e300, &"\u{7}unit".repeat(40));
        results.fail(format!("because\n\u{1b}[31m {}", "of this ".repeat(40)));
        results.connections = u64::MAX;
        results.server.rss_after = Some(u64::MAX);
        results.kernel.tcp_mem_bytes = Some(u64::MAX);
        results.handshakes = u64::MAX;
        results.deliveries = u64::MAX;
        let text = render(&results);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
