//! What is read: what others have written, and the answers to queries.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Node;
use super::engine::Engine;
use super::loading::{self, Names};
use super::open_logs::Log;
use super::outbox_ops::OutboxOp;
use super::queries::RowQuery;
use super::room_pages::{ReadFor, RoomPages};
use super::rows::{FactKey, Part, RoomRow};
use super::statements;
use super::writer::What;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::load::Begun;
use crate::chat::model::log::{LogFault, LogId, LogReply, Query, RoomMeta, Ticket};
use crate::chat::model::record::SharedRecord;
use crate::cluster::link::Lane;
use crate::cluster::link::bounds::ASKS_MAX;
use crate::pg::{EngineError, Param, Row, WrongType};
use crate::time::Tick;

/// Logs of which more is fetched at once.
const FETCH_LOGS_MAX: usize = 256;
/// Records of all of them together, and of each at least.
const FETCH_RECORDS: (usize, usize) = (1_024, 4);
/// Reads that are on their way at once; more are refused.
const READS_MAX: usize = 256;
/// How often the heads of all logs are compared with those in the engine: what was not heard is
/// found then.
pub(super) const COMPARE_EVERY: Duration = Duration::from_secs(2);

// Queries leave room for what the node itself has to read.
const _: () = assert!(READS_MAX < ASKS_MAX / 2);

/// What was asked of the reader.
#[derive(Debug)]
pub(super) enum Reading {
    /// What has become of these logs.
    Grown(Vec<Followed>),
    Compare,
    /// A log, anew.
    Renewal(LogId),
    /// Rooms of which the first members were read.
    Rooms(ReadFor, RoomPages),
    /// Who has ended the room of a log.
    Farewell(LogId),
    People,
    PeopleVersion,
    /// Sessions of this node that go on at others.
    Replaced,
    Query(Ticket, RowQuery),
    /// What one node does for all: see [`upkeep`](super::upkeep).
    Keeper,
    Words,
    Overdue,
    /// About webhooks: see [`outgoing`](super::outgoing).
    Outgoing(OutboxOp),
    /// About pushes: see [`pushing`](super::pushing).
    Push(super::devices::PushOp),
    /// Something about files.
    File(super::file_ops::FileOp),
}

/// A log as it was when it was asked what has become of it.
#[derive(Debug)]
pub(super) struct Followed {
    id: LogId,
    era: u32,
    /// The last seq that was told; what came meanwhile need not be in the answer.
    told: u64,
    /// That record, if it is to be compared.
    last: Option<SharedRecord>,
}

/// What was fetched of one log.
#[derive(Debug, Default)]
struct Fetched {
    room: Option<Box<RoomRow>>,
    records: Vec<SharedRecord>,
    facts: Vec<(RoomMeta, u64)>,
}

impl<E: Engine> Node<E> {
    /// Asks for what is wanted.
    pub(super) fn send_reads(&mut self) {
        if !self.is_up {
            return;
        }
        self.fetch();
        while let Some(id) = self.held.renewals.pop_first() {
            let Some(log) = self.held.get(id) else { continue };
            let names = Names::of(&loading::only(log.name.clone()));
            let sent = names.with_params(|params| {
                self.ask_reader(Reading::Renewal(id), statements::LOAD, params)
            });
            if sent.is_err() {
                self.held.renewals.insert(id);
                return;
            }
        }
        self.ask_people();
        self.ask_replaced();
    }

