//! What a person reads in a terminal.

use std::fmt::Write as _;

use super::latency::Latency;
use super::results::{Faults, Results, float as to_f64};
use super::units::{bytes, figure, number, percent, seconds, time};

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Columns of what a line is about.
const LABEL: usize = 14;
/// Columns of a value.
const VALUE: usize = 10;

/// The results in at most 80 columns, ending with a line that says whether all is well.
#[must_use]
pub fn render(results: &Results) -> String {
    let mut text = String::new();
    heading(&mut text, results);
    traffic(&mut text, results);
    latency(&mut text, &results.latency_us);
    cpu(&mut text, results);
    memory(&mut text, results);
    extra(&mut text, results);
    if let Some(warning) = warning(results) {
        wrapped(&mut text, &warning);
    }
    wrapped(&mut text, &verdict(results));
    text
}

/// What limits the meaning of the figures, if something does.
#[must_use]
pub fn warning(results: &Results) -> Option<String> {
    let generator = &results.generator;
    let busy = generator.busy.filter(|_| generator.is_bottleneck)?;
    let of = if generator.processes > 1 {
        format!(" in {} processes", generator.processes)
    } else {
        String::new()
    };
    Some(format!(
        "warning: the generator was the bottleneck ({} of a core{of}): rates are lower bounds and \
         latencies include its own; compare the server's CPU instead",
        percent(busy)
    ))
}

/// `ok`, or `FAILED` and what went wrong, in words.
#[must_use]
pub fn verdict(results: &Results) -> String {
    let mut wrong = fault_words(results.faults);
    wrong.extend(results.failures.iter().map(|failure| plain(failure)));
    match (results.ok && wrong.is_empty(), wrong.is_empty()) {
        (true, _) if results.deliveries > 0 => {
            "ok: every delivery came once and in order".to_owned()
        }
        (true, _) => "ok".to_owned(),
        (false, true) => "FAILED".to_owned(),
        (false, false) => format!("FAILED: {}", wrong.join(", ")),
    }
}

fn fault_words(faults: Faults) -> Vec<String> {
    let Faults { gaps, duplicates, reordered, lost, unexpected, disconnected } = faults;
    let named = [
        (gaps, "message was skipped", "messages were skipped"),
        (duplicates, "message came twice", "messages came twice"),
        (reordered, "message came out of order", "messages came out of order"),
        (lost, "message never came", "messages never came"),
        (unexpected, "message was not expected", "messages were not expected"),
        (disconnected, "connection was cut by the server", "connections were cut by the server"),
    ];
    let counted = named.into_iter().filter(|(count, _, _)| *count > 0);
    counted
        .map(|(count, one, many)| {
            format!("{} {}", whole(count), if count == 1 { one } else { many })
        })
        .collect()
}

fn heading(text: &mut String, results: &Results) {
    let scenario = plain(&results.scenario);
    let lasted = if results.seconds > 0.0 { seconds(results.seconds) } else { String::new() };
    let name = results.label.as_ref().map_or_else(String::new, |label| format!("{label}, "));
    let target = format!("{name}{}", results.target);
    let room = WIDTH.saturating_sub(LABEL + lasted.chars().count() + 2);
    let target = shortened(&plain(&target), room);
    _ = writeln!(text, "{}", format!("{scenario:<LABEL$}{target}  {lasted}").trim_end());
    text.push('\n');
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
    _ = writeln!(text, "\n{:<LABEL$}{:>VALUE$}{:>12}", "CPU", "server", "generator");
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
    _ = writeln!(text, "\nmemory of each of {} connections", whole(results.connections));
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
    text.push('\n');
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

/// A paragraph of its own, broken between words.
fn wrapped(text: &mut String, paragraph: &str) {
    let mut column = 0;
    text.push('\n');
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
    text.push('\n');
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
