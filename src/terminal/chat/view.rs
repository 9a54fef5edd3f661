//! What is on the screen, and what the two threads have to know of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
#[expect(
    clippy::disallowed_types,
    reason = "one thread reads lines, and another prints events"
)]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chinwag_client::{Client, Item, other_in};
use rustyline::ExternalPrinter;

use super::display_names::{self, Displays};
use super::show::{self, Look, Quotable};
use crate::chat::model::meant_message::Meant;
use crate::terminal::Style;
use crate::time::clock::Clock;

/// Messages of a room that are kept so that reactions and edits can quote them.
const QUOTABLE_MAX: usize = 200;

/// Records that are held back at most: the page that is asked for has the oldest of more.
const HELD_MAX: usize = 200;

/// What both threads look at.
#[derive(Clone, Debug)]
#[expect(clippy::disallowed_types, reason = "as above")]
pub(super) struct Shared(Arc<Mutex<View>>);

#[expect(clippy::disallowed_types, reason = "as above")]
impl Shared {
    pub(super) fn new(view: View) -> Self {
        Self(Arc::new(Mutex::new(view)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what the authors of records are called who are not known, and waits for the answer.
    pub(super) fn learn(&self, client: &Client, records: &[serde_json::Value]) {
        let unknown = self.lock().displays.to_ask(records, false);
        drop(self.ask(client, unknown));
    }

    /// Asks what these users are called, and waits for the answer. Returns the view, in which it is
    /// noted.
    pub(super) fn ask(&self, client: &Client, users: BTreeSet<String>) -> MutexGuard<'_, View> {
        let as_of = self.lock().displays.told();
        let profiles = display_names::ask(client, users);
        let mut view = self.lock();
        let now = view.clock.now().tick;
        view.displays.note_answer(&profiles, as_of, now);
        view
    }
}

/// The screen.
pub(super) struct View {
    pub style: Style,
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// The room that is looked at.
    pub current: Option<String>,
    /// Messages that were typed here, and so are on the screen already.
    pub typed: BTreeSet<String>,
    /// Whether one leaves, so that the end of the connection is no news.
    pub is_leaving: bool,
    /// Users of whom one wants to see nothing.
    pub blocked: BTreeSet<String>,
    /// What those who speak are called besides their names.
    pub displays: Displays,
    clock: Clock,
    /// What was told of a room while its page is asked for, after which it is shown.
    held: Option<(String, VecDeque<Item>)>,
    /// The last record of each room that was shown.
    shown: BTreeMap<String, u64>,
    /// Rooms of which it was said that something is unread there.
    unread: BTreeSet<String>,
    quotable: BTreeMap<String, BTreeMap<u64, Quotable>>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("current", &self.current).finish_non_exhaustive()
    }
}

impl View {
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            printer: None,
            current: None,
            typed: BTreeSet::new(),
            is_leaving: false,
            blocked: BTreeSet::new(),
            displays: Displays::default(),
            clock: Clock::start(),
            held: None,
            shown: BTreeMap::new(),
            unread: BTreeSet::new(),
            quotable: BTreeMap::new(),
        }
    }

    /// Notes what the server tells of users.
    pub(super) fn note_profiles(&mut self, profiles: &Item) {
        self.displays.note(profiles, self.clock.now().tick);
    }

    /// The author of a record, if its display name is to be asked for.
    pub(super) fn wanted_author(&mut self, record: &Item) -> Option<String> {
        self.displays.wanted_author(record, self.clock.now().tick)
    }

    pub(super) fn set_printer(&mut self, printer: Box<dyn ExternalPrinter + Send>) {
        self.printer = Some(printer);
    }

    /// How records are shown to `me`.
    pub(super) const fn look<'a>(&'a self, me: &'a str) -> Look<'a> {
        Look { style: self.style, me, displays: &self.displays }
    }

    /// Prints lines above the one that is being typed.
    pub(super) fn print(&mut self, lines: &str) {
        let lines = lines.trim_end_matches('\n');
        let printed = self.printer.as_mut().map(|printer| printer.print(format!("{lines}\n")));
        // Without a line editor, or if it has failed, straight to the output.
        if !matches!(printed, Some(Ok(()))) {
            super::print(lines);
        }
    }

    /// Prints a remark.
    pub(super) fn say(&mut self, remark: &str) {
        let lines: Vec<_> = remark.lines().map(|line| self.style.faint(line)).collect();
        self.print(&lines.join("\n"));
    }

    /// Prints what went wrong.
    pub(super) fn complain(&mut self, what: &str) {
        let line = self.style.alarming(&format!("! {}", show::line(what)));
        self.print(&line);
    }

    /// What stands before the line that is typed: the room, and how much is unread in others.
    pub(super) fn prompt(&self, client: &Client) -> String {
        let current = self.current.as_deref();
        let elsewhere = client.rooms().into_iter().filter(|room| Some(&*room.name) != current);
        let unread: u64 = elsewhere.map(|room| room.unread).sum();
        let unread = if unread == 0 { String::new() } else { format!("(+{unread}) ") };
        let me = client.user().unwrap_or_default();
        match current {
            None => format!("{unread}> "),
            Some(room) => match other_in(room, &me) {
                Some(other) => format!("{unread}to {}> ", show::name(other)),
                None => format!("{unread}{}> ", show::name(room)),
            },
        }
    }

    /// Looks at another room.
    pub(super) fn focus(&mut self, room: &str) {
        self.current = Some(room.to_owned());
        self.unread.remove(room);
    }

    /// Holds back what is told of a room.
    pub(super) fn hold(&mut self, room: &str) {
        self.held = Some((room.to_owned(), VecDeque::new()));
    }

    /// The room of which what is told is held back, as it is called by now; `None` if its log is
    /// another one since that began.
    pub(super) fn held_room(&self) -> Option<String> {
        self.held.as_ref().map(|(room, _)| room.clone())
    }

    /// Keeps the record for later if its room is held back; `false` if it is not.
    pub(super) fn is_held(&mut self, room: &str, item: &Item) -> bool {
        let Some((_, held)) = self.held.as_mut().filter(|(held, _)| held == room) else {
            return false;
        };
        if held.len() == HELD_MAX {
            held.pop_front();
        }
        held.push_back(item.clone());
        true
    }

    /// What was held back, which is to be shown now.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Item> + use<> {
        self.held.take().into_iter().flat_map(|(_, held)| held)
    }

    pub(super) fn shown(&self, room: &str) -> u64 {
        self.shown.get(room).copied().unwrap_or_default()
    }

    /// The room has another name.
    pub(super) fn rename(&mut self, was: &str, name: &str) {
        if self.current.as_deref() == Some(was) {
            self.current = Some(name.to_owned());
        }
        if let Some((held, _)) = self.held.as_mut().filter(|(held, _)| held == was) {
            name.clone_into(held);
        }
        if let Some(seq) = self.shown.remove(was) {
            self.shown.insert(name.to_owned(), seq);
        }
        if let Some(quotable) = self.quotable.remove(was) {
            self.quotable.insert(name.to_owned(), quotable);
        }
        if self.unread.remove(was) {
            self.unread.insert(name.to_owned());
        }
    }

    /// The room's log is another one.
    pub(super) fn forget(&mut self, room: &str) {
        // Seqs begin anew: by those of the former log nothing of the new one would be shown.
        self.held.take_if(|(held, _)| held == room);
        self.shown.remove(room);
        self.quotable.remove(room);
        self.unread.remove(room);
    }

    /// The last message that is meant, or the first one of its thread: its seq, and how it is
    /// quoted.
    pub(super) fn find_quotable(
        &self,
        room: &str,
        of: Meant<'_>,
        is_in_thread: bool,
    ) -> Option<(u64, String)> {
        let quotable = self.quotable.get(room)?;
        let (seq, found) = quotable.iter().rev().find(|(_, message)| message.is(of))?;
        let seq = found.thread.filter(|_| is_in_thread).unwrap_or(*seq);
        Some((seq, show::quote(quotable.get(&seq), "")))
    }

    /// Whether it has to be said now that something is unread in a room.
    pub(super) fn is_first_unread(&mut self, room: &str) -> bool {
        self.unread.insert(room.to_owned())
    }

    /// Nothing is unread there any more, be it that it was read elsewhere.
    pub(super) fn note_read(&mut self, room: &str) {
        self.unread.remove(room);
    }

    /// A record as it is shown, if it is to be shown and was not.
    pub(super) fn render(&mut self, room: &str, item: &Item, me: &str) -> Option<String> {
        let seq = chinwag_client::model::number(item, "seq")?;
        let from = chinwag_client::model::text(item, "from")?;
        // A replay after a lost connection may begin with what is on the screen already.
        if seq <= self.shown(room) {
            return None;
        }
        self.shown.insert(room.to_owned(), seq);
        let quotable = self.quotable.entry(room.to_owned()).or_default();
        let look = Look { style: self.style, me, displays: &self.displays };
        let shown = show::record(item, quotable, look);
        if let Some(quote) = Quotable::of(item) {
            quotable.insert(seq, quote);
            while quotable.len() > QUOTABLE_MAX {
                quotable.pop_first();
            }
        }
        // What is meant next is meant by what is there now.
        if let Some(target) = chinwag_client::model::number(item, "target") {
            match chinwag_client::model::text(item, "ev") {
                Some("deletion") => drop(quotable.remove(&target)),
                Some("edit") => {
                    quotable.entry(target).and_modify(|message| message.reword(item));
                }
                _ => {}
            }
        }
        let cid = chinwag_client::model::text(item, "cid");
        let is_typed = from == me && cid.is_some_and(|cid| self.typed.remove(cid));
        (!is_typed && !self.blocked.contains(from)).then_some(shown)
    }

    /// A page of a room's log, with a line for each day; only what was not shown before, if `news`.
    pub(super) fn render_page(
        &mut self,
        room: &str,
        items: &[serde_json::Value],
        (me, only_news): (&str, bool),
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let mut day = None;
        let before = self.shown(room);
        if !only_news {
            self.shown.remove(room);
        }
        for item in items.iter().filter_map(serde_json::Value::as_object) {
            let Some(shown) = self.render(room, item, me) else { continue };
            let at = chinwag_client::model::number(item, "at").unwrap_or_default();
            let (of_item, time) = show::time(at);
            if day.as_ref() != Some(&of_item) {
                lines.push(self.style.faint(&format!("-- {of_item}, times in UTC --")));
                day = Some(of_item);
            }
            lines.push(format!("{} {shown}", self.style.faint(&time)));
        }
        let last = self.shown(room).max(before);
        self.shown.insert(room.to_owned(), last);
        lines
    }
}
