//! Every bound of the domain.

use std::time::Duration;

use super::identity::AuthPolicy;
use super::policy::{Policies, Policy};
use super::profile::PublicProfile;
pub use super::profile::{DISPLAY_LEN_MAX, STATUS_LEN_MAX};
use super::record::Epoch;
use crate::time::rate::Rate;

/// Bounds and intervals. What happens at each is said at the operation that meets it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a message's text and data together.
    pub message_bytes: usize,
    /// Rooms of which one user may be a member.
    pub rooms_per_user: usize,
    /// Sessions of one user.
    pub sessions_per_user: usize,
    /// Members of one room.
    pub members_per_room: usize,
    /// Users in all, present or remembered, without those who never came ([`AWAITED_MAX`]). At the
    /// bound the one makes room that was absent for longest and has nothing to lose but places in
    /// open rooms; if there is none, newcomers are refused
    /// ([`Code::Busy`](super::code::Code::Busy)).
    pub users: usize,
    /// Rooms and direct conversations in all.
    pub rooms: usize,
    /// Rooms in memory that nobody uses; those beyond are forgotten until somebody does, the ones
    /// that were used last stay.
    pub idle_rooms: usize,
    /// Memberships in all.
    pub memberships: usize,
    /// Records that a history page holds at most.
    pub history_page: u32,
    /// Records that a join or resume may ask for at once.
    pub replay: u64,
    /// Records that a room's recent ring holds at most.
    pub ring_records: usize,
    /// Bytes that a room's recent ring holds at most.
    pub ring_bytes: usize,
    /// Bytes that all recent rings hold together at most.
    pub ring_total_bytes: usize,
    /// Bytes that may wait for one slow connection before its cursors fall behind.
    pub outbound_soft: usize,
    /// Bytes that may wait for all connections together; `None`: no bound.
    pub outbound_total: Option<usize>,
    /// How fast one user may do what, over all of its connections.
    pub user_rates: UserRates,
    /// Commands a second, for the welcome; `None` if they are not limited.
    pub rate_per_s: Option<u32>,
    /// Commands at once, for the welcome.
    pub burst: u32,
    /// Bytes that are read of a connection before it is their turn at that rate.
    pub read_ahead: usize,
    /// Silence after which a connection is pinged, for the welcome.
    pub ping_after: Duration,
    /// From a user's last session to being told as off.
    pub leave_grace: Duration,
    /// From a guest's last session to the end of its memberships.
    pub guest_membership: Duration,
    /// The least time between two presence events of a room.
    pub presence_interval: Duration,
    /// The time for which receipts are gathered.
    pub receipts_interval: Duration,
    /// Whether joining a room that does not exist makes it.
    pub open_join_creates: bool,
    /// How long after it was said a message may be edited by its author; `None`: for ever.
    pub edit_window: Option<Duration>,
    /// What holds for rooms by their names.
    pub policies: Policies,
    /// Bytes of one file; `None`: none are taken.
    pub file_bytes: Option<u64>,
    /// Whom the server believes.
    pub auth: AuthPolicy,
}

/// How fast one user may do what; `None`: as fast as its connections may.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserRates {
    /// Send, edit and whatever else goes into a log, over several connections.
    pub messages: Option<Rate>,
    /// Enter or make rooms, and invite.
    pub joins: Option<Rate>,
    /// Ask for pages of history; a search counts like several.
    pub readings: Option<Rate>,
}

/// Users at other nodes of whom a node knows, some 150 MB of them; more count as absent.
pub const ELSEWHERE_MAX: usize = 1 << 20;

