//! Batches of drafts, as `chinwag.append_1` takes them, and what it answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rows::FactColumns;
use crate::chat::model::columns::{Columns, signed, unsigned};
use crate::chat::model::file::FILE_WORD;
use crate::chat::model::limits::RECORD_OVERHEAD;
use crate::chat::model::log::{Appended, Draft, LogFault, LogId, RoomMeta, Ticket};
use crate::chat::model::name::{DIRECT_LEN_MAX, other_form};
use crate::chat::model::record::{Body, Record};
use crate::pg::{Param, Row, WrongType};
use crate::time::Tick;

/// Drafts of one batch.
pub(super) const BATCH_DRAFTS_MAX: usize = 512;
/// Bytes of one batch.
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;

/// A draft on its way into a log.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) log: LogId,
    pub(super) ticket: Ticket,
    pub(super) draft: Draft,
    /// Up to which version the rights were known when it was asked for.
    pub(super) version: i64,
    /// Of which life of the log it is.
    pub(super) era: u32,
    /// Since when it waits.
    pub(super) since: Tick,
    /// It was sent, and nobody knows what became of it.
    pub(super) is_lost: bool,
}

impl Append {
    /// Bytes that it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + Columns::of(&self.draft.body).text_bytes()
    }

    /// Whether it is a message that refers to nothing, for which the engine has a short way.
    pub(super) fn is_plain(&self) -> bool {
        let Draft { body, check, meta, is_question, .. } = &self.draft;
        let is_plain =
            matches!(body, Body::Message { reply_to: None, thread: None, edited: None, .. });
        // Files have to be looked for: to be one, a text has to have this in it.
        let has_files =
            matches!(body, Body::Message { data: Some(data), .. } if data.contains(FILE_WORD));
        is_plain && !has_files && check.is_none() && meta.is_empty() && !is_question
    }

    /// What a message is known by, if it has something.
    pub(super) fn cid(&self) -> Option<&str> {
        match &self.draft.body {
            Body::Message { cid, .. } => cid.as_deref(),
            _ => None,
        }
    }

    /// Whether the engine can keep its texts.
    pub(super) fn is_fit(&self) -> bool {
        Columns::of(&self.draft.body).is_fit() && self.draft.meta.iter().all(is_fit)
    }
}

/// Whether the engine can keep the texts of a fact: it has no place for a NUL.
pub(super) fn is_fit(meta: &RoomMeta) -> bool {
    let columns = FactColumns::of(meta, None);
    columns.texts.iter().flatten().all(|text| !text.contains('\0'))
}

/// Where a room is, and what it is called by the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) row: i64,
    pub(super) epoch: i64,
}

/// Drafts that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Each draft, the place of its room among the rooms, and its own among the room's drafts.
    items: Vec<(Append, usize, u64)>,
    rooms: Vec<Place>,
    is_plain: bool,
}

/// What becomes of a draft.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It has this answer.
    Answer(Appended),
    /// It was asked under rights that another node has changed.
    Stale,
    /// Its log is another one.
    Ended,
}

impl Batch {
    /// A batch of these drafts, each with the place of its room.
    pub(super) fn new(drafts: Vec<(Append, Place)>) -> Self {
        // Ascending, since the engine locks them so: two batches never wait for each other in a
        // circle.
        let places: BTreeSet<(i64, i64)> =
            drafts.iter().map(|(_, place)| (place.row, place.epoch)).collect();
        let rooms: Vec<Place> =
            places.into_iter().map(|(row, epoch)| Place { row, epoch }).collect();
        let mut counts = vec![0; rooms.len()];
        let is_plain = drafts.iter().all(|(append, _)| append.is_plain());
        let items = drafts
            .into_iter()
            .map(|(append, place)| {
                // By the row alone: a log has one epoch at a time, so that each row is in the list
                // once.
                let slot = rooms.partition_point(|room| room.row < place.row);
                let nth = counts.get_mut(slot).map_or(0, |count| {
                    *count += 1;
                    *count
                });
                (append, slot, nth)
            })
            .collect();
        Self { items, rooms, is_plain }
    }

    /// The numbers of the rows of its rooms.
    pub(super) fn rows(&self) -> Vec<i64> {
        self.rooms.iter().map(|room| room.row).collect()
    }

    /// Its drafts.
    pub(super) fn drafts(&self) -> impl Iterator<Item = &Append> {
        self.items.iter().map(|(append, ..)| append)
    }

