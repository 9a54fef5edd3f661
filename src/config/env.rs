//! The environment, read in this one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::settings::{CONFIG_VARIABLE, VARIABLE_PREFIX};

/// The `CHINWAG_` variables of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn read() -> Self {
        std::env::vars_os().collect()
    }

    /// The file to read, if a variable names one.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.0.get(CONFIG_VARIABLE).map(PathBuf::from)
    }

    /// The variables that set something, with their values.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&String, &OsString)> {
        self.0.iter().filter(|(name, _)| *name != CONFIG_VARIABLE)
    }
}

/// Takes only the variables that are ours.
impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with(VARIABLE_PREFIX).then_some((name, value))
        };
        Self(variables.into_iter().filter_map(ours).collect())
    }
}
