//! The file: TOML, with the place of each key and value kept.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{ConfigFault, FilePosition, Origin};
use super::named_file;
use super::raw::{RawValue, are_tables};
use super::settings::{KEY_SECTION, POLICY_SECTION, is_section};
use super::syntax;

/// A file that is larger than this is not a configuration.
const BYTES_MAX: u64 = 1 << 20;

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, ConfigFault> {
    let shown = path.display().to_string();
    let bytes = named_file::read(path, BYTES_MAX).map_err(|error| {
        ConfigFault::new(format!("cannot read the configuration file {shown}: {error}"), None)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let encoding = match *bytes {
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => "UTF-16",
            _ => "not UTF-8",
        };
        // The text before the place is the same; after it signs stand for what is no text.
        let place = FilePosition::new(&shown, &String::from_utf8_lossy(bytes), at..at);
        let what = format!("the file is {encoding} here: save it as UTF-8");
        ConfigFault::new(what, Some(&Origin::File(place)))
    })
}

/// A value of one of the sources, and the name that it has there.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// `section.key`, or the bare key. There may be no such setting.
    pub(super) name: String,
    pub(super) raw: RawValue<'a>,
    pub(super) name_origin: Origin,
    pub(super) value_origin: Origin,
}

impl<'a> Entry<'a> {
    /// An entry of the environment or the command line.
    pub(super) fn word(name: &str, text: &'a str, origin: Origin) -> Self {
        let raw = RawValue::Word(text);
        Self { name: name.to_owned(), raw, name_origin: origin.clone(), value_origin: origin }
    }
}

impl Entry<'_> {
    /// Whether it is the list of the `[[jwt.key]]` tables.
    fn is_token_keys(&self) -> bool {
        self.name == KEY_SECTION
            && matches!(self.raw, RawValue::Toml(DeValue::Array(items), _) if are_tables(items))
    }
}

/// The entries of a file.
#[derive(Debug, Default)]
pub(super) struct Contents<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// The `[[room_policy]]` tables in their order: the place of the header, and the entries.
    pub(super) policies: Vec<(Origin, Vec<Entry<'a>>)>,
    /// The `[[jwt.key]]` tables, likewise.
    pub(super) token_keys: Vec<(Origin, Vec<Entry<'a>>)>,
}

/// Parses the `text` of the file at `path`.
pub(super) fn parse<'a>(path: &str, text: &'a str) -> Result<DeTable<'a>, ConfigFault> {
    let root = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let what = syntax::complaint(text, span.clone(), error.message());
        ConfigFault { what, origin: Some(Origin::File(FilePosition::new(path, text, span))) }
    })?;
    Ok(root.into_inner())
}

impl<'a> Contents<'a> {
    /// The entries of the tree `root` of `text`. A table that is not a section is an entry as a
    /// whole; no setting has its name.
    pub(super) fn new(path: &str, text: &'a str, root: &'a DeTable<'a>) -> Self {
        let position = |span: Range<usize>| Origin::File(FilePosition::new(path, text, span));
        let entry = |name, key: Range<usize>, value: &'a Spanned<DeValue<'a>>| Entry {
            name,
            raw: RawValue::Toml(value.get_ref(), text.get(value.span()).unwrap_or_default()),
            name_origin: position(key.clone()),
            // A table has no span of its own that would be worth a caret.
            value_origin: position(if value.get_ref().is_table() { key } else { value.span() }),
        };
        let entries = |prefix: &str, table: &'a DeTable<'a>| -> Vec<Entry<'a>> {
            let keys = table.iter();
            keys.map(|(key, value)| entry(format!("{prefix}{}", key.get_ref()), key.span(), value))
                .collect()
        };
        let tables = |items: &'a [Spanned<DeValue<'a>>]| -> Vec<(Origin, Vec<Entry<'a>>)> {
            let tables = items.iter().filter_map(|item| {
                Some((position(item.span()), entries("", item.get_ref().as_table()?)))
            });
            tables.collect()
        };
        let mut contents = Self::default();
        for (key, value) in root {
            let name = key.get_ref();
            match value.get_ref() {
                DeValue::Table(table) if is_section(name) => {
                    let listed = entries(&format!("{name}."), table);
                    let (keys, others) = listed.into_iter().partition(Entry::is_token_keys);
                    contents.entries.extend::<Vec<_>>(others);
                    let keys: Vec<Entry<'a>> = keys;
                    contents.token_keys.extend(keys.iter().flat_map(|keys| match keys.raw {
                        RawValue::Toml(DeValue::Array(items), _) => tables(items),
                        RawValue::Toml(..) | RawValue::Word(_) => Vec::new(),
                    }));
                }
                DeValue::Array(items) if name == POLICY_SECTION && are_tables(items) => {
                    contents.policies = tables(items);
                }
                _ => contents.entries.push(entry(name.to_string(), key.span(), value)),
            }
        }
        contents
    }
}