    /// The same, with whoever has it no more.
    pub(super) fn into_drafts(self) -> impl Iterator<Item = Append> {
        self.items.into_iter().map(|(append, ..)| append)
    }

    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, node: i64, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let ints = |of: &dyn Fn(&Place) -> i64| -> Vec<Option<i64>> {
            self.rooms.iter().map(|room| Some(of(room))).collect()
        };
        let (room_ids, epochs) = (ints(&|room| room.row), ints(&|room| room.epoch));
        let mut versions: Vec<Option<i64>> = vec![None; self.rooms.len()];
        let mut counts: Vec<Option<i64>> = vec![Some(0); self.rooms.len()];
        let mut sizes = counts.clone();
        let mut columns = DraftColumns::default();
        let mut facts = Facts::default();
        for (place, (append, slot, nth)) in (1..).zip(&self.items) {
            let own = Columns::of(&append.draft.body);
            let size = i64::try_from(own.text_bytes()).unwrap_or(i64::MAX);
            if let Some(version) = versions.get_mut(*slot) {
                // The earliest: who is judged by it may be asked to authorise once more.
                *version = Some(version.map_or(append.version, |it| it.min(append.version)));
            }
            add(&mut counts, *slot, 1);
            add(&mut sizes, *slot, size);
            // Columns instead of rows: the statement has as many parameters for one draft as for
            // five hundred, so that it is prepared once.
            columns.push(append, &own, (*slot, *nth));
            for meta in &append.draft.meta {
                facts.push(Some(place), meta);
            }
        }
        let Facts { places, kinds, names, numbers, texts, forms } = &facts;
        let texts = with_forms(texts, forms);
        // What a record weighs when an edit or a deletion has taken its text: as in `model::edits`.
        let bare = i64::try_from(RECORD_OVERHEAD + DIRECT_LEN_MAX).unwrap_or(0);
        // By the NULLs the engine knows a batch for its short way.
        let plain = |param| if self.is_plain { Param::Null } else { param };
        ask(&[
            Param::Ints(&room_ids),
            Param::Ints(&epochs),
            Param::Ints(&versions),
            Param::Ints(&counts),
            Param::Ints(&sizes),
            Param::Ints(&columns.slots),
            Param::Ints(&columns.nths),
            Param::Texts(&columns.senders),
            Param::Texts(&columns.texts),
            Param::Texts(&columns.datas),
            Param::Texts(&columns.cids),
            Param::Ints(&columns.weights),
            plain(Param::Ints(&columns.kinds)),
            plain(Param::Ints(&columns.targets)),
            plain(Param::Texts(&columns.whos)),
            plain(Param::Ints(&columns.numbers)),
            plain(Param::Ints(&columns.reply_tos)),
            plain(Param::Ints(&columns.threads)),
            plain(Param::Ints(&columns.others)),
            plain(Param::Ints(&columns.not_befores)),
            plain(Param::Ints(&columns.data_maxes)),
            plain(Param::Ints(&columns.questions)),
            plain(Param::Ints(places)),
            plain(Param::Ints(kinds)),
            plain(Param::Texts(names)),
            plain(Param::Ints(numbers)),
            plain(Param::Texts(&texts)),
            Param::Int(bare),
            Param::Int(node),
        ])
    }

    /// Reads what has become of each draft.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if the answer is none to this batch; then nothing is known.
    pub(super) fn outcomes(&self, rows: &[Row]) -> Result<Vec<Outcome>, WrongType> {
        // The short way answers with a row for each room, the head that it had; the other one with
        // a row for each draft.
        let is_whole = match rows.first() {
            // Only the short way leaves the outcome empty.
            Some(row) => row.int_or_null(0)?.is_none(),
            None => return Err(WrongType { column: 0 }),
        };
        let of = |(place, (append, slot, nth)): (usize, &(Append, usize, u64))| {
            let row = rows.get(if is_whole { *slot } else { place });
            let row = row.ok_or(WrongType { column: 0 })?;
            if is_whole {
                // Nobody else could write there meanwhile: the drafts of a room follow its head.
                let seq = unsigned(row.int(1)?) + nth;
                return Ok(stored(append, seq, unsigned(row.int(2)?)));
            }
            read_outcome(append, row)
        };
        self.items.iter().enumerate().map(of).collect()
    }
}

fn add(sums: &mut [Option<i64>], slot: usize, value: i64) {
    if let Some(sum) = sums.get_mut(slot) {
        *sum = sum.map(|sum| sum.saturating_add(value));
    }
}

fn stored(append: &Append, seq: u64, at: u64) -> Outcome {
    let Draft { from, body, weight, .. } = &append.draft;
    let record = Record { seq, at, from: from.clone(), body: body.clone(), weight: *weight };
    Outcome::Answer(Appended::Stored(Arc::new(record)))
}

