//! Which lines are written.

use std::fmt;
use std::str::FromStr;

use log::LevelFilter;

/// The crate's own modules are named without it.
const CRATE: &str = "chinwag::";

/// Libraries that write lines which strangers can cause, as many as they like, or that have the
/// addresses of webhooks in them: only who names one gets them (`::rustls=warn`).
const QUIET: [&str; 3] = ["rustls", "ureq", "ureq_proto"];

/// A level for everything, and others for some modules: `info,session=debug`.
///
/// A module's name is that of this crate (`session`) or, with `::` in it or in front of it, any
/// crate's (`::mio`, `mio::poll`). The longest name that fits a line decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    level: LevelFilter,
    modules: Vec<(String, LevelFilter)>,
}

impl Default for Filter {
    /// `info`.
    fn default() -> Self {
        Self { level: LevelFilter::Info, modules: Vec::new() }
    }
}

impl Filter {
    /// The level of each module by its path, `None` standing for all others.
    pub(super) fn directives(&self) -> impl Iterator<Item = (Option<String>, LevelFilter)> {
        let path = |name: &str| match name.strip_prefix("::") {
            Some(foreign) => foreign.to_owned(),
            None if name.contains("::") => name.to_owned(),
            None => format!("{CRATE}{name}"),
        };
        let modules = self.modules.iter().map(move |(name, level)| (Some(path(name)), *level));
        // What is said last holds.
        let quiet = QUIET.into_iter().map(|name| (Some(name.to_owned()), LevelFilter::Off));
        [(None, self.level)].into_iter().chain(quiet).chain(modules)
    }
}

/// A text that is no [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFilter;

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a level, nor modules with levels")
    }
}

impl std::error::Error for BadFilter {}

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let mut filter = Self::default();
        for directive in text.split(',').map(str::trim) {
            match directive.split_once('=') {
                None => filter.level = level(directive)?,
                Some((name, word)) if is_module(name) => {
                    filter.modules.push((name.to_owned(), level(word)?));
                }
                Some(_) => return Err(BadFilter),
            }
        }
        Ok(filter)
    }
}

fn level(word: &str) -> Result<LevelFilter, BadFilter> {
    word.parse().ok().ok_or(BadFilter)
}

fn is_module(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !name.is_empty() && name.bytes().all(is_part)
}

/// The inverse of parsing.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.level.as_str().to_ascii_lowercase())?;
        for (name, level) in &self.modules {
            write!(f, ",{name}={}", level.as_str().to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// The module's name as it stands in a line.
pub(super) fn shown(target: &str) -> &str {
    target.strip_prefix(CRATE).unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        let parsed = text.parse::<Filter>().ok().map(|filter| filter.to_string());
        assert_eq!(parsed.as_deref(), expect, "{text:?}");
    }

    #[test]
    fn a_filter_is_a_level_with_exceptions() {
        check("info", Some("info"));
        check("WARN", Some("warn"));
        check("off, session=debug,::mio=trace", Some("off,session=debug,::mio=trace"));
        check("session=debug", Some("info,session=debug"));
        for bad in ["", "loud", "session", "=debug", "session=", "a=b=c", "info,,", "a b=info"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_plain_name_is_a_module_of_this_crate() {
        let filter: Filter = "warn,http=debug,mio::poll=info,::rustls=off".parse().unwrap();
        let directives: Vec<_> = filter.directives().collect();
        let path = |name: &str| Some(name.to_owned());
        assert_eq!(
            directives,
            [
                (None, LevelFilter::Warn),
                // What strangers can cause is not written unless it is named, as here.
                (path("rustls"), LevelFilter::Off),
                (path("ureq"), LevelFilter::Off),
                (path("ureq_proto"), LevelFilter::Off),
                (path("chinwag::http"), LevelFilter::Debug),
                (path("mio::poll"), LevelFilter::Info),
                (path("rustls"), LevelFilter::Off),
            ]
        );
    }
}
