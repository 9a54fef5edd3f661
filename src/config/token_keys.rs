//! The `[[jwt.key]]` tables of the file: whose tokens are taken, and by which keys.

use std::path::PathBuf;

use super::auth::has_source;
use super::fault::{ConfigFault, Origin};
use super::file::Entry;
use super::secret::Secret;
use super::settings::{KEY_SECTION, KEY_SETTINGS};
use super::unknown;
use super::value::Value;
use super::values::{Values, assign};
use crate::auth::keys::Algorithm;

/// The most tables: a token's key is looked for in their order.
const TABLES_MAX: usize = 64;

/// Where the key is.
const MATERIALS: [&str; 4] = ["secret", "secret_file", "public_key_file", "jwks_file"];
const ONE_MATERIAL: &str =
    "needs exactly one of secret, secret_file, public_key_file and jwks_file";

/// One `[[jwt.key]]`: a key of an issuer, or a file with all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// Its name in complaints.
    pub label: String,
    /// The `iss` of the tokens that it verifies.
    pub issuer: String,
    /// The `kid` of the tokens that it verifies; `None`: those without one, or, of a set, as the
    /// set says.
    pub kid: Option<String>,
    /// How they are signed; `None`: as the set says.
    pub algorithm: Option<Algorithm>,
    /// Where the key is.
    pub material: KeyMaterial,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// In the configuration.
    Secret(Secret),
    /// In a file that has nothing else but perhaps a newline at its end.
    SecretFile(PathBuf),
    /// In a PEM file.
    PublicKeyFile(PathBuf),
    /// Among others in a JWKS file.
    JwksFile(PathBuf),
}

impl KeyMaterial {
    /// The file that has it.
    #[must_use]
    pub const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Secret(_) => None,
            Self::SecretFile(path) | Self::PublicKeyFile(path) | Self::JwksFile(path) => Some(path),
        }
    }
}

/// What must hold between the keys and the other settings: a token says whom it is for, and a
/// server that does not know its own names could take none.
pub(super) fn conflict(values: &Values, keys: &[TokenKey]) -> Option<ConfigFault> {
    let audience = values.get("jwt.audience")?;
    let listed = values.get("auth")?;
    if keys.is_empty() && has_source(values, "jwt") {
        let what = "auth has \"jwt\", and no key verifies a token: write a [[jwt.key]] in the file";
        return Some(ConfigFault::new(what.to_owned(), listed.origin.as_ref()));
    }
    let proxies = values.get("proxies")?;
    if has_source(values, "header") && proxies.value == Value::List(Vec::new()) {
        let what = "auth has \"header\", and no proxy is believed: write its address in proxies, such \
                    as [\"127.0.0.1\"]";
        return Some(ConfigFault::new(what.to_owned(), listed.origin.as_ref()));
    }
    let is_named = !matches!(&audience.value, Value::List(names) if names.is_empty());
    if is_named || keys.is_empty() {
        return None;
    }
    let what = "jwt.audience = [] fits no token: write the aud that the issuer of [[jwt.key]] gives \
                to tokens for this server, such as [\"chat\"]";
    Some(ConfigFault::new(what.to_owned(), audience.origin.as_ref()))
}

/// Reads the tables. Adds to `faults` what is wrong with them; nothing of a secret is shown.
pub(super) fn read(
    tables: &[(Origin, Vec<Entry<'_>>)],
    faults: &mut Vec<ConfigFault>,
) -> Vec<TokenKey> {
    if let Some((origin, _)) = tables.get(TABLES_MAX) {
        let what = format!("{KEY_SECTION}: there may be {TABLES_MAX} of them");
        faults.push(ConfigFault::new(what, Some(origin)));
    }
    let mut keys = Vec::new();
    for (number, (origin, entries)) in (1..=TABLES_MAX).zip(tables) {
        let label = format!("{KEY_SECTION} {number}");
        let mut fault = |what: &str, origin: &Origin| {
            faults.push(ConfigFault::new(format!("{label}: {what}"), Some(origin)));
        };
        let mut values = Values::new();
        let mut is_whole = true;
        for entry in entries {
            let unknown = |entry: &Entry<'_>| unknown::key(&entry.name, KEY_SECTION);
            if let Err(wrong) = assign(&mut values, KEY_SETTINGS.iter(), entry, unknown) {
                is_whole = false;
                match (entry.name.as_str(), wrong.origin) {
                    // Neither what was written nor its line is shown.
                    ("secret", _) => fault("secret must be text in quotes", origin),
                    (_, place) => fault(&wrong.what, place.as_ref().unwrap_or(origin)),
                }
            }
        }
        if is_whole {
            match key(&label, &values) {
                Ok(key) => keys.push(key),
                Err(what) => fault(what, origin),
            }
        }
    }
    keys
}

/// The key of a table whose values are each right by themselves.
fn key(label: &str, values: &Values) -> Result<TokenKey, &'static str> {
    let text = |name: &str| values.get(name)?.value.text().map(str::to_owned);
    let secret = values.get("secret").and_then(|assigned| assigned.value.secret().cloned());
    let mut materials = MATERIALS.into_iter().filter(|name| values.contains_key(name));
    let (Some(kind), None) = (materials.next(), materials.next()) else {
        return Err(ONE_MATERIAL);
    };
    let path = || text(kind).map(PathBuf::from).unwrap_or_default();
    let material = match (kind, secret) {
        ("secret", Some(secret)) => KeyMaterial::Secret(secret),
        ("secret_file", _) => KeyMaterial::SecretFile(path()),
        ("public_key_file", _) => KeyMaterial::PublicKeyFile(path()),
        _ => KeyMaterial::JwksFile(path()),
    };
    let (kid, algorithm) = (text("kid"), text("algorithm"));
    let algorithm = algorithm.as_deref().and_then(Algorithm::parse);
    match (&material, algorithm) {
        (KeyMaterial::JwksFile(_), _) if kid.is_some() => {
            return Err("has jwks_file, whose keys have their own kid: leave kid out");
        }
        (KeyMaterial::JwksFile(_), _) => {}
        (_, None) => return Err("has no algorithm: write HS256, RS256, ES256 or EdDSA"),
        (KeyMaterial::PublicKeyFile(_), Some(Algorithm::Hs256)) => {
            return Err("has a public key, which HS256 has not: write RS256, ES256 or EdDSA");
        }
        (KeyMaterial::Secret(_) | KeyMaterial::SecretFile(_), Some(other))
            if other != Algorithm::Hs256 =>
        {
            return Err("has a secret, which only HS256 has: give a public_key_file");
        }
        (_, Some(_)) => {}
    }
    let issuer = text("issuer").ok_or("has no issuer: write the iss of its tokens")?;
    Ok(TokenKey { label: label.to_owned(), issuer, kid, algorithm, material })
}
