//! The values of all settings, each with who set it, on their way to serde.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::fault::{ConfigFault, Origin};
use super::file::Entry;
use super::value::Value;
use super::value_type::Setting;

/// The value of a setting, and who set it; `None`: nobody, it is the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) value: Value,
    pub(super) origin: Option<Origin>,
}

/// The values of settings under their names: `section.key`, or the bare key.
pub(super) type Values = BTreeMap<&'static str, Assigned>;

/// Assigns the entry's value to the setting of its name; `unknown` words the complaint if no
/// setting has that name.
pub(super) fn assign(
    values: &mut Values,
    mut settings: impl Iterator<Item = &'static Setting>,
    entry: &Entry<'_>,
    unknown: impl FnOnce(&Entry<'_>) -> String,
) -> Result<(), ConfigFault> {
    let Entry { name, raw, name_origin, value_origin } = entry;
    let Some((name, what)) = settings.find(|(known, _)| known == name) else {
        return Err(ConfigFault::new(unknown(entry), Some(name_origin)));
    };
    let value = what.parse(*raw).map_err(|expected| {
        ConfigFault::new(format!("{name} = {raw}: {expected}"), Some(value_origin))
    })?;
    values.insert(name, Assigned { value, origin: Some(value_origin.clone()) });
    Ok(())
}

/// Has serde make a `T` of the values.
pub(super) fn read<T: DeserializeOwned>(values: &Values) -> Result<T, String> {
    let mut root = toml::Table::new();
    for (name, Assigned { value, .. }) in values {
        // Serde makes `None` of a key that is not there.
        if matches!(value, Value::Absent(_)) {
            continue;
        }
        let value = toml::Value::try_from(value).map_err(|error| error.to_string())?;
        let Some((section, key)) = name.split_once('.') else {
            root.insert((*name).to_owned(), value);
            continue;
        };
        let section = root.entry(section).or_insert_with(|| toml::Table::new().into());
        section.as_table_mut().map(|section| section.insert(key.to_owned(), value));
    }
    T::deserialize(root).map_err(|error| error.to_string())
}
