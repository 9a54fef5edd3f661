//! Results as a page and as pictures.

mod bars;
mod canvas;
mod colours;
mod command;
mod distribution;
mod escape;
mod frame;
mod legend;
mod page;
mod pictures;
mod plot;
mod tables;
mod ticks;

use super::results::Results;

pub use command::run;

/// A picture of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Latency by percentile.
    Latency,
    /// How often which latency occurred.
    Histogram,
    /// The median and the 99th percentile over time.
    LatencyOverTime,
    /// Deliveries a second over time.
    Throughput,
    /// User and kernel memory over time.
    Memory,
    /// User and kernel memory over connections.
    MemoryOverConnections,
    /// Open connections over time.
    Connections,
    /// The CPU of both ends over time.
    Cpu,
    /// Deliveries a second of several runs.
    Rates,
    /// The server's CPU for a delivery, of several runs.
    Costs,
    /// The server's memory for a connection, of several runs.
    Footprints,
}

impl Picture {
    /// Every picture with its name on the command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("latency", Self::Latency),
        ("histogram", Self::Histogram),
        ("latency-over-time", Self::LatencyOverTime),
        ("throughput", Self::Throughput),
        ("memory", Self::Memory),
        ("memory-over-connections", Self::MemoryOverConnections),
        ("connections", Self::Connections),
        ("cpu", Self::Cpu),
        ("rates", Self::Rates),
        ("costs", Self::Costs),
        ("footprints", Self::Footprints),
    ];
}

/// One HTML page that needs nothing else, about one run or comparing several.
#[must_use]
pub fn html(results: &[Results]) -> String {
    page::render(results)
}

/// One picture as an SVG file of its own, `None` if no run has measured what it shows.
#[must_use]
pub fn picture(picture: Picture, results: &[Results]) -> Option<String> {
    pictures::draw(picture, results).as_ref().map(page::standalone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Sample;

    fn run(label: &str) -> Results {
        let mut results = Results::new("fanout", "ws://127.0.0.1:1/ws");
        results.label = Some(label.to_owned());
        results.deliveries = 100;
        results.deliveries_per_s = Some(1_000.0);
        results.latency_us.record_n(250, 90);
        results.latency_us.record_n(4_000, 10);
        results.series = (0..5)
            .map(|second: u32| Sample {
                at_s: f64::from(second),
                connections: u64::from(second),
                deliveries_per_s: 1_000.0,
                server_busy: Some(0.5),
                server_rss: Some(1_000_000),
                p50: Some(250),
                ..Sample::default()
            })
            .collect();
        results.server.cpu_us_per_delivery = Some(0.5);
        results.server.user_bytes_per_connection = Some(512.0);
        results
    }

    #[test]
    fn a_page_has_all_that_was_measured_and_needs_nothing_else() {
        let page = html(&[run("mine")]);
        assert!(page.starts_with("<!doctype html>"));
        let parts = ["<h1>fanout: mine</h1>", "Latency by percentile", "Throughput", "4.00 ms"];
        for part in parts {
            assert!(page.contains(part), "{part} in {page}");
        }
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        for part in ["http:", "https:", "src=", "href=", "<script", "url(", "@import"] {
            assert!(!outside.contains(part), "{part} in {page}");
        }
        let opened = page.matches("<svg").count();
        assert_eq!((opened, page.matches("</svg>").count()), (Picture::NAMES.len() - 3, opened));
    }

    #[test]
    fn several_runs_stand_side_by_side() {
        let page = html(&[run("mine"), run("theirs")]);
        assert!(page.contains("<h1>fanout: 2 runs</h1>"), "{page}");
        assert!(page.contains("s-c0") && page.contains("s-c1"), "{page}");
        assert!(page.matches(">theirs<").count() >= 1, "{page}");
        assert_eq!(page.matches("<svg").count(), Picture::NAMES.len());
    }

    #[test]
    fn nothing_from_a_file_is_markup() {
        let hostile =
            "</style></svg></pre><script>alert(1)</script><img src=x onerror='a' \" &amp;";
        let text = serde_json::to_string(hostile).unwrap();
        let fields = "chinwag date command commit scenario target label";
        let fields: Vec<_> = fields.split(' ').map(|name| format!("\"{name}\":{text},")).collect();
        let fields = fields.concat();
        let json = format!(
            "{{{fields}\"machine\":{{\"cpu\":{text},\"cores\":2,\"kernel\":{text}}},\
             \"settings\":{{{text}:{text},\"b\":[{text}]}},\"failures\":[{text}],\
             \"extra\":[{{\"name\":{text},\"value\":1,\"unit\":{text}}}],\
             \"generator\":{{\"busy\":1,\"is_bottleneck\":true}},\
             \"latency_us\":{{\"values\":[[1,1]]}},\"series\":[{{\"connections\":1}}]}}"
        );
        let hostile: Results = serde_json::from_str(&json).unwrap();
        let two = [hostile.clone(), hostile];
        for page in [html(&two[..1]), html(&two)] {
            for part in ["<script", "<img", "</pre><", "'a'"] {
                assert!(!page.contains(part), "{part} in {page}");
            }
            assert_eq!(page.matches("</style>").count(), 1);
            assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        }
        for (_, kind) in Picture::NAMES {
            let svg = picture(*kind, &two).unwrap_or_default();
            assert!(!svg.contains("<script") && svg.matches("</style>").count() <= 1, "{svg}");
        }
    }

    #[test]
    fn whatever_a_file_says_there_is_a_page() {
        let cases = [
            "{}",
            r#"{"series":[{"at_s":-1e308,"deliveries_per_s":1e308,"p50":18446744073709551615}]}"#,
            r#"{"series":[{"at_s":1e308,"connections":18446744073709551615,"server_busy":-1e308}]}"#,
            r#"{"latency_us":{"values":[[0,18446744073709551615],[18446744073709551615,1]]}}"#,
            r#"{"seconds":1e308,"deliveries_per_s":-1e308,"server":{"busy":1e308,"rss_after":18446744073709551615}}"#,
        ];
        for json in cases {
            let results: Results = serde_json::from_str(json).unwrap();
            let page = html(&[results.clone(), results]);
            assert!(page.ends_with("</html>\n"), "{json}");
            assert!(!page.contains("NaN") && !page.contains("inf"), "{json}: {page}");
        }
        assert!(html(&[]).contains("No results"));
    }

    #[test]
    fn a_picture_is_a_file_of_its_own_or_nothing() {
        let runs = [run("mine"), run("theirs")];
        for (name, kind) in Picture::NAMES {
            let svg = picture(*kind, &runs).unwrap_or_else(|| panic!("no {name}"));
            assert!(svg.starts_with("<svg xmlns=") && svg.contains("<style>"), "{name}: {svg}");
        }
        let nothing = [Results::default()];
        assert!(Picture::NAMES.iter().all(|(_, kind)| picture(*kind, &nothing).is_none()));
    }
}
