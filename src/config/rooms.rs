//! What holds for rooms, and for those that differ.

use std::time::Duration;

use super::kind::{Count, Kind, ListOf, Or, Size, Span, Switch, Word, quote};
use super::limits::MESSAGE_BYTES;
use super::names::{Pattern, PolicyName, UserName};
use super::setting::{Given, Section};

/// The longest time for which anything is kept, except for ever.
const AGE_MAX: Duration = Duration::from_hours(100 * 365 * 24);
/// The shortest time for which anything is kept.
const AGE_MIN: Duration = Duration::from_secs(1);
/// The most records that are told apart from all.
const RECORDS_MAX: u64 = 1 << 53;
/// The most bytes that are told apart from all.
const KEPT_BYTES_MAX: usize = 1 << 50;

/// What a record must survive before it is shown to anyone and its sender is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: it is committed and synced.
    Disk,
    /// The end of the process, however it comes: it is committed, and synced soon.
    Os,
    /// Nothing: the room's log is lost with the process, and begins a new epoch at each start.
    Memory,
}

impl Durability {
    /// The word for each.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("disk", Self::Disk), ("os", Self::Os), ("memory", Self::Memory)];
}

/// For how long a room's records are kept; of a room that exceeds any of these, the oldest go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How old a record may become; `None`: as old as it will.
    pub age: Option<Duration>,
    /// How many there may be; `None`: any number.
    pub records: Option<u64>,
    /// How many bytes of text and data there may be; `None`: any number.
    pub bytes: Option<usize>,
}

impl Retention {
    fn visit(&mut self, section: &mut Section<'_, '_>) {
        section.setting("keep_for", &mut self.age, Or("off", Span(AGE_MIN..=AGE_MAX)));
        section.setting("keep_records", &mut self.records, Or("off", Count(1..=RECORDS_MAX)));
        section.setting("keep_bytes", &mut self.bytes, Or("off", Size(1..=KEPT_BYTES_MAX)));
    }
}

/// Who may make a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creators {
    /// Everybody.
    Anyone,
    /// Only the users of these names; nobody if there are none.
    Only(Vec<String>),
}

/// How [`Creators`] are written.
struct CreatorsText;

impl Kind<Creators> for CreatorsText {
    fn parse(&self, given: &Given) -> Result<Creators, String> {
        const EXPECTED: &str =
            r#"must be "anyone", "nobody" or a list of users' names such as ["ann", "bob"]"#;
        match given {
            Given::Word(text) | Given::Text(text) if text == "anyone" => Ok(Creators::Anyone),
            Given::Word(text) | Given::Text(text) if text == "nobody" => {
                Ok(Creators::Only(Vec::new()))
            }
            Given::Word(text) if text.is_empty() => Err(EXPECTED.to_owned()),
            Given::List(names) if names.is_empty() => Err(EXPECTED.to_owned()),
            Given::Word(_) | Given::List(_) => ListOf(UserName).parse(given).map(Creators::Only),
            Given::Text(_) | Given::Integer(_) | Given::Boolean(_) | Given::Other(_) => {
                Err(EXPECTED.to_owned())
            }
        }
    }

    fn render(&self, value: &Creators) -> String {
        match value {
            Creators::Anyone => quote("anyone"),
            Creators::Only(names) if names.is_empty() => quote("nobody"),
            Creators::Only(names) => ListOf(UserName).render(names),
        }
    }
}

/// What holds for all rooms whose policy does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rooms {
    /// Whether `join` makes an open room that does not exist; otherwise it is 3001.
    pub open_join_creates: bool,
    /// Who may make a room, by `create` or by `join`.
    pub create: Creators,
    /// How long after it was said a message may be edited by its author (4006 later); `None`: for ever.
    pub edit_window: Option<Duration>,
    /// For how long records are kept, those of direct conversations included.
    pub retention: Retention,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            open_join_creates: true,
            create: Creators::Anyone,
            edit_window: None,
            retention: Retention::default(),
        }
    }
}

impl Rooms {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("open_join_creates", &mut self.open_join_creates, Switch);
        section.setting("create", &mut self.create, CreatorsText);
        let window = Or("off", Span(AGE_MIN..=AGE_MAX));
        section.setting("edit_window", &mut self.edit_window, window);
        self.retention.visit(&mut section);
    }
}

/// Who may find and enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody may find it; who is invited may enter (3008 for others).
    Invite,
    /// Only its members, and who is invited, know of it (3001 for others).
    Private,
}

impl Access {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("invite", Self::Invite), ("private", Self::Private)];
}

/// How presence is told in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceMode {
    /// By name, in rooms that are small enough for it.
    Names,
    /// As a count.
    Count,
    /// Not at all.
    Off,
}

impl PresenceMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("names", Self::Names), ("count", Self::Count), ("off", Self::Off)];
}

/// What holds for some rooms: one `[[room_policy]]` of the file. What that does not say is here as for all
/// other rooms. At least one of `pattern` and `name` is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPolicy {
    /// `match`: a room's name in which each `*` stands for any text, none included; the first policy that
    /// matches a room's name is its. `None`: matches no name, and is there to be chosen.
    pub pattern: Option<String>,
    /// By which `create` may choose it, whatever the room's name; no two have the same.
    pub name: Option<String>,
    /// What a record must survive before its sender is answered.
    pub durability: Durability,
    /// For how long records are kept.
    pub retention: Retention,
    /// Who may make such a room.
    pub create: Creators,
    /// Who may find and enter it.
    pub access: Access,
    /// Bytes of one message's text and data together (4001 above), at most `limits.message_bytes`.
    pub message_bytes: usize,
    /// How presence is told.
    pub presence: PresenceMode,
}

impl RoomPolicy {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("match", &mut self.pattern, Pattern);
        section.setting("name", &mut self.name, PolicyName);
        section.setting("durability", &mut self.durability, Word(Durability::WORDS));
        self.retention.visit(&mut section);
        section.setting("create", &mut self.create, CreatorsText);
        section.setting("access", &mut self.access, Word(Access::WORDS));
        section.setting("message_bytes", &mut self.message_bytes, MESSAGE_BYTES);
        section.setting("presence", &mut self.presence, Word(PresenceMode::WORDS));
    }
}
