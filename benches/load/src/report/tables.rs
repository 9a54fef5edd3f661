//! The figures and settings as tables: a row for each, a column for each run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::colours::COLOURS;
use super::escape::Escaped;
use crate::results::{Results, float};
use crate::units::{bytes, figure, number, percent, seconds, time};

/// A row: what it is called, and what a run has there.
type Row = (&'static str, fn(&Results) -> Option<String>);

/// Sections of rows.
const SECTIONS: &[(&str, &[Row])] = &[
    (
        "Traffic",
        &[
            ("measured for", |r| (r.seconds > 0.0).then(|| seconds(r.seconds))),
            ("connections", |r| counted(r.connections)),
            ("connections opened", |r| counted(r.handshakes)),
            ("… a second", |r| r.handshakes_per_s.map(whole)),
            ("messages sent", |r| counted(r.sends)),
            ("deliveries", |r| counted(r.deliveries)),
            ("… a second", |r| r.deliveries_per_s.filter(|_| r.deliveries > 0).map(whole)),
        ],
    ),
    (
        "Latency",
        &[
            ("p50", |r| quantile(r, 0.5)),
            ("p90", |r| quantile(r, 0.9)),
            ("p99", |r| quantile(r, 0.99)),
            ("p99.9", |r| quantile(r, 0.999)),
            ("longest", |r| quantile(r, 1.0)),
        ],
    ),
    (
        "CPU",
        &[
            ("server, of a core", |r| r.server.busy.map(percent)),
            ("server, a delivery", |r| r.server.cpu_us_per_delivery.map(time)),
            ("server, a connection opened", |r| r.server.cpu_us_per_handshake.map(time)),
            ("generator, of a core", |r| r.generator.busy.map(percent)),
            ("generator, a delivery", |r| r.generator.cpu_us_per_delivery.map(time)),
        ],
    ),
    (
        "Memory",
        &[
            ("server, a connection", |r| r.server.user_bytes_per_connection.map(bytes)),
            ("server, resident before", |r| r.server.rss_before.map(size)),
            ("server, resident with all", |r| r.server.rss_after.map(size)),
            ("server, descriptors", |r| r.server.descriptors.map(float).map(number)),
            ("kernel, a connection, both ends", |r| r.kernel.bytes_per_connection.map(bytes)),
            ("kernel, TCP buffers", |r| r.kernel.tcp_mem_bytes.map(size)),
        ],
    ),
    (
        "Faults",
        &[
            ("skipped", |r| counted(r.faults.gaps)),
            ("came twice", |r| counted(r.faults.duplicates)),
            ("out of order", |r| counted(r.faults.reordered)),
            ("never came", |r| counted(r.faults.lost)),
            ("not expected", |r| counted(r.faults.unexpected)),
            ("cut by the server", |r| counted(r.faults.disconnected)),
        ],
    ),
];

/// All figures that some run has.
pub(super) fn figures(results: &[Results]) -> String {
    let mut table = Table::new(results);
    for (name, rows) in SECTIONS {
        table.section(name);
        for (name, of) in *rows {
            table.row(name, results.iter().map(of).collect(), "");
        }
    }
    table.section("This scenario");
    let names = results.iter().flat_map(|run| &run.extra).map(|extra| extra.name.as_str());
    let mut known = BTreeSet::new();
    for name in names.filter(|name| known.insert(*name)) {
        let of = |run: &Results| {
            let extra = run.extra.iter().find(|extra| extra.name == name)?;
            Some(figure(extra.value, &extra.unit))
        };
        table.row(name, results.iter().map(of).collect(), "");
    }
    table.finish()
}

/// All settings that some run has, and where it ran.
pub(super) fn settings(results: &[Results]) -> String {
    let about: [Row; 8] = [
        ("target", |r| named(&r.target)),
        ("date", |r| named(&r.date)),
        ("chinwag", |r| named(&r.chinwag)),
        ("commit", |r| named(r.commit.as_deref()?)),
        ("processor", |r| named(&r.machine.cpu)),
        ("cores", |r| counted(r.machine.cores)),
        ("memory", |r| (r.machine.memory > 0).then(|| size(r.machine.memory))),
        ("kernel", |r| named(&r.machine.kernel)),
    ];
    let mut table = Table::new(results);
    table.section("Scenario");
    table.row("scenario", results.iter().map(|run| named(&run.scenario)).collect(), "text");
    let keys: BTreeSet<_> = results.iter().flat_map(|run| run.settings.keys()).collect();
    for key in keys {
        let values = results.iter().map(|run| run.settings.get(key).map(words)).collect();
        table.row(key, values, "text");
    }
    table.section("Where");
    for (name, of) in about {
        table.row(name, results.iter().map(of).collect(), "text");
    }
    table.finish()
}

/// A table that is being written. A section without rows is left out.
struct Table {
    html: String,
    columns: usize,
    section: Option<String>,
}

impl Table {
    fn new(results: &[Results]) -> Self {
        let mut html = "<div class=\"wide\"><table>\n".to_owned();
        if results.len() > 1 {
            html.push_str("<thead><tr><th></th>");
            for (run, result) in results.iter().enumerate() {
                let name = Escaped(result.name());
                _ = write!(html, "<th>{}{name}</th>", swatch(run));
            }
            html.push_str("</tr></thead>\n");
        }
        html.push_str("<tbody>\n");
        Self { html, columns: results.len() + 1, section: None }
    }

    fn section(&mut self, name: &str) {
        let columns = self.columns;
        let head = format!(
            "<tr class=\"section\"><th colspan=\"{columns}\" scope=\"rowgroup\">{name}</th></tr>\n"
        );
        self.section = Some(head);
    }

    fn row(&mut self, name: &str, values: Vec<Option<String>>, class: &str) {
        if values.iter().all(Option::is_none) {
            return;
        }
        self.html.push_str(&self.section.take().unwrap_or_default());
        _ = write!(self.html, "<tr><th scope=\"row\">{}</th>", Escaped(name));
        for value in values {
            let value = value.unwrap_or_else(|| "–".to_owned());
            _ = write!(self.html, "<td class=\"{class}\">{}</td>", Escaped(&value));
        }
        self.html.push_str("</tr>\n");
    }

    fn finish(mut self) -> String {
        self.html.push_str("</tbody></table></div>\n");
        self.html
    }
}

/// A line in the colour that a run has in the pictures.
fn swatch(run: usize) -> String {
    format!("<i class=\"swatch\" style=\"background:var(--c{})\"></i>", run % COLOURS)
}

fn counted(count: u64) -> Option<String> {
    (count > 0).then(|| number(float(count)))
}

fn whole(value: f64) -> String {
    number(value.round())
}

fn size(count: u64) -> String {
    bytes(float(count))
}

fn quantile(results: &Results, quantile: f64) -> Option<String> {
    results.latency_us.quantile(quantile).map(float).map(time)
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
