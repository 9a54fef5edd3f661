//! Formats an event as one line, whatever it contains.
//!
//! Names and errors come from clients, and terminals, pagers and collectors trust their input: a
//! line feed would forge a line, an escape sequence would paint over one, a bidirectional override
//! would reverse one. So every character that is not visible is written as its number, and every
//! field has a bound.

use std::fmt::{self, Write as _};

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};

use super::Format;
use super::filter::shown;
use super::timestamp::Timestamp;

/// Bytes of a message as it is written; a longer one ends in `…`.
const MESSAGE_BYTES_MAX: usize = 2048;
/// Bytes of a key or value as it is written.
const FIELD_BYTES_MAX: usize = 512;

const _: () = assert!(FIELD_BYTES_MAX <= MESSAGE_BYTES_MAX);

/// The record as a line, with its line feed.
pub(super) fn record(format: Format, wall_ms: u64, record: &Record<'_>) -> String {
    let mut out = String::with_capacity(160);
    let (time, level, target) = (Timestamp(wall_ms), record.level(), shown(record.target()));
    match format {
        Format::Text | Format::Journal => {
            _ = match format {
                Format::Journal => write!(out, "<{}>", priority(level)),
                Format::Text | Format::Json => write!(out, "{time} {level:<5} "),
            };
            field(&mut out, Quote::Never, FIELD_BYTES_MAX, &target);
            out.push(' ');
            field(&mut out, Quote::Never, MESSAGE_BYTES_MAX, record.args());
        }
        Format::Json => {
            _ = write!(out, r#"{{"time":"{time}","level":"{level}","target":"#);
            field(&mut out, Quote::Json, FIELD_BYTES_MAX, &target);
            out.push_str(r#","message":"#);
            field(&mut out, Quote::Json, MESSAGE_BYTES_MAX, record.args());
        }
    }
    // This cannot fail: a value that cannot be formatted is replaced by its error.
    _ = record.key_values().visit(&mut Pairs { out: &mut out, format });
    out.push_str(if format == Format::Json { "}\n" } else { "\n" });
    out
}

/// The number by which syslog and the journal know a level (sd-daemon(3)).
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Appends the key-values.
struct Pairs<'o> {
    out: &'o mut String,
    format: Format,
}

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        match self.format {
            Format::Text | Format::Journal => {
                self.out.push(' ');
                field(self.out, Quote::Never, FIELD_BYTES_MAX, &key);
                self.out.push('=');
                field(self.out, Quote::IfNeeded, FIELD_BYTES_MAX, &value);
                Ok(())
            }
            Format::Json => {
                self.out.push(',');
                field(self.out, Quote::Json, FIELD_BYTES_MAX, &key);
                self.out.push(':');
                value.visit(JsonValue(self.out))
            }
        }
    }
}

/// Writes a value as the type that it has: numbers and booleans bare, all else as a string.
struct JsonValue<'o>(&'o mut String);

impl JsonValue<'_> {
    fn bare(&mut self, value: impl fmt::Display) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }
}

impl VisitValue<'_> for JsonValue<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        field(self.0, Quote::Json, FIELD_BYTES_MAX, &value);
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.bare("null")
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.bare(value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.bare(value)
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        // JSON has no word for infinity.
        if value.is_finite() { self.bare(value) } else { self.visit_any(value.into()) }
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.bare(value)
    }
}

/// What stands around a field, and so what must not stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    /// Nothing.
    Never,
    /// Quotes if it would otherwise be taken for something else.
    IfNeeded,
    /// Quotes, and the escapes of JSON.
    Json,
}

/// Appends `value`, escaped, at most `bytes_max` bytes of it and a few for what stands around it.
fn field(out: &mut String, quote: Quote, bytes_max: usize, value: &dyn fmt::Display) {
    let start = out.len();
    let mut escaper = Escaper { out, quote, end: start + bytes_max, is_cut: false };
    // Only a value's own `Display` can fail; what it has written until then stays.
    _ = write!(escaper, "{value}");
    if escaper.is_cut {
        out.push('…');
    }
    let is_plain = |text: &str| !text.is_empty() && !text.contains([' ', '=', '"']);
    let is_quoted = match quote {
        Quote::Never => false,
        Quote::IfNeeded => !out.get(start..).is_some_and(is_plain),
        Quote::Json => true,
    };
    if is_quoted {
        out.insert(start, '"');
        out.push('"');
    }
}

struct Escaper<'o> {
    out: &'o mut String,
    quote: Quote,
    /// The length at which the output is full.
    end: usize,
    is_cut: bool,
}

impl fmt::Write for Escaper<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.is_cut {
                break;
            }
            let before = self.out.len();
            self.put(c)?;
            if self.out.len() > self.end {
                self.out.truncate(before);
                self.is_cut = true;
            }
        }
        Ok(())
    }
}

impl Escaper<'_> {
    fn put(&mut self, c: char) -> fmt::Result {
        match c {
            '\\' => self.out.push_str("\\\\"),
            '"' if self.quote != Quote::Never => self.out.push_str("\\\""),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            c if is_visible(c) => self.out.push(c),
            c if self.quote == Quote::Json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.out, "\\u{unit:04x}")?;
                }
            }
            c => write!(self.out, "\\u{{{:x}}}", u32::from(c))?,
        }
        Ok(())
    }
}

