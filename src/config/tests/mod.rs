//! Sources, and the configuration or the complaints that come of them.

mod conflicts;
mod memory;
mod policies;
mod reload;
mod sources;
mod token_keys;
mod values;

use super::load::{Flags, Loaded, Loader};
use super::*;

/// What comes of a file with this text.
fn file(text: &str) -> Result<Loaded, ConfigError> {
    let mut loader = Loader::defaults();
    loader.file("a.toml", text);
    loader.finish()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// What the sources complain about, one fault a line without its place.
#[track_caller]
fn check(loaded: Result<Loaded, ConfigError>, expect: &[&str]) {
    let faults = loaded.map_or_else(|error| error.0, |_| Vec::new());
    let found: Vec<_> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(found, expect);
}

/// Line and column of the first fault.
#[track_caller]
fn position(loaded: Result<Loaded, ConfigError>) -> (usize, usize) {
    let ConfigError(faults) = loaded.unwrap_err();
    let Some(Origin::File(FilePosition { line, column, .. })) = &faults[0].origin else {
        panic!("no place: {faults:?}")
    };
    (*line, *column)
}

/// What was set, a line each with its value and who set it.
fn shown(changes: &[Change]) -> Vec<String> {
    let line = |Change { name, value, origin }: &Change| format!("{name} = {value} ({origin})");
    changes.iter().map(line).collect()
}
