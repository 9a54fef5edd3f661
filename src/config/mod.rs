//! The configuration: what may be set, from where, and what it may be set to.
//!
//! Four sources, the later ones win: the default file, a TOML file, the environment, the flags. All
//! feed the same checks, so a value is refused in the same words wherever it was written, with the
//! place: file, line, column and a caret, the variable, or the flag.
//!
//! ```text
//! defaults.toml ─► file (--config, CHINWAG_CONFIG) ─► CHINWAG_… ─► --flags
//!        └────────────── ValueType::parse ──────────────────────────┘
//!                               Values ─► conflicts ─► serde ─► Config
//! ```
//!
//! A setting `key` of the file's `[section]` is `CHINWAG_SECTION_KEY` in the environment; those
//! before the first section are `CHINWAG_KEY`. The tables `[[room_policy]]`, of which there may be
//! many, are the file's alone: they have neither variables nor flags, but what they do not say
//! follows the others. So are the tables `[[jwt.key]]`.
//!
//! An unknown key, section or `CHINWAG_` variable is refused rather than
//! ignored, with the name that was probably meant. A [`Config`] that exists has passed every check:
//! nothing that uses it checks again.
//!
//! SIGHUP has the sources read again ([`Loaded::reload`]): if anything is wrong, nothing changes;
//! otherwise what can take effect does, and the rest waits for a restart and is named.
//!
//! To add a setting to a section: a line in `sections.rs`, its default in `defaults.toml`, and, if
//! what uses it reads it each time, its name in `reload.rs`.

mod auth;
mod conflicts;
mod env;
mod fault;
mod file;
mod listen_address;
mod load;
mod memory;
pub mod named_file;
mod policies;
mod raw;
mod reload;
mod secret;
mod sections;
mod settings;
mod syntax;
#[cfg(test)]
mod tests;
mod token_keys;
mod units;
mod unknown;
mod value;
mod value_type;
mod values;
mod warnings;
mod words;

use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error as _};

pub use auth::INSTEAD;
pub use env::Environment;
pub use fault::{ConfigError, ConfigFault, FilePosition, Origin};
pub use listen_address::{BadListenAddress, ListenAddress, Place};
pub use load::{Change, Flags, Loaded, load};
pub use memory::Part;
pub use reload::{Difference, Reloaded};
pub use secret::Secret;
pub use sections::{
    Accounts, Cluster, Compression, Files, Header, Http, Jwt, Limits, Push, Rooms, Store, Timeouts,
    Tls, Webhooks,
};
pub use token_keys::{KeyMaterial, TokenKey};

use crate::chat::model::name::UserName;
use crate::chat::model::policy::{Policies, Policy};
use crate::log::{Filter, Format};
use crate::net::Network;

/// The file of all defaults with a comment for each, as `chinwag check --defaults` prints it.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Everything that can be set, checked. [`Config::default`] is what runs when nothing is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Config {
    /// Where HTTP and WebSocket are served. Port 0 lets the system choose.
    pub listen: Vec<ListenAddress>,
    /// Where plain TCP is served; empty if nowhere.
    #[serde(default)]
    pub tcp: Vec<ListenAddress>,
    /// Where metrics and health are served; empty if nowhere.
    #[serde(default)]
    pub admin: Vec<ListenAddress>,
    /// What the admin API wants to see, unless it stands in a file.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
    /// The file that it stands in.
    #[serde(default)]
    pub admin_token_file: Option<PathBuf>,
    /// As whom the admin API speaks and acts in rooms.
    #[serde(deserialize_with = "user_name")]
    pub admin_name: UserName,
    /// The proxies whose word on whom they speak for is taken.
    #[serde(deserialize_with = "networks")]
    pub proxies: Vec<Network>,
    /// Who may connect to the sockets in the file system.
    #[serde(deserialize_with = "mode")]
    pub socket_mode: u32,
    /// The directory for what must outlive the process.
    pub data: PathBuf,
    /// Who may say who somebody is, by the words of the file.
    #[serde(deserialize_with = "words::words")]
    pub auth: Vec<String>,
    /// Whether names are believed outside of loopback, too.
    pub insecure: bool,
    /// What holds for accounts, where `auth` has them.
    pub accounts: Accounts,
    /// How much memory the server may take, that of the kernel for its sockets included.
    #[serde(default)]
    pub memory: Option<u64>,
    /// What `memory` is divided into; empty if it is not set.
    #[serde(skip)]
    pub account: Vec<Part>,
    /// Whether `/echo` answers each WebSocket message with itself.
    pub echo: bool,
    /// How log lines are written.
    pub log_format: Format,
    /// The file that log lines go to; `None`: standard error.
    #[serde(default)]
    pub log_file: Option<PathBuf>,
    /// Which log lines are written.
    #[serde(deserialize_with = "from_text")]
    pub log_level: Filter,
    /// Tokens that somebody else has signed.
    pub jwt: Jwt,
    /// The keys that such tokens are signed with: the tables `[[jwt.key]]`.
    #[serde(skip)]
    pub token_keys: Vec<TokenKey>,
    /// Identity by a trusted proxy.
    pub header: Header,
    /// The certificates of the listeners with TLS.
    pub tls: Tls,
    /// Who may connect by HTTP, and how large a request head may be.
    pub http: Http,
    /// Every bound on what clients can make the server hold or do.
    pub limits: Limits,
    /// Every deadline and interval.
    pub timeouts: Timeouts,
    /// What holds for all rooms, besides their policies.
    pub rooms: Rooms,
    /// What holds for rooms by their names: `durability`, most of `[rooms]`, and each
    /// `[[room_policy]]`.
    #[serde(skip, default = "no_policies")]
    pub policies: Policies,
    /// What the store keeps in memory.
    pub store: Store,
    /// The log that several nodes share.
    pub cluster: Cluster,
    /// Files and pictures that people send.
    pub files: Files,
    /// Outgoing webhooks.
    pub webhooks: Webhooks,
    /// Web Push.
    pub push: Push,
    /// WebSocket compression.
    pub compression: Compression,
}

impl Config {
    /// The token of the admin API in the text of its file; otherwise what is wrong with it.
    ///
    /// # Errors
    ///
    /// A sentence without a subject.
    pub fn admin_token_of(text: &str) -> Result<Secret, String> {
        let token = text.trim_end_matches(['\r', '\n']);
        if conflicts::is_admin_token(token) {
            return Ok(Secret::new(token.to_owned()));
        }
        Err(format!("must have {}", conflicts::ADMIN_TOKEN))
    }
}

impl Default for Config {
    /// What the default file says.
    fn default() -> Self {
        // A test holds the default file to the checks, so that this cannot fail.
        let loaded = load(&Flags::default(), &Environment::default());
        loaded.expect("the default file passes the checks").config
    }
}

/// Until they are read from their own tables.
fn no_policies() -> Policies {
    Policies::uniform(Policy::default())
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    u32::from_str_radix(&String::deserialize(deserializer)?, 8).map_err(D::Error::custom)
}

fn user_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UserName, D::Error> {
    let text = String::deserialize(deserializer)?;
    UserName::parse(&text).map_err(|error| D::Error::custom(error.expected))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let listed = Vec::<String>::deserialize(deserializer)?;
    listed.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
