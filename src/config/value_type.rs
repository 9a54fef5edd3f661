//! The types of settings: the check of a raw value, and the words that say what would be right.

use std::time::Duration;

use toml::de::DeValue;

use super::raw::RawValue;
use super::secret::Secret;
use super::units::{self, BYTES, TIMES};
use super::value::Value;
use crate::chat::model::name::{RoomName, UserName};
use crate::http::OriginPolicy;
use crate::log::Filter;
use crate::net::Network;

/// The name of a setting (`section.key`, or the bare key) and what it may be.
pub(super) type Setting = (&'static str, ValueType);

/// A type of value.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueType {
    /// Yes or no.
    Switch,
    /// A whole number between two others.
    Count(u64, u64),
    /// A number of bytes between two others: whole, or text with a unit.
    Bytes(u64, u64),
    /// A length of time between two others, in milliseconds: text with a unit.
    Time(u64, u64),
    /// Addresses to listen on: one, or a list of them.
    Addresses,
    /// The path of a directory, which need not exist.
    Directory,
    /// The path of a file.
    File,
    /// Text that is written as it is: at least one character, at most this many bytes.
    Text(usize),
    /// Texts, at least one of them.
    Texts,
    /// Text that is never shown.
    Secret,
    /// The name of a field of HTTP.
    FieldName,
    /// IP addresses and networks.
    Networks,
    /// Who may do what with a file, in octal digits.
    Mode,
    /// Paths of files: one, or a list of them.
    Paths,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Which log lines are written.
    LogFilter,
    /// Host names without a port.
    Hosts,
    /// Origins of web pages as browsers send them.
    Origins,
    /// Who is believed to say who somebody is.
    Sources,
    /// Who may make rooms.
    Creators,
    /// The name of a room in which each `*` stands for any text.
    Pattern,
    /// The name of a room policy.
    PolicyName,
    /// The word, which stands for having none, or the other type.
    OptionalOr(&'static str, &'static Self),
}

impl ValueType {
    /// The value, or a sentence without a subject that says what it must be.
    pub(super) fn parse(&self, raw: RawValue<'_>) -> Result<Value, String> {
        let text = |expected: &str, parse: &dyn Fn(&str) -> Option<Value>| {
            raw.text().and_then(parse).ok_or_else(|| expected.to_owned())
        };
        match *self {
            Self::Switch => parse_switch(raw),
            Self::Count(min, max) => match raw.integer() {
                Some(number) => within(number, min, max).map(Value::Number),
                None => Err(format!("must be a whole number between {min} and {max}")),
            },
            Self::Bytes(min, max) => parse_bytes(raw, min, max),
            Self::Time(min, max) => parse_time(raw, min, max),
            Self::Addresses => parse_addresses(raw).ok_or_else(|| ADDRESSES.to_owned()),
            Self::Directory => text("must be the path of a directory", &parse_path),
            Self::File => text("must be the path of a file", &parse_path),
            Self::Text(len_max) => text(
                &format!("must be text of at most {len_max} bytes, without control characters"),
                &|text| is_plain(text, len_max).then(|| Value::Text(text.to_owned())),
            ),
            Self::Texts => parse_list(raw, |text| {
                let plain = Some(text).filter(|text| is_plain(text, TEXT_LEN_MAX));
                plain.map(str::to_owned).ok_or_else(|| "is no name of an audience".to_owned())
            }),
            Self::Mode => text("must be three octal digits such as \"660\"", &|text| {
                let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
                (is_octal && text.len() == 3).then(|| Value::Text(text.to_owned()))
            }),
            Self::Secret => text("must be text in quotes", &|text| {
                Some(Value::Secret(Secret::new(text.to_owned())))
            }),
            Self::FieldName => {
                text(FIELD_NAME, &|text| is_field_name(text).then(|| Value::Text(text.to_owned())))
            }
            Self::Networks => parse_list(raw, |text| match text.parse::<Network>() {
                Ok(network) => Ok(network.to_string()),
                Err(expected) => Err(format!("is {expected}")),
            }),
            Self::Paths => parse_files(raw).ok_or_else(|| FILES.to_owned()),
            Self::Word(words) => text(&format!("must be {}", alternatives(words)), &|text| {
                words.contains(&text).then(|| Value::Text(text.to_owned()))
            }),
            Self::LogFilter => text(LOG_FILTER, &|text| {
                Some(Value::Text(text.parse::<Filter>().ok()?.to_string()))
            }),
            Self::Hosts => parse_list(raw, parse_host),
            Self::Origins => parse_list(raw, parse_origin),
            Self::Sources => parse_sources(raw),
            Self::Creators => parse_creators(raw),
            Self::Pattern => parse_pattern(raw),
            Self::PolicyName => match UserName::parse(raw.text().unwrap_or_default()) {
                Ok(name) => Ok(Value::Text(name.as_str().to_owned())),
                Err(error) => Err(format!("must be {}", error.expected)),
            },
            Self::OptionalOr(word, _) if raw.text() == Some(word) => Ok(Value::Absent(word)),
            Self::OptionalOr(word, other) => {
                // Zero is what many programs take for "no limit": it must not be guessed at.
                let is_first = !matches!(other, Self::OptionalOr(..));
                other.parse(raw).map_err(|expected| match raw.integer() {
                    Some(0) if is_first => {
                        format!("{expected}; zero never means \"no limit\", write {word:?}")
                    }
                    Some(0) => format!("{expected} or {word:?}"),
                    _ => format!("{expected}, or {word:?}"),
                })
            }
        }
    }
}