/// Members above which presence is told as a count only.
pub const PRESENCE_NAMES_MAX: usize = 200;
/// Members up to which everybody may call a room by `@room`, unless its policy says otherwise.
pub const CALLED_BY_ALL_MAX: usize = 50;
/// Members above which receipts are not told.
pub const RECEIPTS_MEMBERS_MAX: usize = 50;
/// How long somebody counts as typing after saying so.
pub const TYPING_LASTS: Duration = Duration::from_secs(6);
/// Bytes of the longest `cid`.
pub const CID_LEN_MAX: usize = 64;
/// Bytes of the longest request id.
pub const REQUEST_ID_LEN_MAX: usize = 64;
/// Bytes of the longest topic.
pub const TOPIC_LEN_MAX: usize = 512;
/// How names begin that the server gives.
pub const GUEST_PREFIX: &str = "guest-";
/// Bytes of the longest reaction.
pub const EMOJI_LEN_MAX: usize = 64;
/// Names that a room may have had before; they lead to it for as long as it lives.
pub const FORMER_NAMES_MAX: usize = 8;
/// Bytes of the longest reason of an act of moderation.
pub const REASON_LEN_MAX: usize = 256;
/// Bytes of the longest text to search for.
pub const SEARCH_LEN_MAX: usize = 256;
/// Conversations that one user may have begun with names by which nobody has come yet.
pub const AWAITED_BY_ONE_MAX: usize = 32;
/// Such conversations of all users together, about 1 KB each; they count against no other bound.
pub const AWAITED_MAX: usize = 1 << 16;
/// Requests that wait for rooms and users which are not in memory; another one is refused
/// ([`Code::Busy`](super::code::Code::Busy)). A connection waits for one at a time.
pub const LOADS_MAX: usize = 1 << 17;
/// Rooms that are loaded because their records are too old; others have their turn later.
pub const OVERDUE_MAX: usize = 64;
/// Bans, mutes and readers of one room; those that are over do not count.
pub const RESTRICTIONS_MAX: usize = 4_096;
/// Entries of one page of a room's restrictions.
pub const RESTRICTIONS_PAGE_MAX: usize = 100;
/// Bytes that an entry of these, or an invitation in a list, takes at most when it is rendered,
/// without the names and the reason.
pub const RESTRICTION_OVERHEAD: usize = 128;
/// Bytes of invitations in one welcome; `rooms` has all of them.
pub const WELCOME_INVITATIONS_BYTES_MAX: usize = 512;
/// Open invitations of one room.
pub const INVITATIONS_OF_ROOM_MAX: usize = 100;
/// Open invitations of one user.
pub const INVITATIONS_OF_USER_MAX: usize = 50;
/// Users whom one user may have blocked.
pub const BLOCKS_OF_USER_MAX: usize = 256;
/// Blocks of all users: some 10 MB in memory.
pub const BLOCKS_MAX: usize = 100_000;
/// The longest time after which a status text ends by itself, in milliseconds: a year.
pub const STATUS_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;
/// Users with a display name, a status text or a colour: some 30 MB in memory if all are as long
/// as may be.
pub const PROFILES_MAX: usize = 100_000;
/// Users of whom one `whois` asks, and one event of profiles tells.
pub const PROFILES_PAGE_MAX: usize = 50;
/// Open reports of one user.
pub const REPORTS_OF_USER_MAX: usize = 32;
/// Open reports of all guests, of whom there are as many as anybody likes.
pub const REPORTS_OF_GUESTS_MAX: usize = 1_024;
/// Open reports in all: some 4 MB in memory.
pub const REPORTS_MAX: usize = 4_096;
/// Bytes of a reported message that its report keeps.
pub const REPORT_TEXT_MAX: usize = 512;
/// Reports of one page.
pub const REPORTS_PAGE_MAX: usize = 50;
/// Bytes that a report in a list takes at most when it is rendered, without names and texts.
pub const REPORT_OVERHEAD: usize = 160;
/// Rooms of one page of the directory.
pub const DIRECTORY_PAGE_MAX: u32 = 40;
/// Bytes that such a room takes at most when it is rendered, without its name and topic.
pub const LISTED_ROOM_OVERHEAD: usize = 128;
/// Entries of one page of the audit.
pub const AUDIT_PAGE_MAX: u32 = 100;
/// How long a report is open if nobody settles it.
pub const REPORT_LASTS: Duration = Duration::from_hours(90 * 24);
/// Threads of which a user has a mark, those that are not to be followed included: beyond that the
/// marks that were changed longest ago go.
pub const THREADS_OF_USER_MAX: usize = 64;
/// Unread messages of a thread above which they are not counted: a client shows that as "99+".
pub const THREAD_UNREAD_MAX: u64 = 100;
/// How long an invitation is open.
pub const INVITATION_LASTS: Duration = Duration::from_hours(30 * 24);
/// Unread messages of a room above which they are not counted.
pub const UNREAD_MAX: u64 = 9_999;
/// Unread messages of a room with an `@` that are looked at for mentions, the latest ones: more are
/// not counted. A message from memory is always looked at.
pub const MENTIONING_MAX: u64 = 1_000;
/// Bytes that one user takes, its name, session and membership in one room included.
pub const USER_BYTES: u64 = 256;
/// Bytes that one room takes, without its ring.
pub const ROOM_BYTES: u64 = 656;
/// Bytes of rooms and of others' marks that one welcome tells, at most, unless the rooms alone are
/// more. The marks that do not fit are told afterwards.
pub const RESUME_BYTES_MAX: usize = 32 * 1024;
/// Bytes that a room is counted for there.
pub const RESUMED_ROOM_BYTES: usize = 256;
/// Bytes that one mark takes: a name and a seq.
pub const READ_MARK_BYTES: usize = 56;
/// The highest seq plus one: what every JSON reader can hold in a double.
pub const SEQ_END: u64 = 1 << 53;
/// Bytes that a rendered record takes besides its names, text, data and `cid`, at most, framing
/// included.
pub const RECORD_OVERHEAD: usize = 224;
/// Rooms of one stream of events: each of its events names a position in all of them.
pub const STREAM_ROOMS_MAX: usize = 32;
/// Bytes that one of these positions takes at most: an epoch, a seq, what divides them, and what
/// follows.
pub const POSITION_LEN_MAX: usize = Epoch::LEN_MAX + 16 + 2;
/// Bytes that an event of a stream takes at most besides its record: its position in one room, its
/// name and what stands between them.
pub const EVENT_FRAMING: usize = 64;
/// Bytes of records that one replay or history page holds at most, if it holds more than one.
pub const PAGE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of messages that one search takes from memory at most, and from the store, if it takes
/// more than one: both go into one answer.
pub const SEARCH_BYTES_MAX: usize = PAGE_BYTES_MAX / 2;
/// Bytes that the rooms of one inbox take at most when they are rendered.
pub const INBOX_BYTES_MAX: usize = 60 * 1024;
/// Bytes of a last message's text in an inbox; longer ones are cut.
pub const LAST_LEN_MAX: usize = 64;
/// Bytes that a row of an inbox takes at most when it is rendered, without the room's names and the
/// last message.
pub const INBOX_ROW_OVERHEAD: usize = 168;

// No answer and no event with as many profiles as may be is longer than a page.
const _: () = assert!(PROFILES_PAGE_MAX * PublicProfile::RENDERED_LEN_MAX <= PAGE_BYTES_MAX);

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: None,
            message_bytes: 16 * 1024,
            rooms_per_user: 256,
            sessions_per_user: 16,
            members_per_room: 100_000,
            users: 100_000,
            rooms: 100_000,
            idle_rooms: 1_000,
            memberships: 1 << 24,
            history_page: 200,
            replay: 10_000,
            ring_records: 256,
            ring_bytes: 64 * 1024,
            ring_total_bytes: 64 * 1024 * 1024,
            outbound_soft: 64 * 1024,
            outbound_total: None,
            user_rates: UserRates::default(),
            rate_per_s: Some(20),
            burst: 40,
            read_ahead: 64 * 1024,
            ping_after: Duration::from_secs(25),
            leave_grace: Duration::from_secs(15),
            guest_membership: Duration::from_mins(10),
            presence_interval: Duration::from_secs(1),
            receipts_interval: Duration::from_secs(1),
            open_join_creates: true,
            edit_window: None,
            policies: Policies::uniform(Policy::default()),
            auth: AuthPolicy::default(),
        }
    }
}
