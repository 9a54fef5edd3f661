//! The text that Prometheus reads: exposition format 0.0.4.
//!
//! Names, helps and label values are `&'static str`: what a client chose cannot become a label, so
//! the number of series is a constant of the program.

use std::fmt::Write as _;

/// A page that grows by one family of series at a time.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// A number that only rises; `name` ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.head(name, "counter", help);
        self.sample(name, "", None, value);
    }

    /// A number that rises and falls.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.head(name, "gauge", help);
        self.sample(name, "", None, value);
    }

    /// Numbers that only rise, told apart by a label.
    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.head(name, "counter", help);
        self.samples(name, label, values);
    }

    /// Numbers that rise and fall, told apart by a label.
    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.head(name, "gauge", help);
        self.samples(name, label, values);
    }

    /// Durations in microseconds by bucket, shown in seconds. `counts` holds one more than
    /// `bounds`: what is above the last bound.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        (bounds, counts): (&[u64], &[u64]),
        sum_micros: u64,
    ) {
        self.head(name, "histogram", help);
        let mut total = 0_u64;
        let bounds = bounds.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counts) {
            total = total.wrapping_add(*count);
            self.sample(name, "_bucket", Some(("le", &bound)), total);
        }
        self.sample(name, "_sum", None, seconds(sum_micros));
        self.sample(name, "_count", None, total);
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &'static str, kind: &'static str, help: &'static str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn samples(
        &mut self,
        name: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        for (value_of_label, value) in values {
            self.sample(name, "", Some((label, value_of_label)), value);
        }
    }

    fn sample(
        &mut self,
        name: &'static str,
        suffix: &'static str,
        label: Option<(&'static str, &str)>,
        value: impl std::fmt::Display,
    ) {
        _ = match label {
            None => writeln!(self.0, "{name}{suffix} {value}"),
            Some((label, text)) => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                writeln!(self.0, "{name}{suffix}{{{label}=\"{text}\"}} {value}")
            }
        };
    }
}

/// Microseconds as seconds, without a float between: `250` is `0.00025`.
fn seconds(micros: u64) -> String {
    let fraction = format!("{:06}", micros % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", micros / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_shown_as_seconds() {
        for (micros, expect) in [
            (0, "0"),
            (1, "0.000001"),
            (250, "0.00025"),
            (1_000_000, "1"),
            (61_500_000, "61.5"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            assert_eq!(seconds(micros), expect);
        }
    }

    #[test]
    fn each_family_has_its_head_and_its_samples() {
        let mut page = Exposition::default();
        page.counter("a_total", "One \\ two\nthree.", 7);
        page.gauges("b", "Four.", "kind", [("x", 1), ("y\"\\\n", 2)].into_iter());
        page.histogram("c_seconds", "Five.", (&[50, 1_000], &[3, 0, 2]), 2_500_000);
        assert_eq!(
            page.finish(),
            "# HELP a_total One \\\\ two\\nthree.\n# TYPE a_total counter\na_total 7\n\
             # HELP b Four.\n# TYPE b gauge\nb{kind=\"x\"} 1\nb{kind=\"y\\\"\\\\\\n\"} 2\n\
             # HELP c_seconds Five.\n# TYPE c_seconds histogram\n\
             c_seconds_bucket{le=\"0.00005\"} 3\nc_seconds_bucket{le=\"0.001\"} 3\n\
             c_seconds_bucket{le=\"+Inf\"} 5\nc_seconds_sum 2.5\nc_seconds_count 5\n"
        );
    }
}