fn read_outcome(append: &Append, row: &Row) -> Result<Outcome, WrongType> {
    let seq = || row.int(1).map(unsigned);
    Ok(Outcome::Answer(match row.int(0)? {
        0 => return Ok(stored(append, seq()?, unsigned(row.int(2)?))),
        1 => Appended::Duplicate { seq: seq()?, at: unsigned(row.int(2)?) },
        2 => Appended::Conflict { seq: seq()? },
        3 => Appended::Unknown,
        4 => Appended::NoSuchMessage,
        5 => Appended::NotYours,
        6 => Appended::TooOld,
        7 => Appended::TooLarge(usize::try_from(seq()?).unwrap_or(usize::MAX)),
        8 if row.int_or_null(1)? == Some(-1) => Appended::NoSuchReference("data"),
        8 => Appended::NoSuchReference("reply_to"),
        9 => match row.int_or_null(1)? {
            Some(root) => Appended::InThread(unsigned(root)),
            None => Appended::NoSuchReference("thread"),
        },
        10 => return Ok(Outcome::Stale),
        11 => return Ok(Outcome::Ended),
        12 => Appended::Refused(LogFault::Taken),
        _ => return Err(WrongType { column: 0 }),
    }))
}

/// The columns of drafts.
#[derive(Default)]
struct DraftColumns<'a> {
    slots: Vec<Option<i64>>,
    nths: Vec<Option<i64>>,
    senders: Vec<Option<&'a str>>,
    texts: Vec<Option<&'a str>>,
    datas: Vec<Option<&'a str>>,
    cids: Vec<Option<&'a str>>,
    weights: Vec<Option<i64>>,
    kinds: Vec<Option<i64>>,
    targets: Vec<Option<i64>>,
    whos: Vec<Option<&'a str>>,
    numbers: Vec<Option<i64>>,
    reply_tos: Vec<Option<i64>>,
    threads: Vec<Option<i64>>,
    others: Vec<Option<i64>>,
    not_befores: Vec<Option<i64>>,
    data_maxes: Vec<Option<i64>>,
    questions: Vec<Option<i64>>,
}

impl<'a> DraftColumns<'a> {
    fn push(&mut self, append: &'a Append, own: &Columns<'a>, (slot, nth): (usize, u64)) {
        let draft = &append.draft;
        self.slots.push(i64::try_from(slot + 1).ok());
        self.nths.push(Some(signed(nth)));
        self.senders.push(Some(draft.from.as_str()));
        self.texts.push(own.text);
        self.datas.push(own.data);
        self.cids.push(own.cid);
        self.weights.push(Some(i64::from(draft.weight)));
        self.kinds.push(Some(own.kind));
        self.targets.push(own.target);
        self.whos.push(own.who);
        self.numbers.push(own.number);
        self.reply_tos.push(own.reply_to);
        self.threads.push(own.thread);
        let check = draft.check.as_ref();
        self.others.push(Some(i64::from(check.is_none_or(|check| check.others))));
        self.not_befores.push(Some(check.map_or(0, |check| signed(check.not_before))));
        let data_max = check.map_or(usize::MAX, |check| check.data_max);
        self.data_maxes.push(Some(i64::try_from(data_max).unwrap_or(i64::MAX)));
        self.questions.push(Some(i64::from(draft.is_question)));
    }
}

/// The columns of facts.
#[derive(Default)]
pub(super) struct Facts<'a> {
    pub(super) places: Vec<Option<i64>>,
    pub(super) kinds: Vec<Option<i64>>,
    pub(super) names: Vec<Option<&'a str>>,
    pub(super) numbers: Vec<Option<i64>>,
    pub(super) texts: Vec<Option<&'a str>>,
    /// What the names of members and of the room look like, by the place of their text.
    pub(super) forms: Vec<(usize, String)>,
}

impl<'a> Facts<'a> {
    /// Adds a fact, which comes with the draft at this place.
    pub(super) fn push(&mut self, place: Option<i64>, meta: &'a RoomMeta) {
        let columns = FactColumns::of(meta, None);
        self.places.push(place);
        self.kinds.push(Some(columns.kind));
        self.names.push(Some(columns.name));
        self.numbers.extend(columns.numbers);
        self.texts.extend(columns.texts);
        let form = match meta {
            RoomMeta::Member(user, Some(_)) => other_form(user.as_str()),
            RoomMeta::Name(room, _) => other_form(room.as_str()),
            _ => None,
        };
        if let Some(form) = form {
            // Kept apart from the texts, which borrow from the drafts, while a form is made here.
            self.forms.push((self.texts.len() - 1, form.to_string()));
        }
    }
}

/// The texts with the forms in their places.
pub(super) fn with_forms<'a>(
    texts: &[Option<&'a str>],
    forms: &'a [(usize, String)],
) -> Vec<Option<&'a str>> {
    let mut texts = texts.to_vec();
    for (at, form) in forms {
        if let Some(text) = texts.get_mut(*at) {
            *text = Some(form);
        }
    }
    texts
}
