//! From the sources to a [`Config`], or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Config;
use super::env::{CONFIG_VARIABLE, Environment, is_service_link};
use super::fault::{Fault, Faults, Origin};
use super::file;
use super::policies::{self, SECTION, Table};
use super::relations::conflicts;
use super::setting::{Given, Key};
use super::suggest::suggest;

/// What the command line said about the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file to read.
    pub config: Option<PathBuf>,
    /// The value of each flag that was given, under its setting's key.
    pub settings: Vec<(&'static str, String)>,
}

/// A configuration, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What is to run.
    pub config: Config,
    /// The settings that something else than the defaults decided, in the order of the default file, then
    /// those of the room policies.
    pub changes: Vec<Change>,
}

/// A setting that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Key,
    /// Its value, in TOML.
    pub value: String,
    /// Who had the last word.
    pub origin: Origin,
}

/// One value of one source, on its way to its setting.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The setting as the source calls it: `section.key`, or the variable.
    pub(super) name: String,
    pub(super) given: Given,
    pub(super) name_origin: Origin,
    pub(super) value_origin: Origin,
}

/// The configuration that the sources make together.
///
/// # Errors
///
/// Everything that is wrong, in the order of the sources. How the settings fit together is looked at
/// only when each is right by itself.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, Faults> {
    let mut loader = Loader::default();
    if let Some(path) = flags.config.clone().or_else(|| environment.config_file()) {
        loader.file(&path.display().to_string(), &file::read(&path)?)?;
    }
    loader.environment(environment);
    loader.flags(flags);
    loader.finish()
}

#[derive(Default)]
struct Loader {
    config: Config,
    /// What becomes the room policies once it is known what holds for all other rooms.
    tables: Vec<Table>,
    origins: BTreeMap<Key, Origin>,
    faults: Vec<Fault>,
}

impl Loader {
    fn file(&mut self, path: &str, text: &str) -> Result<(), Faults> {
        let sections = self.sections();
        let contents = file::contents(path, text, |name| sections.contains(&name))?;
        self.apply(contents.entries, |key| key.to_string(), Self::unknown_key);
        let Self { config, tables, origins, faults } = self;
        for table in &contents.tables {
            faults.extend(table.whole());
            table.read(config, origins, faults);
        }
        *tables = contents.tables;
        // The file is the first source: all complaints so far are about it.
        faults.sort_by_key(|fault| match &fault.origin {
            Some(Origin::File(place)) => (place.line, place.column),
            Some(Origin::Variable(_) | Origin::Flag(_)) | None => (0, 0),
        });
        Ok(())
    }

    fn environment(&mut self, environment: &Environment) {
        let (entries, faults) = environment.entries();
        self.faults.extend(faults);
        self.apply(entries, Key::variable, |loader, entry| loader.unknown_variable(&entry.name));
    }

    fn flags(&mut self, flags: &Flags) {
        let entry = |(name, value): &(&'static str, String)| {
            let origin = Origin::Flag(format!("--{}", name.replace('_', "-")));
            Entry {
                name: (*name).to_owned(),
                given: Given::Word(value.clone()),
                name_origin: origin.clone(),
                value_origin: origin,
            }
        };
        let entries = flags.settings.iter().map(entry).collect();
        self.apply(entries, |key| key.to_string(), Self::unknown_key);
    }

    /// Gives each entry to the setting that goes by its name; `unknown` words the complaint about one
    /// that no setting goes by.
    fn apply(
        &mut self,
        entries: Vec<Entry>,
        name_of: impl Fn(Key) -> String,
        unknown: impl Fn(&Self, &Entry) -> String,
    ) {
        let mut keys = BTreeMap::new();
        self.config.visit(&mut |key, _| _ = keys.insert(name_of(key), key));
        for entry in entries {
            if let Some(key) = keys.get(&entry.name) {
                self.set(*key, entry);
            } else {
                let what = unknown(self, &entry);
                self.faults.push(Fault { what, origin: Some(entry.name_origin) });
            }
        }
    }