/// No system call takes a path with a NUL in it.
fn parse_path(text: &str) -> Option<Value> {
    (!text.is_empty() && !text.contains('\0')).then(|| Value::Text(text.to_owned()))
}

const FIELD_NAME: &str = r#"must be the name of a field of HTTP such as "X-Forwarded-User", and not one that says something else"#;
/// Bytes of the longest name of an audience.
const TEXT_LEN_MAX: usize = 255;

fn is_plain(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len()) && !text.contains(char::is_control)
}

/// Fields that have a meaning of their own: as somebody's name they would let everybody in.
const OTHER_FIELDS: [&str; 12] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "origin",
    "referer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

fn is_field_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&text.len())
        && text.bytes().all(is_token)
        && !OTHER_FIELDS.iter().any(|other| text.eq_ignore_ascii_case(other))
        && !text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sec-"))
}

const ADDRESSES: &str = r#"must be an IP address and a port such as "127.0.0.1:8080" or "[::]:8080", with tls: in front for TLS, or "unix:/PATH" or "systemd", or a list of up to 64"#;
const FILES: &str =
    r#"must be the path of a file such as "/etc/chinwag/cert.pem", or a list of up to 64"#;
/// Addresses of one kind of listener: listeners are numbered in eight bits, and there are three
/// kinds.
const ADDRESSES_MAX: usize = 64;
const LOG_FILTER: &str = "must be off, error, warn, info, debug or trace, or several with a module's \
                          name such as \"info,session=debug\"";
const SIZE: &str =
    r#"must be a number of bytes such as 65536 or "64KiB" (units: B, KiB, MiB, GiB, KB, MB, GB)"#;
const HOST: &str = r#"is not a host name without scheme and port, such as "chat.example.org""#;
const ORIGIN: &str = "is not an origin: a scheme, a host and perhaps a port, without a slash at the \
                      end, such as \"https://chat.example.org\" or \"capacitor://localhost\"";
const CREATORS: &str =
    r#"must be "anyone", "nobody" or a list of users' names such as ["ann", "bob"]"#;
const SOURCE_WORDS: [&str; 4] = ["none", "accounts", "jwt", "header"];
const SOURCES: &str = r#"must be "none", "accounts", "jwt" or "header", or a list of some of them such as ["accounts", "jwt"]"#;
const ROOM: &str = r#"must be a room's name, such as "tmp/*""#;
const DIRECT: &str = "must be a room's name: direct conversations follow durability and [rooms], \
                      whatever their names";
const PATTERN: &str = "can match no room: write a room's name, such as \"tmp/*\", where * stands for \
                       any text and the rest is at most 32 bytes of lower-case letters, digits, '.', \
                       '_', '-', or '/' inside";

fn alternatives(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    words.join(" or ")
}

fn within(number: i128, min: u64, max: u64) -> Result<u64, String> {
    let number = u64::try_from(number).ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("must be between {min} and {max}"))
}

fn parse_switch(raw: RawValue<'_>) -> Result<Value, String> {
    let word = match raw.text() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    match (raw, word) {
        // A flag and a variable have no types: there the word alone is the value.
        (RawValue::Toml(DeValue::Boolean(value), _), _) => Ok(Value::Boolean(*value)),
        (RawValue::Word(_), Some(value)) => Ok(Value::Boolean(value)),
        (RawValue::Toml(..), Some(_)) => Err("must be true or false, without quotes".to_owned()),
        (_, None) => Err("must be true or false".to_owned()),
    }
}

fn parse_bytes(raw: RawValue<'_>, min: u64, max: u64) -> Result<Value, String> {
    // A bare number is bytes; in the file it has no quotes.
    let with_unit = || units::parse(raw.text()?, BYTES).map(i128::from);
    let bytes = raw.integer().or_else(with_unit).ok_or(SIZE)?;
    let [least, most] = [min, max].map(|bound| units::render(bound, BYTES));
    within(bytes, min, max)
        .map(Value::Bytes)
        .map_err(|_range| format!("must be between {least} and {most}"))
}

