//! The token of the admin API, from the configuration or the file that it names.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use crate::auth::secret;
use crate::chat::model::account::SecretHash;
use crate::config::Config;

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
    let mut text = String::new();
    // Bounded, since a device has no end.
    File::open(path)
        .and_then(|file| file.take(FILE_LEN_MAX).read_to_string(&mut text))
        .map_err(|error| AdminTokenError(path.clone(), error.to_string()))?;
    let token = Config::admin_token_of(&text);
    let token =
        token.map_err(|expected| AdminTokenError(path.clone(), format!("it {expected}")))?;
    Ok(Some(secret::hash_any(token.reveal())))
}
