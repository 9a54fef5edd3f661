//! The environment, read in this one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::fault::{Fault, Origin};
use super::load::Entry;
use super::setting::Given;

/// What the name of every variable of ours begins with.
const PREFIX: &str = "CHINWAG_";
/// The variable that names the file; it is none of the file's settings.
pub(super) const CONFIG_VARIABLE: &str = "CHINWAG_CONFIG";

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

    /// The settings, under the names of their variables, and what is wrong with the others.
    pub(super) fn entries(&self) -> (Vec<Entry>, Vec<Fault>) {
        let (mut entries, mut faults) = (Vec::new(), Vec::new());
        for (name, value) in self.0.iter().filter(|(name, _)| *name != CONFIG_VARIABLE) {
            let origin = Origin::Variable(name.clone());
            match value.to_str() {
                Some(text) => entries.push(Entry {
                    name: name.clone(),
                    given: Given::Word(text.to_owned()),
                    name_origin: origin.clone(),
                    value_origin: origin,
                }),
                None => faults
                    .push(Fault { what: format!("{name} is not UTF-8"), origin: Some(origin) }),
            }
        }
        (entries, faults)
    }
}

/// Takes only the variables that are ours.
impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with(PREFIX).then_some((name, value))
        };
        Self(variables.into_iter().filter_map(ours).collect())
    }
}

/// Whether this looks like one of the variables that Kubernetes makes for a service called chinwag.
pub(super) fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_refused_by_name() {
        let latin1 = OsString::from_vec(b"\xfc".to_vec());
        let variables = [("CHINWAG_DATA".into(), latin1.clone()), ("HOME".into(), latin1)];
        let (entries, faults) = Environment::from_iter(variables).entries();
        assert!(entries.is_empty());
        let said: Vec<_> = faults.iter().map(|fault| fault.what.as_str()).collect();
        assert_eq!(said, ["CHINWAG_DATA is not UTF-8"]);
    }
}
