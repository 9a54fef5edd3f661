//! The list of all settings: names and what each may be. `defaults.toml` has the defaults.

use super::sections::{
    AGE, Accounts, Cluster, Compression, Files, Header, Http, Jwt, Limits, MESSAGE_BYTES, Push,
    Rooms, Store, Timeouts, Tls, Webhooks,
};
use super::value_type::Setting;
use super::value_type::ValueType::{
    self, Addresses, Bytes, Count, Creators, Directory, File, LogFilter, Mode, Networks,
    OptionalOr, Pattern, PolicyName, Secret, Sources, Switch, Text, Word,
};

/// The header of the tables with settings for some of the rooms.
pub(super) const POLICY_SECTION: &str = "room_policy";

/// The header of the tables with the keys of tokens.
pub(super) const KEY_SECTION: &str = "jwt.key";

const ADDRESSES_OR_OFF: ValueType = OptionalOr("off", &Addresses);
/// The least budget: below, there would be fewer than some hundred connections.
pub(super) const MEMORY_MIN: u64 = 24 << 20;
/// Up to a tebibyte.
const MEMORY: ValueType = OptionalOr("off", &OptionalOr("auto", &Bytes(MEMORY_MIN, 1 << 40)));
const DURABILITY: ValueType = Word(&["disk", "os", "memory"]);
const MENTION_ROOM: ValueType = Word(&["by_size", "anyone", "moderators", "nobody"]);
/// 2^53: the highest `seq`.
const KEEP_RECORDS: ValueType = OptionalOr("off", &Count(1, 1 << 53));
const KEEP_BYTES: ValueType = OptionalOr("off", &Bytes(1, 1 << 50));

/// Those before the first section.
const TOP: &[Setting] = &[
    ("listen", Addresses),
    ("tcp", ADDRESSES_OR_OFF),
    ("admin", ADDRESSES_OR_OFF),
    ("admin_token", OptionalOr("off", &Secret)),
    ("admin_token_file", OptionalOr("off", &File)),
    ("admin_name", PolicyName),
    ("proxies", Networks),
    ("socket_mode", Mode),
    ("data", Directory),
    ("durability", DURABILITY),
    ("auth", Sources),
    ("insecure", Switch),
    ("memory", MEMORY),
    ("echo", Switch),
    ("log_format", Word(&["text", "json"])),
    ("log_file", OptionalOr("off", &File)),
    ("log_level", LogFilter),
];

/// Those of `[rooms]` that are part of the policy of all rooms.
const ROOM_DEFAULTS: &[Setting] = &[
    ("rooms.create", Creators),
    ("rooms.mention_room", MENTION_ROOM),
    ("rooms.keep_for", AGE),
    ("rooms.keep_records", KEEP_RECORDS),
    ("rooms.keep_bytes", KEEP_BYTES),
];

/// The keys of a `[[room_policy]]`, in the order of the default file's example.
pub(super) const POLICY_SETTINGS: &[Setting] = &[
    ("match", Pattern),
    ("name", PolicyName),
    ("durability", DURABILITY),
    ("keep_for", AGE),
    ("keep_records", KEEP_RECORDS),
    ("keep_bytes", KEEP_BYTES),
    ("create", Creators),
    ("access", Word(&["open", "invite", "private"])),
    ("message_bytes", MESSAGE_BYTES),
    ("presence", Word(&["names", "count", "off"])),
    ("mention_room", MENTION_ROOM),
];

/// The keys of a `[[jwt.key]]`, in the order of the default file's example.
pub(super) const KEY_SETTINGS: &[Setting] = &[
    ("issuer", Text(255)),
    ("kid", Text(255)),
    ("algorithm", Word(&["HS256", "RS256", "ES256", "EdDSA"])),
    ("secret", Secret),
    ("secret_file", File),
    ("public_key_file", File),
    ("jwks_file", File),
];

/// The settings of which there is one each, in the order of the default file.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> + Clone {
    let before = [TOP, Accounts::SETTINGS, Jwt::SETTINGS, Header::SETTINGS, Tls::SETTINGS];
    let limits = [Http::SETTINGS, Limits::SETTINGS, Timeouts::SETTINGS];
    let rooms = [Rooms::SETTINGS, ROOM_DEFAULTS];
    let stores = [Store::SETTINGS, Cluster::SETTINGS, Files::SETTINGS];
    let last = [Webhooks::SETTINGS, Push::SETTINGS, Compression::SETTINGS];
    before.into_iter().chain(limits).chain(rooms).chain(stores).chain(last).flatten()
}

/// Section and key of every setting, those of the room policies last.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let single = settings().map(|(name, _)| name.split_once('.').unwrap_or(("", name)));
    let tables = [(POLICY_SECTION, POLICY_SETTINGS), (KEY_SECTION, KEY_SETTINGS)];
    let of_tables = tables
        .into_iter()
        .flat_map(|(section, settings)| settings.iter().map(move |(key, _)| (section, *key)));
    single.chain(of_tables)
}

/// Whether there is such a `[section]`.
pub(super) fn is_section(name: &str) -> bool {
    !name.is_empty()
        && ![POLICY_SECTION, KEY_SECTION].contains(&name)
        && keys().any(|(section, _)| section == name)
}

/// The beginning of the names of our variables: others are ignored.
pub(super) const VARIABLE_PREFIX: &str = "CHINWAG_";

/// The variable that names the file to read. It is not a setting itself.
pub(super) const CONFIG_VARIABLE: &str = "CHINWAG_CONFIG";

/// The environment variable of one of [`settings`].
pub(super) fn variable(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}
