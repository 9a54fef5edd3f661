//! Fetching: how pages of stored logs come to the cursors that wait for them.

use std::time::Duration;

use super::asked::{self, Asked};
use super::cursor::pump;
use super::gather;
use super::keys::RoomKey;
use super::model::log::{LogId, Query};
use super::model::record::SharedRecord;
use super::pages::{PageId, Wanted};
use super::state::{State, Timer};
use crate::collections::Key as _;
use crate::net::ConnId;

/// After how long a page that could not be read is tried again.
const PAGE_RETRY: Duration = Duration::from_secs(1);

/// Has the pages read that cursors wait for.
pub(super) fn read_pages(state: &mut State) {
    while let Some(wanted) = state.pages.next_to_read() {
        let Wanted { room, log, from, to } = wanted;
        let head = state.rooms.get(room).filter(|room| room.log == log).map_or(0, |room| room.head);
        let query = Query::Page { log, from, to: to.min(head) };
        asked::ask(state, Asked::Page((log, from)), query);
    }
}

/// A page was read.
pub(super) fn page_read(state: &mut State, id: PageId, records: Vec<SharedRecord>) {
    let room = state.rooms.get(RoomKey::from_index(id.0.slot())).filter(|room| room.log == id.0);
    let wanted = room.map_or(id.1, |room| room.oldest().max(id.1));
    let is_there = records.first().is_some_and(|first| first.seq <= wanted);
    let waiting = state.pages.arrived(id, records);
    if !is_there {
        return retry_later(state, waiting);
    }
    for conn in waiting {
        bring_up(state, conn);
    }
}

/// A page could not be read: whoever waits for it tries again in a while.
pub(super) fn page_failed(state: &mut State, id: PageId) {
    let waiting = state.pages.failed(id);
    retry_later(state, waiting);
}

fn retry_later(state: &mut State, waiting: Vec<ConnId>) {
    if state.stuck.is_empty() && !waiting.is_empty() {
        state.wheel.arm(state.now.tick.after(PAGE_RETRY), Timer::Retry);
    }
    state.stuck.extend(waiting);
}

/// The oldest records of a log are gone from the store.
pub(super) fn pruned(state: &mut State, log: LogId, oldest: u64) {
    let key = RoomKey::from_index(log.slot());
    if let Some(room) = state.rooms.get_mut(key).filter(|room| room.log == log) {
        room.oldest = room.oldest.max(oldest);
        state.pages.forget(log, room.oldest);
    }
}

/// Pages that could not be read are tried again.
pub(super) fn retry(state: &mut State) {
    for conn in std::mem::take(&mut state.stuck) {
        bring_up(state, conn);
    }
}

/// Brings up the cursors of a connection; once all are, it is told what was left out meanwhile, since its socket
/// may have drained long ago.
fn bring_up(state: &mut State, conn: ConnId) {
    pump(state, conn);
    gather::refresh(state, conn);
}