    fn set(&mut self, wanted: Key, entry: Entry) {
        let Self { config, origins, faults, .. } = self;
        let Entry { given, value_origin: origin, .. } = entry;
        config.visit(&mut |key, setting| {
            if key != wanted {
                return;
            }
            match setting.set(&given) {
                Ok(()) => _ = origins.insert(key, origin.clone()),
                Err(expected) => faults.push(Fault {
                    what: format!("{key} = {given}: {expected}"),
                    origin: Some(origin.clone()),
                }),
            }
        });
    }

    fn finish(self) -> Result<Loaded, Faults> {
        let Self { mut config, tables, mut origins, mut faults } = self;
        if faults.is_empty() {
            let read = |table: &Table| table.read(&config, &mut origins, &mut faults);
            config.room_policies = tables.iter().map(read).collect();
            faults.extend(conflicts(&config).into_iter().map(|conflict| {
                let origin = conflict.keys.iter().find_map(|key| origins.get(key).cloned());
                Fault { what: conflict.what, origin }
            }));
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let change = |(key, value)| Some(Change { key, value, origin: origins.remove(&key)? });
        let mut settings = config.settings();
        let mut policies = config.room_policies.clone();
        policies::visit(&mut policies, &mut |key, setting| settings.push((key, setting.render())));
        let changes = settings.into_iter().filter_map(change).collect();
        Ok(Loaded { config, changes })
    }

    fn keys(&self) -> Vec<Key> {
        self.config.settings().into_iter().map(|(key, _)| key).collect()
    }

    fn sections(&self) -> Vec<&'static str> {
        let mut sections: Vec<_> = self.keys().into_iter().map(|key| key.section).collect();
        sections.retain(|section| !section.is_empty());
        sections.dedup();
        sections
    }

    fn unknown_key(&self, entry: &Entry) -> String {
        let (keys, mut sections) = (policies::keys(&self.config), self.sections());
        if entry.name == SECTION {
            return format!(
                "{SECTION} is a list of tables: write [[{SECTION}]] above each of them"
            );
        }
        if sections.contains(&entry.name.as_str()) {
            return format!(
                "{name} is a section: write [{name}] above its keys",
                name = entry.name
            );
        }
        let Some((section, name)) = entry.name.split_once('.') else {
            if matches!(entry.given, Given::Other("a table" | "a list of tables")) {
                sections.push(SECTION);
                let near = suggest(&entry.name, sections.into_iter());
                let hint = near.map(|near| format!("; did you mean {}?", header(near)));
                return format!("unknown section [{}]{}", entry.name, hint.unwrap_or_default());
            }
            return unknown(&entry.name, "", &keys);
        };
        unknown(name, section, &keys)
    }

    fn unknown_variable(&self, name: &str) -> String {
        if is_service_link(name) {
            return format!(
                "unknown variable {name}; Kubernetes makes such variables for a service called \
                 chinwag: set enableServiceLinks: false in the pod"
            );
        }
        if name.starts_with("CHINWAG_ROOM_POLICY") {
            return format!("unknown variable {name}; room policies can be set in the file only");
        }
        let mut known: Vec<_> = self.keys().into_iter().map(Key::variable).collect();
        known.push(CONFIG_VARIABLE.to_owned());
        let near = suggest(name, known.iter().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean {near}?"));
        format!("unknown variable {name}{}", hint.unwrap_or_default())
    }
}

/// The line above the keys of a section.
fn header(section: &str) -> String {
    if section == SECTION { format!("[[{section}]]") } else { format!("[{section}]") }
}

/// The complaint about a key that its section does not have.
pub(super) fn unknown(name: &str, section: &str, keys: &[Key]) -> String {
    let place = |section: &str| match section {
        "" => "before the first section".to_owned(),
        section => format!("in {}", header(section)),
    };
    let here = keys.iter().filter(|key| key.section == section).map(|key| key.name);
    let hint = match keys.iter().find(|key| key.name == name) {
        Some(elsewhere) => format!("; it belongs {}", place(elsewhere.section)),
        None => match suggest(name, here) {
            Some(near) => format!("; did you mean {near}?"),
            None => suggest(name, keys.iter().map(|key| key.name))
                .and_then(|near| keys.iter().find(|key| key.name == near))
                .map(|key| format!("; did you mean {}, {}?", key.name, place(key.section)))
                .unwrap_or_default(),
        },
    };
    format!("unknown key {name} {}{hint}", place(section))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "policies_tests.rs"]
mod policies_tests;
