//! Numbers as people read them: three digits and a unit.

/// A number in its place: `7`, `1,234`, `56,789`, `187 k`, `1.87 M`.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size < 1e5 && value.fract() == 0.0 {
        return grouped(value);
    }
    if (999.5..99_999.5).contains(&size) {
        return grouped(value.round());
    }
    scaled(value, 1e3, &[" G", " M", " k", ""])
}

/// A time in microseconds: `0.54 µs`, `393 µs`, `1.25 ms`, `2.50 s`.
pub(super) fn time(us: f64) -> String {
    scaled(us, 1e3, &[" s", " ms", " µs"])
}

/// Bytes: `512 B`, `8.30 KB`, `19.9 MB`. A KB is a thousand.
pub(super) fn bytes(value: f64) -> String {
    if value.abs() < 999.5 {
        return format!("{value:.0} B");
    }
    scaled(value, 1e3, &[" TB", " GB", " MB", " KB", " B"])
}

/// A share of one as per cent: `98 %`, `0.4 %`, `0.02 %`.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    let size = value.abs();
    let behind = match size {
        _ if size == 0.0 || size >= 1e6 => return format!("{} %", digits(value)),
        _ if size < 0.095 => 2,
        _ if size < 9.95 => 1,
        _ => 0,
    };
    format!("{value:.behind$} %")
}

/// Seconds: `10.0 s`, `150 s`.
pub(super) fn seconds(value: f64) -> String {
    format!("{} s", digits(value))
}

/// A figure in the unit that it names.
pub(super) fn figure(value: f64, unit: &str) -> String {
    match unit {
        "us" | "µs" => time(value),
        "ms" => time(value * 1e3),
        "s" => time(value * 1e6),
        "bytes" | "B" => bytes(value),
        "share" => percent(value),
        "" => number(value),
        unit if unit.starts_with('/') => format!("{}{unit}", number(value)),
        unit => format!("{} {unit}", number(value)),
    }
}

/// Divides `value` by `step` until it has at most three digits before the point. `units` ends with
/// that of `value` itself.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter().rev();
    let mut unit = units.next().copied().unwrap_or_default();
    for next in units {
        // What would be rounded up to four digits is of the next unit.
        if value.abs() < 999.5 {
            break;
        }
        value /= step;
        unit = next;
    }
    format!("{}{unit}", digits(value))
}

/// Three digits, as far as they are after the point; no point without need.
fn digits(value: f64) -> String {
    let size = value.abs();
    let behind = if size < 9.995 { 2 } else { usize::from(size < 99.95) };
    match size {
        _ if !size.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        // A file may say anything; it should not be a line long.
        1e9.. => format!("{value:.2e}"),
        _ => format!("{value:.behind$}"),
    }
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let plain = format!("{value:.0}");
    let mut text = String::with_capacity(plain.len() + 2);
    for (index, digit) in plain.chars().enumerate() {
        let left = plain.len() - index;
        let after_digit = text.chars().last().is_some_and(|last| last.is_ascii_digit());
        if left.is_multiple_of(3) && after_digit {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(of: fn(f64) -> String, cases: &[(f64, &str)]) {
        for (value, expect) in cases {
            assert_eq!(of(*value), *expect, "{value}");
        }
    }

    #[test]
    fn numbers_are_exact_while_they_are_short() {
        check(
            number,
            &[(0.0, "0"), (7.0, "7"), (999.0, "999"), (1000.0, "1,000"), (-1234.0, "-1,234")],
        );
        check(number, &[(99_999.0, "99,999"), (100_000.0, "100 k"), (33_512.7, "33,513")]);
        check(number, &[(0.128, "0.13"), (12.34, "12.3"), (187_300.0, "187 k")]);
        check(number, &[(999_499.0, "999 k"), (999_500.0, "1.00 M"), (1_870_000.0, "1.87 M")]);
        check(number, &[(2.5e9, "2.50 G"), (2.5e13, "25000 G")]);
    }

    #[test]
    fn times_and_bytes_have_three_digits_in_the_unit_that_fits() {
        check(time, &[(0.0, "0 µs"), (0.54, "0.54 µs"), (4.06, "4.06 µs"), (27.4, "27.4 µs")]);
        check(
            time,
            &[(393.0, "393 µs"), (999.5, "1.00 ms"), (1245.0, "1.25 ms"), (2.5e6, "2.50 s")],
        );
        check(time, &[(3.6e9, "3600 s")]);
        check(bytes, &[(0.0, "0 B"), (512.4, "512 B"), (8300.0, "8.30 KB"), (19.9e6, "19.9 MB")]);
        check(bytes, &[(7.6e9, "7.60 GB"), (-2000.0, "-2.00 KB")]);
    }

    #[test]
    fn shares_are_per_cent() {
        check(
            percent,
            &[
                (0.0, "0 %"),
                (0.0002, "0.02 %"),
                (0.004, "0.4 %"),
                (0.0994, "9.9 %"),
                (0.0996, "10 %"),
            ],
        );
        check(percent, &[(1.0, "100 %"), (1.87, "187 %"), (1e300, "1.00e302 %")]);
        check(percent, &[(f64::MAX, "– %")]);
    }

    #[test]
    fn absurd_values_stay_short() {
        check(number, &[(1e300, "1.00e291 G"), (f64::INFINITY, "– G"), (f64::NAN, "– G")]);
        check(seconds, &[(1e308, "1.00e308 s"), (10.0, "10.0 s"), (0.25, "0.25 s")]);
    }

    #[test]
    fn a_figure_says_its_own_unit() {
        let check = |value, unit, expect: &str| assert_eq!(figure(value, unit), expect);
        check(1250.0, "us", "1.25 ms");
        check(1.5, "ms", "1.50 ms");
        check(2.0, "s", "2.00 s");
        check(2048.0, "bytes", "2.05 KB");
        check(0.5, "share", "50 %");
        check(1500.0, "/s", "1,500/s");
        check(3.0, "", "3");
        check(3.0, "rooms", "3 rooms");
    }
}
