//! The file: TOML, with the place of each key and value kept.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin, Place};
use super::load::Entry;
use super::policies::{SECTION, Table};
use super::setting::Given;

/// A file that is larger than this is not a configuration.
const BYTES_MAX: u64 = 1 << 20;

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, Fault> {
    let fault = |why: &dyn std::fmt::Display| Fault {
        what: format!("cannot read the configuration file {}: {why}", path.display()),
        origin: None,
    };
    let file = File::open(path).map_err(|error| fault(&error))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(fault(&format_args!("it is larger than {BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        fault(&format_args!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
    })
}

/// What stands in a file.
pub(super) struct Contents {
    /// The settings, in the order in which they stand there.
    pub(super) entries: Vec<Entry>,
    /// The tables of which there may be many, in their order.
    pub(super) tables: Vec<Table>,
}

/// What stands in `text`, which came from `path`.
///
/// A table in the table is a section if `is_section` says so, otherwise an entry of its own, which
/// nobody will know.
pub(super) fn contents(
    path: &str,
    text: &str,
    is_section: impl Fn(&str) -> bool,
) -> Result<Contents, Fault> {
    let place = |span: Range<usize>| Origin::File(Place::new(path, text, span));
    let root = DeTable::parse(text).map_err(|error| Fault {
        what: format!("not TOML: {}", error.message().trim().replace('\n', ", ")),
        origin: error.span().map(place),
    })?;
    let mut list = Vec::new();
    let mut tables = Vec::new();
    for (key, value) in root.get_ref() {
        match value.get_ref() {
            DeValue::Table(table) if is_section(key.get_ref()) => {
                for (inner, value) in table {
                    let name = format!("{}.{}", key.get_ref(), inner.get_ref());
                    list.push(entry(name, inner.span(), value, &place));
                }
            }
            DeValue::Array(items) if key.get_ref() == SECTION && all_tables(items) => {
                let tabled = |(number, item)| table(number, item, &place);
                tables = (1..).zip(items).filter_map(tabled).collect();
            }
            _ => list.push(entry(key.get_ref().to_string(), key.span(), value, &place)),
        }
    }
    Ok(Contents { entries: in_order(list), tables })
}

/// The entries in the order in which they stand in the text.
fn in_order(mut list: Vec<(usize, Entry)>) -> Vec<Entry> {
    list.sort_by_key(|(at, _)| *at);
    list.into_iter().map(|(_, entry)| entry).collect()
}

/// One of the tables of which there may be many.
fn table(
    number: usize,
    item: &Spanned<DeValue<'_>>,
    place: &impl Fn(Range<usize>) -> Origin,
) -> Option<Table> {
    let mut entries = Vec::new();
    for (key, value) in item.get_ref().as_table()? {
        entries.push(entry(key.get_ref().to_string(), key.span(), value, place));
    }
    Some(Table { number, origin: place(item.span()), entries: in_order(entries) })
}

fn all_tables(items: &[Spanned<DeValue<'_>>]) -> bool {
    items.iter().all(|item| item.get_ref().is_table())
}

/// The entry, and where in the text it begins.
fn entry(
    name: String,
    key_span: Range<usize>,
    value: &Spanned<DeValue<'_>>,
    place: &impl Fn(Range<usize>) -> Origin,
) -> (usize, Entry) {
    let at = key_span.start;
    let given = given(value.get_ref());
    // A table has no span of its own that would be worth a caret.
    let value_span = if value.get_ref().is_table() { key_span.clone() } else { value.span() };
    (at, Entry { name, given, name_origin: place(key_span), value_origin: place(value_span) })
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(Given::Other("a number of many digits"), Given::Integer),
        DeValue::Boolean(value) => Given::Boolean(*value),
        DeValue::Array(items) if !items.is_empty() && all_tables(items) => {
            Given::Other("a list of tables")
        }
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or(Given::Other("a list of other things than strings"), Given::List),
        DeValue::Float(_) => Given::Other("a number with a fraction"),
        DeValue::Datetime(_) => Given::Other("a date"),
        DeValue::Table(_) => Given::Other("a table"),
    }
}