fn parse_time(raw: RawValue<'_>, min: u64, max: u64) -> Result<Value, String> {
    // Examples of about the length that is wanted.
    let examples = if max > DAY {
        r#""10m", "12h", "90d" or "1y" (365 days)"#
    } else {
        r#""250ms", "10s", "2m" or "1h""#
    };
    let millis = raw.text().and_then(|text| units::parse(text, TIMES));
    let millis = millis.ok_or_else(|| format!("must be a time such as {examples}"))?;
    if (min..=max).contains(&millis) {
        return Ok(Value::Time(Duration::from_millis(millis)));
    }
    let [min, max] = [min, max].map(|bound| units::render(bound, TIMES));
    Err(format!("must be between {min} and {max}"))
}

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

fn parse_addresses(raw: RawValue<'_>) -> Option<Value> {
    let items = raw.list().or_else(|| Some(vec![raw.text()?]))?;
    let addresses: Vec<_> = items.iter().map(|item| item.parse().ok()).collect::<Option<_>>()?;
    (1..=ADDRESSES_MAX).contains(&addresses.len()).then_some(Value::Addresses(addresses))
}

fn parse_files(raw: RawValue<'_>) -> Option<Value> {
    let items = raw.list().or_else(|| Some(vec![raw.text()?]))?;
    // No system call takes a path with a NUL in it.
    let is_path = |path: &&str| !path.is_empty() && !path.contains('\0');
    let is_good = items.len() <= FILES_MAX && items.iter().all(is_path);
    is_good.then(|| Value::List(items.into_iter().map(str::to_owned).collect()))
}

/// Certificates of one server.
const FILES_MAX: usize = 64;

fn parse_list(
    raw: RawValue<'_>,
    parse: impl Fn(&str) -> Result<String, String>,
) -> Result<Value, String> {
    let items = raw.list().ok_or_else(|| match raw.text() {
        Some(text) => format!("must be a list of strings such as [{text:?}]"),
        None => r#"must be a list of strings such as ["one", "two"]"#.to_owned(),
    })?;
    if matches!(raw, RawValue::Word(text) if text.starts_with('[')) {
        return Err("must be written with commas outside of a file, such as one,two".to_owned());
    }
    let parse = |item| parse(item).map_err(|expected| format!("{item:?} {expected}"));
    items.into_iter().map(parse).collect::<Result<_, _>>().map(Value::List)
}

/// The longest label, and the longest name, of the DNS (RFC 1035 section 2.3.4; the name without
/// the lengths of its first label and of the root).
const LABEL_LEN_MAX: usize = 63;
const HOST_LEN_MAX: usize = 253;

fn parse_host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=LABEL_LEN_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_host = text.len() <= HOST_LEN_MAX && text.split('.').all(is_label);
    if is_host { Ok(text.to_ascii_lowercase()) } else { Err(HOST.to_owned()) }
}

fn parse_origin(text: &str) -> Result<String, String> {
    // Browsers send scheme and host in lower case, and they are compared byte for byte.
    let host = text.find("://").map_or(0, |colon| colon + "://".len());
    let path = text.get(host..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| host + at);
    let (before, path) = text.split_at_checked(path).unwrap_or((text, ""));
    let origin = before.to_ascii_lowercase() + path;
    let is_origin = OriginPolicy::new([&origin], false).is_ok();
    if is_origin { Ok(origin) } else { Err(ORIGIN.to_owned()) }
}

fn parse_sources(raw: RawValue<'_>) -> Result<Value, String> {
    let items = raw.list().or_else(|| Some(vec![raw.text()?])).unwrap_or_default();
    let source = |item: &str| SOURCE_WORDS.contains(&item);
    let is_once = |(at, item): (usize, &&str)| !items.iter().take(at).any(|other| other == item);
    if items.is_empty() || !items.iter().all(|item| source(item)) {
        return Err(SOURCES.to_owned());
    }
    if !items.iter().enumerate().all(is_once) {
        return Err("must name each source once".to_owned());
    }
    Ok(match *items {
        [alone] => Value::Text(alone.to_owned()),
        _ => Value::List(items.into_iter().map(str::to_owned).collect()),
    })
}

fn parse_creators(raw: RawValue<'_>) -> Result<Value, String> {
    let user = |text: &str| match UserName::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("is not a user's name: {}", error.expected)),
    };
    match (raw.text(), raw.list()) {
        (Some(word @ ("anyone" | "nobody")), _) => Ok(Value::Text(word.to_owned())),
        // An empty list could be meant either way; "nobody" says which.
        (_, Some(names)) if !names.is_empty() => parse_list(raw, user),
        _ => Err(CREATORS.to_owned()),
    }
}

fn parse_pattern(raw: RawValue<'_>) -> Result<Value, String> {
    let text = raw.text().ok_or(ROOM)?;
    if text.starts_with('@') {
        return Err(DIRECT.to_owned());
    }
    // A star stands for any text, none included: one of these is a room's name if any is.
    let is_room = |star| RoomName::parse(&text.replace('*', star)).is_ok();
    if is_room("x") || is_room("") {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err(PATTERN.to_owned())
    }
}