    pub(super) fn ask_reader(
        &mut self,
        reading: Reading,
        statement: crate::pg::Statement,
        params: &[Param<'_>],
    ) -> Result<(), LogFault> {
        let tag = self.next_tag();
        let sent = self.engine.send(self.now, (Lane::Reader, tag), statement, params);
        sent.map_err(|_not| LogFault::Broken)?;
        self.readings.insert(tag, reading);
        Ok(())
    }

    /// Fetches what has become of logs.
    fn fetch(&mut self) {
        // One fetch at a time: what grows meanwhile is gathered for the next one.
        if self.is_fetching || self.held.wants.is_empty() {
            return;
        }
        let own = self.node_number();
        let wanted: Vec<LogId> = std::mem::take(&mut self.held.wants).into_iter().collect();
        let mut followed = Vec::new();
        let (mut rows, mut aboves, mut facts, mut selves) = (vec![], vec![], vec![], vec![]);
        for id in wanted {
            let Some(log) = self.held.get(id).filter(|log| log.is_followed()) else { continue };
            if followed.len() >= FETCH_LOGS_MAX {
                self.held.wants.insert(id);
                continue;
            }
            // Whether that is still the last record that was told.
            let above = if log.is_doubtful {
                log.order.told().saturating_sub(1)
            } else {
                log.order.fetched()
            };
            rows.push(log.row);
            aboves.push(Some(signed(above)));
            facts.push(Some(signed(log.facts)));
            // No node has that number: then our own facts are read as well.
            selves.push(Some(if log.is_unsure { -1 } else { own }));
            let last = log.order.last().filter(|_| log.is_doubtful).cloned();
            followed.push(Followed { id, era: log.era, told: log.order.told(), last });
        }
        if followed.is_empty() {
            return;
        }
        let (all, each) = FETCH_RECORDS;
        // Bounds the answer however many logs are asked for; `on_fetched` wants what is left of
        // one.
        let limit = i64::try_from((all / followed.len()).max(each)).unwrap_or(1);
        let params = [
            Param::Ints(&rows),
            Param::Ints(&aboves),
            Param::Ints(&facts),
            Param::Ints(&selves),
            Param::Int(limit),
        ];
        let ids: Vec<LogId> = followed.iter().map(|followed| followed.id).collect();
        match self.ask_reader(Reading::Grown(followed), statements::GROWN, &params) {
            Ok(()) => {
                // Each answer clears it, and so does `on_read_lost`: otherwise no log would be
                // fetched again.
                self.is_fetching = true;
                for id in ids {
                    if let Some(log) = self.held.get_mut(id) {
                        log.order.on_asked();
                    }
                }
            }
            Err(_) => self.held.wants.extend(ids),
        }
    }

    /// Compares the heads of all logs with those in the engine.
    pub(super) fn compare(&mut self) {
        // What could not be understood may be understood now, or be of another version still.
        self.held.renewals.append(&mut self.held.unreadable);
        let (mut rows, mut epochs, mut heads) = (vec![], vec![], vec![]);
        let (mut facts, mut oldests) = (vec![], vec![]);
        for (_, log) in self.held.iter().filter(|(_, log)| log.is_followed()) {
            rows.push(log.row);
            epochs.push(Some(log.epoch.0.cast_signed()));
            heads.push(Some(signed(log.order.told())));
            facts.push(Some(signed(log.facts)));
            oldests.push(Some(signed(log.oldest)));
        }
        let params = [rows, epochs, heads, facts, oldests];
        let params: Vec<Param<'_>> = params.iter().map(|ints| Param::Ints(ints)).collect();
        if !self.held.is_empty() {
            _ = self.ask_reader(Reading::Compare, statements::COMPARE, &params);
        }
        _ = self.ask_reader(Reading::PeopleVersion, statements::PEOPLE_VERSION, &[]);
        self.replaced.is_wanted = true;
    }

    /// A read is asked for.
    pub(super) fn read(&mut self, ticket: Ticket, query: Query) {
        let held = &self.held;
        let row = |id: LogId| held.get(id).and_then(|log| log.row);
        let outcome = match RowQuery::of(query, row) {
            Ok(query) if self.readings.len() < READS_MAX && self.is_up => {
                let (statement, params) = query.statement();
                self.next_tag += 1;
                let tag = self.next_tag;
                let done = params.with(|params| {
                    self.engine.send(self.now, (Lane::Reader, tag), statement, params)
                });
                match done {
                    Ok(()) => {
                        self.readings.insert(tag, Reading::Query(ticket, query));
                        return;
                    }
                    Err(_) => Err(LogFault::Broken),
                }
            }
            Ok(_) if self.is_up => Err(LogFault::Busy),
            Ok(_) => Err(LogFault::Broken),
            Err(outcome) => outcome,
        };
        self.replies.push_back(LogReply::Answer { ticket, outcome });
    }

    /// A statement of the reader was done, or refused.
    pub(super) fn on_read(&mut self, reading: Reading, outcome: Result<Vec<Row>, EngineError>) {
        if let Reading::File(op) = &reading {
            return self.on_file(op, &outcome);
        }
        let rows = match outcome {
            Ok(rows) => rows,
            Err(error) => {
                self.refusals.say(self.now.tick, "what was asked for cannot be read", &error);
                return match reading {
                    Reading::Outgoing(op) => self.on_outgoing_lost(op, Some(&error)),
                    reading => self.on_read_lost(reading),
                };
            }
        };
        let wrong = match reading {
            Reading::Grown(logs) => {
                self.is_fetching = false;
                self.on_grown(&logs, &rows)
            }
            Reading::Compare => self.on_compared(&rows),
            Reading::Renewal(id) => {
                self.on_rooms(ReadFor::Renewal(id), RoomPages::new(1), &rows);
                Ok(())
            }
            Reading::Rooms(what, pages) => {
                self.on_rooms(what, pages, &rows);
                Ok(())
            }
            Reading::Query(ticket, RowQuery::Load(wanted)) => {
                let pages = RoomPages::new(wanted.rooms.len());
                self.on_rooms(ReadFor::Query(ticket, wanted), pages, &rows);
                Ok(())
            }
            Reading::Farewell(id) => self.on_farewell(id, &rows),
            Reading::People => self.on_people(&rows),
            Reading::PeopleVersion => self.on_people_version(&rows),
            Reading::Replaced => self.on_replaced(&rows),
            Reading::Keeper => self.on_keeper(&rows),
            Reading::Words => self.on_words(&rows),
            Reading::Overdue => self.on_overdue(&rows),
            Reading::Outgoing(op) => self.on_outgoing(op, &rows),
            Reading::Push(op) => self.on_push_read(&op, &rows),
            Reading::File(_) => Ok(()),
            Reading::Query(ticket, query) => {
                let outcome = query.answer(&rows).map_err(|wrong| {
                    log::error!(wrong:%; "the engine has what was not written so");
                    LogFault::Corrupt
                });
                self.replies.push_back(LogReply::Answer { ticket, outcome });
                Ok(())
            }
        };
        if let Err(wrong) = wrong {
            log::error!(wrong:%; "the engine has what was not written so");
        }
    }

    /// Has fetched what rooms that are held have more than was told: whoever has found one by a
    /// name that it has got meanwhile asks once more.
    pub(super) fn follow_found(&mut self, rooms: &[Begun]) {
        for kept in rooms.iter().filter_map(|room| room.kept.as_ref()) {
            let held = self.held.of_row(kept.row);
            let is_ahead =
                |id: &LogId| self.held.get(*id).is_some_and(|log| log.order.told() < kept.seqs.1);
            let ahead = held.filter(is_ahead);
            self.held.wants.extend(ahead);
        }
    }

    /// No answer comes to a statement of the reader.
    pub(super) fn on_read_lost(&mut self, reading: Reading) {
        match reading {
            Reading::Grown(logs) => {
                self.is_fetching = false;
                // Looked at again when the heads are compared, or the engine is there again.
                self.compare_at = self.compare_at.min(self.now.tick.after(COMPARE_EVERY));
                self.held.wants.extend(logs.into_iter().map(|followed| followed.id));
            }
            Reading::Renewal(id)
            | Reading::Farewell(id)
            | Reading::Rooms(ReadFor::Renewal(id), _) => {
                self.held.renewals.insert(id);
            }
            Reading::People => self.people.page = None,
            Reading::Replaced => self.replaced.is_asked = false,
            Reading::Compare | Reading::PeopleVersion => {}
            Reading::File(op) => self.tell_file_lost(&op),
            Reading::Keeper | Reading::Words | Reading::Overdue => self.on_upkeep_lost(&reading),
            Reading::Outgoing(op) => self.on_outgoing_lost(op, None),
            Reading::Push(op) => self.on_push_lost(&op),
            Reading::Query(ticket, _) | Reading::Rooms(ReadFor::Query(ticket, _), _) => {
                let outcome = Err(LogFault::Broken);
                self.replies.push_back(LogReply::Answer { ticket, outcome });
            }
        }
    }

    fn on_grown(&mut self, logs: &[Followed], rows: &[Row]) -> Result<(), WrongType> {
        let mut fetched: BTreeMap<i64, Fetched> = BTreeMap::new();
        for part in Part::read_all(rows)? {
            match part {
                Part::Room(row, room) => fetched.entry(row).or_default().room = room,
                Part::Record(row, record) => {
                    fetched.entry(row).or_default().records.push(record);
                }
                Part::Meta(row, meta, facts) => {
                    fetched.entry(row).or_default().facts.push((meta, facts));
                }
                Part::User(..)
                | Part::RoomOf(..)
                | Part::Unread(..)
                | Part::Place(..)
                | Part::Session(..)
                | Part::Mark(..) => {}
            }
        }
        for followed in logs {
            let Some(log) = self.held.get(followed.id) else { continue };
            if log.era != followed.era || !log.is_followed() {
                continue;
            }
            let one = log.row.and_then(|row| fetched.remove(&row)).unwrap_or_default();
            self.on_fetched(followed, one);
        }
        Ok(())
    }

    fn on_fetched(&mut self, followed: &Followed, fetched: Fetched) {
        let id = followed.id;
        let Some(log) = self.held.get_mut(id) else { return };
        // Another epoch, or no room: what was told of this log is over.
        let Some(room) = fetched.room.filter(|room| room.epoch == log.epoch) else {
            return self.held.renew(id);
        };
        let is_other = followed.last.as_ref().is_some_and(|last| {
            let now = fetched.records.first().filter(|now| now.seq == last.seq);
            room.oldest <= last.seq
                && now.is_none_or(|now| (now.at, &now.from) != (last.at, &last.from))
        });
        // Compared with what was told when it was asked: what came since need not be in the answer.
        if room.head < followed.told || is_other {
            return self.give_new_epoch(id);
        }
        // Without a record to compare, the length is all that is known.
        log.is_doubtful &= followed.last.is_none() && log.order.last().is_some();
        if room.oldest > log.order.fetched() + 1 {
            // Others have pruned what was not told.
            return self.held.renew(id);
        }
        if !fetched.records.iter().all(|record| log.order.on_fetched(record)) {
            return self.held.renew(id);
        }
        let meta = take_facts(log, fetched.facts);
        log.facts = room.facts;
        log.is_unsure = false;
        // With a fact passed over, not all is told up to this version.
        let version = log.passed_over.is_empty().then_some(room.version);
        log.order.on_facts(room.head, meta, version);
        let more = log.order.fetched() < room.head && log.order.has_room();
        if room.oldest > log.oldest {
            log.oldest = room.oldest;
            log.order.push(LogReply::Pruned { log: id, oldest: room.oldest });
        }
        if more {
            self.held.wants.insert(id);
        }
        self.held.advance(id);
    }

    /// What was told of a log is not in the engine any more.
    fn give_new_epoch(&mut self, id: LogId) {
        let own = u128::from(self.node_number().cast_unsigned());
        let Some(log) = self.held.get_mut(id) else { return };
        let Some(place) = log.place() else { return };
        log::error!(room = log.name.as_str(); "the engine has lost records that were told: the log gets a new epoch");
        // Made of this node's number, so that two nodes that find the loss at once make two epochs,
        // of which the engine takes one.
        let new = log.epoch.next(self.now.wall_ms, own);
        log.is_doubtful = true;
        let params =
            [Param::Int(place.row), Param::Int(place.epoch), Param::Int(new.0.cast_signed())];
        match self.ask_writer(What::Renew(id), statements::RENEW, &params) {
            Ok(()) => self.engine.say_grown(&[place.row]),
            Err(_) => _ = self.held.wants.insert(id),
        }
    }

    fn on_compared(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        for row in rows {
            if let Some(id) = self.held.of_row(row.int(0)?) {
                self.held.wants.insert(id);
            }
        }
        Ok(())
    }

    /// A log was read anew.
    pub(super) fn on_renewed(&mut self, id: LogId, parts: &[Part]) {
        let found = loading::rooms(parts).pop();
        let row = |begun: &Begun| begun.kept.map(|kept| kept.row);
        // A room that has got the name meanwhile, and is held by another one, is not this log's.
        let found = found.filter(|(begun, _)| {
            row(begun).is_none_or(|row| self.held.of_row(row).is_none_or(|held| held == id))
        });
        let Some(log) = self.held.get_mut(id) else { return };
        // Nor is one that was made by the name of one that is no more.
        let found = found.filter(|(begun, _)| {
            log.row.is_none() || row(begun).is_none_or(|row| log.row == Some(row))
        });
        let Some((begun, room)) = found else { return self.ask_farewell(id) };
        let row = row(&begun);
        log.name = begun.name.clone();
        (log.epoch, log.oldest, log.facts) = (begun.epoch, begun.oldest, room.facts);
        log.version = room.version;
        log.order.renew(begun.head);
        (log.is_renewing, log.is_doubtful, log.is_unsure) = (false, false, false);
        let begun = Box::new(begun);
        self.held.out.push_back((LogReply::Renewed { log: id, begun }, None));
        if let Some(row) = row {
            self.held.set_row(id, row);
        }
        self.held.advance(id);
    }

    /// Nothing was heard for so long that all is to be compared.
    pub(super) fn schedule_check(&mut self, is_changed: bool) {
        self.compare_at = Tick::ZERO;
        if is_changed {
            let mut all = Vec::new();
            for (id, log) in self.held.iter_mut().filter(|(_, log)| log.row.is_some()) {
                log.is_doubtful = log.order.told() > 0;
                all.push(id);
            }
            self.held.wants.extend(all);
        }
    }

    /// What was pruned.
    pub(super) fn on_pruned(&mut self, id: LogId, outcome: &Result<Vec<Row>, EngineError>) {
        let oldest = match outcome {
            Ok(rows) => rows.first().and_then(|row| row.int_or_null(0).ok().flatten()),
            Err(error) => {
                self.refusals.say(self.now.tick, "a log cannot be pruned", error);
                None
            }
        };
        let Some(oldest) = oldest.map(unsigned) else { return };
        let Some(log) = self.held.get_mut(id).filter(|log| log.oldest < oldest) else { return };
        log.oldest = oldest;
        if let Some(row) = log.row {
            self.engine.say_grown(&[row]);
        }
        self.held.say(id, LogReply::Pruned { log: id, oldest });
    }
}

/// The facts that are told: those that are not about to be replaced by our own.
fn take_facts(log: &mut Log, facts: Vec<(RoomMeta, u64)>) -> Vec<RoomMeta> {
    let mut told = Vec::new();
    for (meta, changed) in facts {
        let key = FactKey::of(&meta);
        if log.unwritten.contains_key(&key) {
            // If ours is the older one, this is read again when ours is written.
            log.passed_over.entry(key).or_insert_with(|| changed.saturating_sub(1));
        } else {
            told.push(meta);
        }
    }
    told
}