/// Whether a character shows itself, and nothing but itself.
fn is_visible(c: char) -> bool {
    let is_hidden = c.is_control()
        || matches!(c,
            // Soft hyphen; Arabic letter mark; Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero width, marks of direction, line and paragraph separators, overrides, isolates.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotations, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !is_hidden
}

#[cfg(test)]
mod tests {
    use log::Level;
    use proptest::prelude::*;

    use super::*;

    fn render(format: Format, message: &str, pairs: &[(&str, Value<'_>)]) -> String {
        let args = format_args!("{message}");
        let mut builder = Record::builder();
        builder.level(Level::Info).target("chinwag::server").key_values(&pairs);
        record(format, 1_763_700_001_456, &builder.args(args).build())
    }

    #[track_caller]
    fn check(message: &str, pairs: &[(&str, Value<'_>)], text: &str, json: &str) {
        let head = "2025-11-21T04:40:01.456Z INFO  server ";
        assert_eq!(render(Format::Text, message, pairs), format!("{head}{text}\n"));
        let head =
            r#"{"time":"2025-11-21T04:40:01.456Z","level":"INFO","target":"server","message":"#;
        assert_eq!(render(Format::Json, message, pairs), format!("{head}{json}}}\n"));
    }

    #[test]
    fn the_journal_is_told_the_level_as_its_number_and_no_time() {
        for (level, number) in
            [(Level::Error, 3), (Level::Warn, 4), (Level::Info, 6), (Level::Trace, 7)]
        {
            let mut builder = Record::builder();
            builder.level(level).target("chinwag::server");
            let line = record(Format::Journal, 0, &builder.args(format_args!("stopped")).build());
            assert_eq!(line, format!("<{number}>server stopped\n"));
        }
    }

    #[test]
    fn an_event_is_a_line_of_text_or_an_object() {
        let pairs = [("addr", Value::from("127.0.0.1:8080")), ("fds", Value::from(3))];
        check(
            "listening",
            &pairs,
            "listening addr=127.0.0.1:8080 fds=3",
            r#""listening","addr":"127.0.0.1:8080","fds":3"#,
        );
    }

    #[test]
    fn values_keep_their_type_in_json() {
        let pairs = [
            ("t", Value::from(true)),
            ("f", Value::from(1.5)),
            ("i", Value::from(-3)),
            ("inf", Value::from(f64::INFINITY)),
            ("n", Value::null()),
            ("d", Value::from_display(&"x")),
        ];
        check(
            "m",
            &pairs,
            "m t=true f=1.5 i=-3 inf=inf n=None d=x",
            r#""m","t":true,"f":1.5,"i":-3,"inf":"inf","n":null,"d":"x""#,
        );
    }

    #[test]
    fn a_value_that_could_be_taken_for_more_is_quoted() {
        let pairs = [
            ("a", Value::from("")),
            ("b", Value::from("x y")),
            ("c", Value::from("x=y")),
            ("d", Value::from("\"")),
        ];
        check(
            "m",
            &pairs,
            r#"m a="" b="x y" c="x=y" d="\"""#,
            r#""m","a":"","b":"x y","c":"x=y","d":"\"""#,
        );
    }

    #[test]
    fn what_is_not_plainly_visible_is_written_as_its_number() {
        for (hostile, text, json) in [
            ("a\n2026 ERROR x", r"a\n2026 ERROR x", r"a\n2026 ERROR x"),
            ("\r\t\\", r"\r\t\\", r"\r\t\\"),
            ("\u{1b}[2J", r"\u{1b}[2J", r"\u001b[2J"),
            ("\0\u{7f}\u{9b}", r"\u{0}\u{7f}\u{9b}", r"\u0000\u007f\u009b"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}", r"\u2028\u2029"),
            ("\u{202e}\u{2066}", r"\u{202e}\u{2066}", r"\u202e\u2066"),
            ("\u{e0041}", r"\u{e0041}", r"\udb40\udc41"),
            ("grüße 👋 中", "grüße 👋 中", "grüße 👋 中"),
        ] {
            check(hostile, &[], text, &format!("\"{json}\""));
        }
    }

    #[test]
    fn a_field_ends_at_its_bound_without_breaking_an_escape() {
        let long = "\u{1b}".repeat(1_000_000);
        for format in [Format::Text, Format::Json] {
            let line = render(format, &long, &[("k", Value::from(long.as_str()))]);
            assert!(line.len() < MESSAGE_BYTES_MAX + FIELD_BYTES_MAX + 120, "{}", line.len());
            assert_eq!(line.matches('…').count(), 2);
        }
        let no_room_for_an_escape = format!("{}\u{1b}", "x".repeat(FIELD_BYTES_MAX - 1));
        let line = render(Format::Text, "m", &[("k", Value::from(no_room_for_an_escape.as_str()))]);
        assert!(line.ends_with("xx…\n"), "{line}");
        let exact = "x".repeat(FIELD_BYTES_MAX);
        let line = render(Format::Text, "m", &[("k", Value::from(exact.as_str()))]);
        assert!(line.ends_with(&format!("k={exact}\n")), "{line}");
    }

    proptest! {
        #[test]
        fn any_event_is_exactly_one_line_and_valid_json(
            message in any::<String>(),
            key in any::<String>(),
            value in any::<String>(),
        ) {
            let pairs = [("conn", Value::from(7)), (key.as_str(), Value::from(value.as_str()))];
            for format in [Format::Text, Format::Json] {
                let line = render(format, &message, &pairs);
                let inner = line.strip_suffix('\n').unwrap();
                prop_assert!(inner.chars().all(is_visible), "{inner:?}");
                if format == Format::Json {
                    let object: serde_json::Value = serde_json::from_str(inner).unwrap();
                    prop_assert!(object.is_object());
                    if message.len() < MESSAGE_BYTES_MAX / 12 && key != "message" {
                        prop_assert_eq!(object.get("message").unwrap().as_str(), Some(&*message));
                    }
                }
            }
        }
    }
}
