//! Pages of the log, read again and again.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::{Core, NEVER, Scenario, Window};
use crate::plan::Load;
use crate::results::{Results, float};
use chinwag::chat::model::command::Op;
use chinwag::net::Effects;
use chinwag::rng::Rng;
use chinwag::wire::client::{Field, Incoming};

/// Messages that each room has before anybody asks; a room in memory keeps 256.
const FILL: u64 = 200;
/// Items of a page.
const PAGE: u64 = 50;
/// The `id` of a request for a page.
const HISTORY: u64 = 3;

/// A page as it is answered.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: &'a RawValue,
    first: Option<u64>,
    last: Option<u64>,
}

/// Everybody asks for pages.
#[derive(Debug)]
pub(crate) struct History {
    rng: Rng,
    is_asking: bool,
    is_running: bool,
    /// For each connection: when its requests were sent, oldest first, and what they ask for.
    requested: Vec<std::collections::VecDeque<(u64, u64)>>,
    pages: u64,
    items: u64,
    under_way: u64,
    /// Pages and items when the measuring began.
    before: (u64, u64),
    measured: Option<(u64, u64)>,
}

impl History {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            is_asking: false,
            is_running: false,
            requested: Vec::new(),
            pages: 0,
            items: 0,
            under_way: 0,
            before: (0, 0),
            measured: None,
        }
    }

    fn ask(&mut self, core: &Core, (peer, now_us): (u32, u64), effects: &mut Effects) {
        let room = &core.rooms[core.peers[peer as usize].room as usize];
        let end = room.stream.next();
        let before = end.saturating_sub(self.rng.below(FILL / 2));
        let fields = [
            ("room", Field::Text(&room.name)),
            ("before", Field::Number(before)),
            ("limit", Field::Number(PAGE)),
        ];
        let mut out = Vec::new();
        core.put(Op::History, Some(HISTORY), &fields, &mut out);
        core.write(peer, out, effects);
        self.requested[peer as usize].push_back((now_us, before));
        self.under_way += 1;
    }

    /// What is wrong with a page that ends before the seq `before`.
    fn check(data: &str, before: u64) -> Result<u64, String> {
        let page: Page<'_> = serde_json::from_str(data).map_err(|error| error.to_string())?;
        let items: Vec<Incoming<'_>> =
            serde_json::from_str(page.items.get()).map_err(|error| error.to_string())?;
        let seqs: Vec<_> = items.iter().filter_map(|item| item.seq).collect();
        let first = before.saturating_sub(PAGE);
        let is_dense = seqs.iter().copied().eq(first..before);
        let is_named = (page.first, page.last) == (seqs.first().copied(), seqs.last().copied());
        if is_dense && is_named {
            Ok(PAGE)
        } else {
            Err(format!("a page before {before} with {:?} to {:?}", seqs.first(), seqs.last()))
        }
    }
}

impl Scenario for History {
    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        self.requested = vec![std::collections::VecDeque::new(); core.peers.len()];
        for peer in 0..core.plan.connections.min(core.plan.rooms) {
            let sender = core.add_sender(peer);
            core.send(sender, FILL, now_us, effects);
        }
        self.is_running = true;
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        if self.is_running && !self.is_asking && core.has_all() {
            self.is_asking = true;
            let Load::Window(window) = core.plan.load else { return Ok(NEVER) };
            for peer in 0..core.plan.connections {
                for _ in 0..window {
                    self.ask(core, (peer, now_us), effects);
                }
            }
        }
        Ok(NEVER)
    }

    fn on_reply(
        &mut self,
        core: &mut Core,
        (peer, now_us): (u32, u64),
        (_, answer): (u64, Result<String, String>),
        effects: &mut Effects,
    ) {
        let Some((sent_us, before)) = self.requested[peer as usize].pop_front() else {
            return core.note_unexpected(peer, "a page that nobody has asked for");
        };
        self.under_way -= 1;
        match answer.and_then(|data| Self::check(&data, before)) {
            Ok(items) => {
                self.pages += 1;
                self.items += items;
                core.record(sent_us, now_us);
            }
            Err(what) => core.note_unexpected(peer, &what),
        }
        if self.is_running {
            self.ask(core, (peer, now_us), effects);
        }
    }

    fn on_window(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        self.before = (self.pages, self.items);
        Ok(())
    }

    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
        self.measured = Some((self.pages - self.before.0, self.items - self.before.1));
    }

    fn is_drained(&self, core: &Core) -> bool {
        self.under_way == 0 && core.has_all()
    }

    fn finish(&mut self, _core: &mut Core, windows: &[Window], results: &mut Results) {
        let Some((window, (pages, items))) = windows.last().zip(self.measured) else { return };
        let us = window.after.at_us.saturating_sub(window.before.at_us).max(1);
        results.add("pages", float(pages) * 1e6 / float(us), "/s");
        results.add("items", float(items) * 1e6 / float(us), "/s");
        if let Some((before, after)) = window.before.server.zip(window.after.server) {
            let spent = float(after.cpu_us.saturating_sub(before.cpu_us));
            results.add("server CPU of a page", spent / float(pages.max(1)), "us");
        }
    }
}
