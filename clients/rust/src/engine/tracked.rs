//! A room, and what the client alone has to know of it.

use crate::model::{Item, Room};

/// A room, and what the client alone has to know of it.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub room: Room,
    /// Where a first join is to begin.
    pub after: Option<u64>,
    /// Records up to this one follow by themselves.
    pub catch_up: u64,
    /// The last record that the program has had no space for.
    pub behind: u64,
    /// What is fetched, if something is missing.
    pub fetch: Option<Fetch>,
    /// The request to join that has no answer yet.
    pub joining: Option<u64>,
    /// Whether who is there has been asked, and has no answer yet.
    pub is_asking: bool,
    /// Whether the program wants to know who is there.
    pub is_watched: bool,
    /// The head when the server counted what is unread.
    pub counted: u64,
    /// Unread up to `counted`, and the seqs of those after it.
    pub unread_before: u64,
    pub unread_since: Vec<u64>,
    /// Those of them that name us.
    pub mentions_before: u64,
    pub mentions_since: Vec<u64>,
    /// What the server knows that we have read, and what it was told.
    pub acked: u64,
    pub acking: u64,
    pub is_recounting: bool,
    pub typing_sent_at: Option<u64>,
    /// Whether an event says already that something has changed.
    pub is_changed: bool,
}

impl Tracked {
    pub(super) fn new(name: &str) -> Self {
        let role = "member".to_owned();
        let room = Room { name: name.to_owned(), oldest: 1, role, ..Room::default() };
        Self { room, ..Self::default() }
    }

    /// What was under way on a connection that was lost is under way no more.
    pub(super) fn forget_connection(&mut self) {
        self.room.typing.clear();
        self.fetch = None;
        self.behind = 0;
        self.joining = None;
        self.is_asking = false;
        self.acking = 0;
    }
}

/// The fetching of missing records.
#[derive(Debug)]
pub(super) struct Fetch {
    /// The last record that is missing.
    pub last: u64,
    /// Newer ones, which wait.
    pub held: Vec<Item>,
    /// The request for a page, and the position that it is about.
    pub id: u64,
    pub begin: u64,
}
