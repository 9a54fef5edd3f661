//! The token of the admin API, from the configuration or the file that it names.

use std::fmt;
use std::path::PathBuf;

use crate::auth::secret;
use crate::chat::model::account::SecretHash;
use crate::config::{Config, named_file};

/// The most bytes of the file.
const FILE_LEN_MAX: u64 = 4 << 10;

/// Why the token cannot be used: its file, and what is wrong.
#[derive(Debug)]
pub struct AdminTokenError(PathBuf, String);

impl fmt::Display for AdminTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "admin_token_file: {}: {}", self.0.display(), self.1)
    }
}

impl std::error::Error for AdminTokenError {}

/// What is kept of the token; `None` if there is none, and the admin API is off.
///
/// # Errors
///
/// [`AdminTokenError`] if its file cannot be read, or what it holds is no token.
pub(super) fn load(config: &Config) -> Result<Option<SecretHash>, AdminTokenError> {
    if let Some(token) = &config.admin_token {
        return Ok(Some(secret::hash_any(token.reveal())));
    }
    let Some(path) = &config.admin_token_file else { return Ok(None) };
    let wrong = |what: String| AdminTokenError(path.clone(), what);
    let bytes = named_file::read(path, FILE_LEN_MAX).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_error| wrong("it is not UTF-8".to_owned()))?;
    let token = Config::admin_token_of(&text);
    let token = token.map_err(|expected| wrong(format!("it {expected}")))?;
    Ok(Some(secret::hash_any(token.reveal())))
}
