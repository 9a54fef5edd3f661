//! The configuration: what may be set, from where, and what it may be set to.
//!
//! Four sources, the later ones win: the defaults, a TOML file, the environment, the flags. All feed the
//! same typed [`Config`] through the same parsers, so a value is refused in the same words wherever
//! it was written, with the place: file, line, column and a caret, the variable, or the flag.
//!
//! ```text
//! defaults ─► file (--config, CHINWAG_CONFIG) ─► CHINWAG_… ─► --flags ─► relations ─► Config
//! ```
//!
//! A setting `key` of the file's `[section]` is `CHINWAG_SECTION_KEY` in the environment; those before
//! the first section are `CHINWAG_KEY`. The tables `[[room_policy]]`, of which there may be many, are the
//! file's alone: they have neither variables nor flags, but what they do not say follows the others. What nobody knows (a key, a section, a `CHINWAG_` variable) is
//! refused rather than ignored, with the name that was probably meant. A [`Config`] that exists has
//! passed every check: nothing that uses it needs to look again.

mod compression;
mod env;
mod fault;
mod file;
mod http;
mod kind;
mod limits;
mod load;
mod names;
mod policies;
mod relations;
mod rooms;
mod setting;
mod suggest;
mod timeouts;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub use compression::Compression;
pub use env::Environment;
pub use fault::{Fault, Faults, Origin, Place};
pub use http::Http;
pub use limits::Limits;
pub use load::{Change, Flags, Loaded, load};
pub use rooms::{Access, Creators, Durability, PresenceMode, Retention, RoomPolicy, Rooms};
pub use setting::Key;
pub use timeouts::Timeouts;

use crate::log::{Filter, Format};
use kind::{Address, Directory, FilterText, Or, Switch, Word};
use setting::{Each, Section};

/// The file of all defaults with a comment for each, as `chinwag check --defaults` prints it.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Everything that can be set, checked. [`Config::default`] is what runs when nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where HTTP and WebSocket are served. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where plain TCP is served, `None` if nowhere.
    pub tcp: Option<SocketAddr>,
    /// Where metrics and health are served, `None` if nowhere.
    pub admin: Option<SocketAddr>,
    /// The directory for what must outlive the process.
    pub data: PathBuf,
    /// What a record must survive before its sender is answered, in rooms that do not say otherwise.
    pub durability: Durability,
    /// Whether `/echo` answers each WebSocket message with itself.
    pub echo: bool,
    /// How log lines are written.
    pub log_format: Format,
    /// Which log lines are written.
    pub log_level: Filter,
    /// Who may connect by HTTP, and how large a request head may be.
    pub http: Http,
    /// Every bound on what clients can make the server hold or do.
    pub limits: Limits,
    /// Every deadline and interval.
    pub timeouts: Timeouts,
    /// What holds for all rooms whose policy does not say otherwise.
    pub rooms: Rooms,
    /// What holds for some rooms, in the order in which they are tried.
    pub room_policies: Vec<RoomPolicy>,
    /// WebSocket compression.
    pub compression: Compression,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(8080),
            tcp: Some(loopback(9000)),
            admin: Some(loopback(9091)),
            data: PathBuf::from("./chinwag-data"),
            durability: Durability::Disk,
            echo: false,
            log_format: Format::Text,
            log_level: Filter::default(),
            http: Http::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            rooms: Rooms::default(),
            room_policies: Vec::new(),
            compression: Compression::default(),
        }
    }
}

impl Config {
    /// Hands every setting to `each`, in the order of the default file, but those of the room policies.
    fn visit(&mut self, each: &mut Each<'_>) {
        let mut top = Section::new("", each);
        top.setting("listen", &mut self.listen, Address);
        top.setting("tcp", &mut self.tcp, Or("off", Address));
        top.setting("admin", &mut self.admin, Or("off", Address));
        top.setting("data", &mut self.data, Directory);
        top.setting("durability", &mut self.durability, Word(Durability::WORDS));
        top.setting("echo", &mut self.echo, Switch);
        top.setting("log_format", &mut self.log_format, Word(Format::WORDS));
        top.setting("log_level", &mut self.log_level, FilterText);
        self.http.visit(Section::new("http", each));
        self.limits.visit(Section::new("limits", each));
        self.timeouts.visit(Section::new("timeouts", each));
        self.rooms.visit(Section::new("rooms", each));
        self.compression.visit(Section::new("compression", each));
    }

    /// Every setting with its present value in TOML, in the order of the default file, but those of the room
    /// policies.
    #[must_use]
    pub fn settings(&self) -> Vec<(Key, String)> {
        let mut list = Vec::new();
        self.clone().visit(&mut |key, setting| list.push((key, setting.render())));
        list
    }
}
