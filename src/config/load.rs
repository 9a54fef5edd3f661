//! Reads the sources into a [`Config`], or finds everything that is wrong with them.

use std::path::PathBuf;

use super::env::Environment;
use super::fault::{ConfigError, ConfigFault, Origin};
use super::file::{self, Contents, Entry};
use super::policies::{PolicyTable, policies};
use super::settings::{
    CONFIG_VARIABLE, KEY_SECTION, POLICY_SECTION, POLICY_SETTINGS, settings, variable,
};
use super::token_keys::{self, TokenKey};
use super::value_type::Setting;
use super::values::{Assigned, Values, assign, read};
use super::{Config, DEFAULTS, Part, conflicts, memory, unknown};

/// The configuration's part of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file to read.
    pub config: Option<PathBuf>,
    /// The value of each flag that was given, under its setting's key.
    pub settings: Vec<(&'static str, String)>,
}

/// A configuration, and which settings came from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The settings that a source has set, in the order of the default file.
    pub changes: Vec<Change>,
    /// What the room policies set, in their order.
    pub policy_changes: Vec<Change>,
    /// How many settings there are besides those of the room policies.
    pub settings_count: usize,
    /// All values, those of the defaults too.
    pub(super) values: Values,
    /// The room policies.
    pub(super) tables: Vec<PolicyTable>,
    /// Where each table of a token's key stands.
    pub(super) key_origins: Vec<Origin>,
}

impl Loaded {
    /// With the directory as it is called from everywhere, so that a message that names it tells
    /// where it was looked for.
    #[must_use]
    pub fn with_whole_paths(mut self) -> Self {
        if let Ok(data) = std::path::absolute(&self.config.data) {
            self.config.data = data;
        }
        self
    }

    /// What is wrong with the value of a setting, or with one of the tables of tokens' keys by its
    /// label: with the place where it was set.
    #[must_use]
    pub fn fault(&self, setting: &str, what: String) -> ConfigFault {
        let number = setting.strip_prefix(KEY_SECTION).and_then(|nth| nth.trim().parse().ok());
        let table =
            number.and_then(|nth: usize| self.key_origins.get(nth.checked_sub(1)?).cloned());
        let value = || {
            let Assigned { value, origin } = self.values.get(setting)?;
            let origin = origin.as_ref()?;
            // An address may have a password in it.
            Some(if value.secret().is_some() { origin.without_text() } else { origin.clone() })
        };
        ConfigFault { what, origin: table.or_else(value) }
    }
}

/// A setting that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name: `section.key`, the bare key, or `room_policy 1: key`.
    pub name: String,
    /// Its value, in TOML.
    pub value: String,
    /// The source that won.
    pub origin: Origin,
}

/// Reads all sources: the later ones win.
///
/// # Errors
///
/// Everything that is wrong, in the order of the sources. Whether the settings fit together is
/// checked only when each is right by itself.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut loader = Loader::defaults();
    if let Some(path) = flags.config.clone().or_else(|| environment.config_file()) {
        match file::read(&path) {
            Ok(text) => loader.file(&path.display().to_string(), &text),
            Err(ConfigFault { what, origin }) => {
                // Who has given the path on the command line knows from where it is.
                let variable = || Origin::Variable(CONFIG_VARIABLE.to_owned());
                let origin = origin.or_else(|| flags.config.is_none().then(variable));
                loader.faults.push(ConfigFault { what, origin });
            }
        }
    }
    // In the order in which they win: what is set later replaces what was set before.
    loader.environment(environment);
    loader.memory_limit = environment.memory_limit();
    loader.flags(flags);
    loader.finish()
}

#[derive(Debug, Default)]
pub(super) struct Loader {
    pub(super) values: Values,
    /// Kept until all sources are read, since what they do not set follows the other settings.
    policies: Vec<PolicyTable>,
    token_keys: Vec<TokenKey>,
    key_origins: Vec<Origin>,
    pub(super) faults: Vec<ConfigFault>,
    /// Bytes that the system lets this process have, if it says so.
    pub(super) memory_limit: Option<u64>,
}

impl Loader {
    /// The values of the default file, with no origin.
    pub(super) fn defaults() -> Self {
        let mut loader = Self::default();
        loader.file("defaults.toml", DEFAULTS);
        for assigned in loader.values.values_mut() {
            assigned.origin = None;
        }
        loader
    }

