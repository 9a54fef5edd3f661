//! The page around pictures and tables, and the file around one picture.

use std::fmt::Write as _;

use super::canvas::{Finished, WIDTH};
use super::escape::Escaped;
use super::{Picture, pictures, tables};
use crate::results::{Results, float};
use crate::summary;
use crate::units::{bytes, number, time};

const PICTURE_STYLE: &str = include_str!("picture.css");
const PAGE_STYLE: &str = include_str!("page.css");
/// Nothing on the page may load or run anything, whatever a file of results says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The pictures in the order of the page, each with what a reader must know to read it.
const SHOWN: &[(Picture, &str)] = &[
    (
        Picture::Rates,
        "Messages that arrived in a second, counted at each recipient; more is better.",
    ),
    (Picture::Costs, "What the server takes for each of them; less is better."),
    (
        Picture::Footprints,
        "What the server's memory grows by with each connection; less is better.",
    ),
    (
        Picture::Latency,
        "How long the given share of all deliveries took at most. Each step to the right leaves out nine \
         tenths of the rest: the further right, the rarer.",
    ),
    (Picture::Histogram, "How often which latency occurred; the slowest thousandth is left out."),
    (Picture::LatencyOverTime, "The median and the 99th percentile of each interval."),
    (Picture::Throughput, "Messages that arrived, counted at each recipient."),
    (Picture::Cpu, "Time on a core, of the server and of the generator that loads it."),
    (
        Picture::Memory,
        "What is resident of the server, and what the kernel's tables and buffers have grown by since \
         the beginning, for both ends of all connections.",
    ),
    (Picture::MemoryOverConnections, "The same while the connections are opened."),
    (Picture::Connections, "Connections that were open."),
];

/// The whole page.
pub(super) fn render(results: &[Results]) -> String {
    let title = Escaped(&title(results)).to_string();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{PICTURE_STYLE}{PAGE_STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n"
    );
    _ = writeln!(html, "<p class=\"soft\">{}</p>", Escaped(&origin(results)));
    verdicts(&mut html, results);
    if let [only] = results {
        tiles(&mut html, only);
    }
    html.push_str("<h2>Pictures</h2>\n<div class=\"pictures\">\n");
    for (picture, caption) in SHOWN {
        figure(&mut html, *picture, caption, results);
    }
    html.push_str("</div>\n<h2>Figures</h2>\n");
    html.push_str(&tables::figures(results));
    html.push_str("<h2>Settings</h2>\n");
    html.push_str(&tables::settings(results));
    commands(&mut html, results);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// A picture as a file, on a background of its own.
pub(super) fn standalone(picture: &Finished) -> String {
    let (width, shown) = (WIDTH / 2, picture.height.div_ceil(2));
    let size = format!("width=\"{width}\" height=\"{shown}\" ");
    let ground = "<rect class=\"f-paper\" width=\"100%\" height=\"100%\" rx=\"20\"/>\n";
    wrapped(picture, &size, &format!("<style>\n{PICTURE_STYLE}</style>\n{ground}"))
}

/// Puts the drawing into an element that is as wide as there is room, or as `size` says.
fn wrapped(picture: &Finished, size: &str, before: &str) -> String {
    let (height, title) = (picture.height, Escaped(&picture.title));
    let (_, drawing) = picture.svg.split_once('>').unwrap_or_default();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" {size}viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n{before}{}\n",
        drawing.trim()
    )
}

fn title(results: &[Results]) -> String {
    let first = results.first().map_or("", |run| run.scenario.as_str());
    let alike = results.iter().all(|run| run.scenario == first);
    match results {
        [] => "No results".to_owned(),
        [only] => match &only.label {
            Some(label) => format!("{}: {label}", only.scenario),
            None => only.scenario.clone(),
        },
        runs if alike => format!("{first}: {} runs", runs.len()),
        runs => format!("{} runs", runs.len()),
    }
}

/// When and where the first run was, in a line.
fn origin(results: &[Results]) -> String {
    let Some(run) = results.first() else { return String::new() };
    let machine = &run.machine;
    let day = run.date.split('T').next().unwrap_or_default();
    let cores = match machine.cores {
        0 => String::new(),
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    let version = format!("chinwag-bench {}", run.chinwag);
    let commit = run.commit.as_ref().map_or_else(String::new, |commit| format!("commit {commit}"));
    let parts = [day, &machine.cpu, &cores, &machine.kernel, &version, &commit];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// What went wrong, and what limits the figures; and that all is well if it is.
fn verdicts(html: &mut String, results: &[Results]) {
    let name = |run: &Results| match results.len() {
        1 => String::new(),
        _ => format!("{}: ", run.name()),
    };
    for run in results.iter().filter(|run| !run.ok) {
        let text = format!("{}{}", name(run), summary::verdict(run));
        _ = writeln!(html, "<p class=\"bad\">{}</p>", Escaped(&text));
    }
    if !results.is_empty() && results.iter().all(|run| run.ok && run.deliveries > 0) {
        html.push_str(
            "<p>Every delivery was verified: none was lost, doubled or out of order.</p>\n",
        );
    }
    for run in results {
        if let Some(warning) = summary::warning(run) {
            let text = format!("{}{warning}", name(run));
            _ = writeln!(html, "<p class=\"bad\">{}</p>", Escaped(&text));
        }
    }
}

/// The figures that a reader looks for first.
fn tiles(html: &mut String, run: &Results) {
    let quantile = |quantile| run.latency_us.quantile(quantile).map(|us| time(float(us)));
    let deliveries = run.deliveries_per_s.filter(|_| run.deliveries > 0);
    let handshakes = run.handshakes_per_s.filter(|_| deliveries.is_none());
    let all = [
        (deliveries.map(|rate| number(rate.round())), "deliveries a second"),
        (handshakes.map(|rate| number(rate.round())), "connections opened a second"),
        (quantile(0.5), "median latency"),
        (quantile(0.99), "99th percentile"),
        (run.server.cpu_us_per_delivery.map(time), "server CPU a delivery"),
        (run.server.user_bytes_per_connection.map(bytes), "server memory a connection"),
        (run.kernel.bytes_per_connection.map(bytes), "kernel memory a connection"),
    ];
    html.push_str("<div class=\"tiles\">\n");
    for (value, name) in all {
        if let Some(value) = value {
            _ = writeln!(html, "<div><b>{value}</b><span>{name}</span></div>");
        }
    }
    html.push_str("</div>\n");
}

fn figure(html: &mut String, picture: Picture, caption: &str, results: &[Results]) {
    if let Some(picture) = pictures::draw(picture, results) {
        html.push_str("<figure>\n");
        html.push_str(&wrapped(&picture, "", ""));
        _ = writeln!(html, "<figcaption>{caption}</figcaption>\n</figure>");
    }
}

/// How each run can be repeated.
fn commands(html: &mut String, results: &[Results]) {
    let commands: Vec<_> =
        results.iter().map(|run| run.command.as_str()).filter(|line| !line.is_empty()).collect();
    if !commands.is_empty() {
        let lines = commands.join("\n");
        _ = writeln!(html, "<h2>Command</h2>\n<pre>{}</pre>", Escaped(&lines));
    }
}
