//! What a setting can be: for each kind of value one parser and the renderer that inverts it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::setting::Given;
use crate::log::Filter;

/// A kind of value. What `render` writes, `parse` reads back.
pub(super) trait Kind<T> {
    /// The value, or a sentence without a subject that says what it must be.
    fn parse(&self, given: &Given) -> Result<T, String>;

    /// The value as TOML.
    fn render(&self, value: &T) -> String;
}

/// A whole number within bounds.
pub(super) struct Count<T>(pub(super) RangeInclusive<T>);

impl<T: Number> Kind<T> for Count<T> {
    fn parse(&self, given: &Given) -> Result<T, String> {
        let number = given.integer().ok_or_else(|| {
            format!("must be a whole number between {} and {}", self.0.start(), self.0.end())
        })?;
        within(number, &self.0)
    }

    fn render(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A number of bytes within bounds: whole, or text with a unit.
pub(super) struct Size(pub(super) RangeInclusive<usize>);

impl Kind<usize> for Size {
    fn parse(&self, given: &Given) -> Result<usize, String> {
        let bytes = given.integer().or_else(|| parse_size(given.text()?)).ok_or_else(|| {
            r#"must be a number of bytes such as 65536 or "64KiB" (units: B, KiB, MiB, GiB)"#
                .to_owned()
        })?;
        within(bytes, &self.0)
    }

    fn render(&self, value: &usize) -> String {
        match SIZE_UNITS.iter().find(|(_, factor)| *value > 0 && value.is_multiple_of(*factor)) {
            Some((unit, factor)) => format!("\"{}{unit}\"", value / factor),
            None => value.to_string(),
        }
    }
}

/// From the largest down, so that the first one that divides a value is its natural one.
const SIZE_UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_size(text: &str) -> Option<i128> {
    let (digits, unit) = split_unit(text)?;
    let factor = match unit {
        "B" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    digits.parse::<i128>().ok()?.checked_mul(i128::try_from(factor).ok()?)
}

/// A length of time within bounds: text with a unit.
pub(super) struct Span(pub(super) RangeInclusive<Duration>);

impl Kind<Duration> for Span {
    fn parse(&self, given: &Given) -> Result<Duration, String> {
        let span = given
            .text()
            .and_then(parse_span)
            .ok_or_else(|| format!("must be a time such as {}", self.examples()))?;
        if !self.0.contains(&span) {
            let (min, max) = (render_span(*self.0.start()), render_span(*self.0.end()));
            return Err(format!("must be between {min} and {max}"));
        }
        Ok(span)
    }

    fn render(&self, value: &Duration) -> String {
        format!("\"{}\"", render_span(*value))
    }
}

impl Span {
    fn examples(&self) -> &'static str {
        if *self.0.end() > Duration::from_hours(24) {
            r#""10m", "12h", "90d" or "1y" (365 days)"#
        } else {
            r#""250ms", "10s", "2m" or "1h""#
        }
    }
}

/// From the largest down, as for the sizes.
const SPAN_UNITS: [(&str, u64); 6] = [
    ("y", 365 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

fn parse_span(text: &str) -> Option<Duration> {
    let (digits, unit) = split_unit(text)?;
    let (_, factor) = SPAN_UNITS.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor).map(Duration::from_millis)
}

/// The time in the largest unit that divides it.
pub(super) fn render_span(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let divides = |(_, factor): &&(&str, u64)| millis > 0 && millis.is_multiple_of(*factor);
    let (unit, factor) = SPAN_UNITS.iter().find(divides).unwrap_or(&("ms", 1));
    format!("{}{unit}", millis / factor)
}

/// `64KiB` is `64` and `KiB`; both parts must be there, and a space between them is allowed.
fn split_unit(text: &str) -> Option<(&str, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let (digits, unit) = text.split_at_checked(at)?;
    Some((digits, unit.strip_prefix(' ').unwrap_or(unit)))
}

/// Either the given word, which stands for `None`, or what the inner kind takes.
pub(super) struct Or<K>(pub(super) &'static str, pub(super) K);

impl<T, K: Kind<T>> Kind<Option<T>> for Or<K> {
    fn parse(&self, given: &Given) -> Result<Option<T>, String> {
        if given.text() == Some(self.0) {
            return Ok(None);
        }
        match self.1.parse(given) {
            Ok(value) => Ok(Some(value)),
            Err(expected) if given.integer() == Some(0) => {
                Err(format!("{expected}; zero never means \"no limit\", write {:?}", self.0))
            }
            Err(expected) => Err(format!("{expected}, or {:?}", self.0)),
        }
    }

    fn render(&self, value: &Option<T>) -> String {
        value.as_ref().map_or_else(|| quote(self.0), |value| self.1.render(value))
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Kind<bool> for Switch {
    fn parse(&self, given: &Given) -> Result<bool, String> {
        match given {
            Given::Boolean(value) => Ok(*value),
            Given::Word(word) if word == "true" => Ok(true),
            Given::Word(word) if word == "false" => Ok(false),
            Given::Text(text) if text == "true" || text == "false" => {
                Err("must be true or false, without quotes".to_owned())
            }
            _ => Err("must be true or false".to_owned()),
        }
    }

    fn render(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// An IP address and a port.
pub(super) struct Address;

impl Kind<SocketAddr> for Address {
    fn parse(&self, given: &Given) -> Result<SocketAddr, String> {
        given.text().and_then(|text| text.parse().ok()).ok_or_else(|| {
            r#"must be an IP address and a port such as "127.0.0.1:8080" or "[::]:8080""#.to_owned()
        })
    }

    fn render(&self, value: &SocketAddr) -> String {
        format!("\"{value}\"")
    }
}

/// The path of a directory, which need not exist.
pub(super) struct Directory;

impl Kind<PathBuf> for Directory {
    fn parse(&self, given: &Given) -> Result<PathBuf, String> {
        let text = given.text().filter(|text| !text.is_empty() && !text.contains('\0'));
        text.map(PathBuf::from).ok_or_else(|| "must be the path of a directory".to_owned())
    }

    fn render(&self, value: &PathBuf) -> String {
        quote(&value.to_string_lossy())
    }
}

/// One of a few words, each of which stands for a value.
pub(super) struct Word<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind<T> for Word<T> {
    fn parse(&self, given: &Given) -> Result<T, String> {
        let found = self.0.iter().find(|(word, _)| given.text() == Some(word));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = self.0.iter().map(|(word, _)| quote(word)).collect();
            format!("must be {}", words.join(" or "))
        })
    }

    fn render(&self, value: &T) -> String {
        let word = self.0.iter().find(|(_, known)| known == value);
        quote(word.map_or("", |(word, _)| word))
    }
}

/// Which log lines are written.
pub(super) struct FilterText;

impl Kind<Filter> for FilterText {
    fn parse(&self, given: &Given) -> Result<Filter, String> {
        given.text().and_then(|text| text.parse().ok()).ok_or_else(|| {
            "must be off, error, warn, info, debug or trace, or several with a module's name \
             such as \"info,session=debug\""
                .to_owned()
        })
    }

    fn render(&self, value: &Filter) -> String {
        quote(&value.to_string())
    }
}

/// Any number of texts: an array in the file, separated by commas elsewhere.
pub(super) struct ListOf<T>(pub(super) T);

impl<T: Kind<String>> Kind<Vec<String>> for ListOf<T> {
    fn parse(&self, given: &Given) -> Result<Vec<String>, String> {
        let items: Vec<String> = match given {
            Given::List(items) => items.clone(),
            Given::Word(word) if word.is_empty() => Vec::new(),
            Given::Word(word) => word.split(',').map(|item| item.trim().to_owned()).collect(),
            _ => return Err("must be a list of strings such as [\"one\", \"two\"]".to_owned()),
        };
        let parse = |item: String| {
            let given = Given::Text(item);
            self.0.parse(&given).map_err(|expected| format!("{given} {expected}"))
        };
        items.into_iter().map(parse).collect()
    }

    fn render(&self, value: &Vec<String>) -> String {
        let items: Vec<_> = value.iter().map(|item| self.0.render(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// What a [`Count`] can hold.
pub(super) trait Number: Copy + Display + PartialOrd + TryFrom<i128> {}

impl Number for u32 {}
impl Number for u64 {}
impl Number for usize {}

fn within<T: Number>(number: i128, bounds: &RangeInclusive<T>) -> Result<T, String> {
    let value = T::try_from(number).ok().filter(|value| bounds.contains(value));
    value.ok_or_else(|| format!("must be between {} and {}", bounds.start(), bounds.end()))
}

/// The text as a TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}