    pub(super) fn file(&mut self, path: &str, text: &str) {
        let root = match file::parse(path, text) {
            Ok(root) => root,
            Err(fault) => return self.faults.push(fault),
        };
        let Contents { entries, policies, token_keys } = Contents::new(path, text, &root);
        for entry in &entries {
            self.set(entry, |entry| unknown::entry(&entry.name, entry.raw));
        }
        for (number, table) in (1..).zip(&policies) {
            self.policies.push(PolicyTable::read(number, table, &mut self.faults));
        }
        self.token_keys.extend(token_keys::read(&token_keys, &mut self.faults));
        self.key_origins.extend(token_keys.iter().map(|(origin, _)| origin.clone()));
        // The file is the first source: all complaints so far are about it.
        self.faults.sort_by_key(|fault| match &fault.origin {
            Some(Origin::File(position)) => (position.line, position.column),
            Some(Origin::Variable(_) | Origin::Flag(_)) | None => (0, 0),
        });
    }

    pub(super) fn environment(&mut self, environment: &Environment) {
        for (name, value) in environment.settings() {
            let origin = Origin::Variable(name.clone());
            let Some(text) = value.to_str() else {
                self.faults.push(ConfigFault::new(format!("{name} is not UTF-8"), Some(&origin)));
                continue;
            };
            // One that is no setting's keeps its own name, which is then complained about.
            let setting = settings().find(|(setting, _)| variable(setting) == *name);
            let name = setting.map_or(name.as_str(), |(setting, _)| setting);
            self.set(&Entry::word(name, text, origin), |entry| unknown::environment(&entry.name));
        }
    }

    pub(super) fn flags(&mut self, flags: &Flags) {
        for (key, text) in &flags.settings {
            let origin = Origin::Flag(format!("--{}", key.replace('_', "-")));
            self.set(&Entry::word(key, text, origin), |entry| unknown::key(&entry.name, ""));
        }
    }

    fn set(&mut self, entry: &Entry<'_>, unknown: impl FnOnce(&Entry<'_>) -> String) {
        self.faults.extend(assign(&mut self.values, settings(), entry, unknown).err());
    }

    pub(super) fn finish(self) -> Result<Loaded, ConfigError> {
        let Self {
            mut values,
            policies: tables,
            token_keys,
            key_origins,
            mut faults,
            memory_limit,
        } = self;
        let mut account = Vec::new();
        // A value that was refused was not set, so that comparing the others would mislead.
        if faults.is_empty() {
            memory::resolve(&mut values, memory_limit);
            match memory::divide(&mut values) {
                Ok(parts) => account = parts,
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(ConfigError(faults));
        }
        let config = config_of(&values, &tables, (token_keys, account))?;
        let policy_changes = (1..).zip(&tables).flat_map(|(number, table)| {
            changes(POLICY_SETTINGS.iter(), &table.values, format!("{POLICY_SECTION} {number}: "))
        });
        Ok(Loaded {
            config,
            changes: changes(settings(), &values, String::new()).collect(),
            policy_changes: policy_changes.collect(),
            settings_count: settings().count(),
            values,
            tables,
            key_origins,
        })
    }
}

/// The configuration of these values.
///
/// # Errors
///
/// All that does not fit together.
pub(super) fn config_of(
    values: &Values,
    tables: &[PolicyTable],
    (token_keys, account): (Vec<TokenKey>, Vec<Part>),
) -> Result<Config, ConfigError> {
    let mut faults = conflicts::find(values, tables);
    faults.extend(token_keys::conflict(values, &token_keys));
    if !faults.is_empty() {
        return Err(ConfigError(faults));
    }
    let failed = |what| ConfigError(vec![ConfigFault { what, origin: None }]);
    let mut config: Config = read(values).map_err(failed)?;
    let secret = |name| values.get(name).and_then(|row| row.value.secret());
    let admin_token = secret("admin_token").cloned();
    config.cluster.engine = secret(conflicts::ENGINE).and_then(|text| text.reveal().parse().ok());
    config.cluster.bus = secret(conflicts::BUS).and_then(|text| text.reveal().parse().ok());
    Ok(Config { policies: policies(values, tables), token_keys, account, admin_token, ..config })
}

pub(super) fn changes<'v>(
    settings: impl Iterator<Item = &'static Setting> + 'v,
    values: &'v Values,
    prefix: String,
) -> impl Iterator<Item = Change> + 'v {
    settings.filter_map(move |(key, _)| {
        let Assigned { value, origin } = values.get(key)?;
        let (name, value) = (format!("{prefix}{key}"), value.to_string());
        Some(Change { name, value, origin: origin.clone()? })
    })
}
