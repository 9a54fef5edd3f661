//! Erasing a user from an engine, which nodes may use meanwhile: what the user has written, and the
//! name. What goes from a record is what [`edits::erase`] says, as at a server that is alone.
//!
//! ```text
//!  begin ─▶ sessions end ─▶ leave rooms ─▶ records, lot by lot ─▶ rooms get new epochs ─▶ end
//!    └ until the end the engine says so: the same command goes on, with the same placeholder
//! ```
//!
//! 1. The name becomes nobody's, and what is kept of the user beside the rooms goes. The nodes read
//!    that, and end the user's sessions; this waits for it.
//! 2. The user leaves its rooms, as by itself, so that no node writes for it any more. Direct
//!    conversations get another name.
//! 3. Its records are erased, in lots, each a transaction.
//! 4. Each room in which something was changed gets a new epoch: the nodes that have it in memory
//!    forget its records and read it anew, and so do clients.
//! 5. If anything came meanwhile, all of that is done once more, from the sessions on.
//!
//! | column | whose | what becomes of it |
//! |---|---|---|
//! | `record.text`, `data`, `cid`; `sender`, `who` | the author's; names | [`edits::erase`] |
//! | `word.words` | a message's | goes with its text, by the trigger `record_changed` |
//! | `sent.cid`, `said` | the client's; a hash | the rows go |
//! | `room.topic` | of `topic_by` | emptied |
//! | `room.name` of a conversation | two names | has the placeholder in place of the user |
//! | `former.name`, `push_news.shown` | a room's, never a conversation's | stays |
//! | `restriction.reason` | of `by` | emptied |
//! | `member`, `restriction`, `change`, `follow`, `lookalike`, `session` | a name | the rows go |
//! | `people`: identity | display name, subject | emptied; the name stays taken |
//! | `people`: account, login, key | the user's | the rows go |
//! | `people`: profile | display name, status text, colour | the row goes |
//! | `people`: blocks and reports by or about the user | texts, names | the rows go |
//! | `people`: invite links | a name | emptied |
//! | `people`: suspensions, revoked tokens | the operator's | stay: they work by the name |
//! | `people_gone` | names | the rows go |
//! | `closed.by`, `reason` | who has ended a room | the rows go |
//! | `audit.by`, `whom` | a name | `erased` |
//! | `file`, `file_use`, `file_sum` | the owner | the rows go, and what lies in the folder |
//! | `push`, with `push_news` | the user's | the rows go |
//! | `outgoing.who` | a name | the rows go, and no webhook is told of them |
//! | `webhook.except` | a name | emptied |

mod records;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use self::statements as sql;
use super::table::Ask;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Epoch;
use crate::chat::model::traces::Traces;
use crate::pg::{Param, Row, Statement, WrongType};

#[cfg(doc)]
use crate::chat::model::edits;

/// Rows that one statement looks at: some ten milliseconds.
const LOOK: i64 = 20_000;
/// Rooms of one transaction.
const ROOMS_MAX: i64 = 20;
/// Files of one transaction: nobody can send one meanwhile.
const FILES_MAX: i64 = 256;
/// How often all is done for what has come meanwhile.
const PASSES_MAX: usize = 3;
/// How often it is looked whether the user's sessions have ended, at least and at most, each time
/// after a quarter of a second: the nodes look every two seconds whether people have changed.
const LOOKS: (usize, usize) = (if cfg!(test) { 1 } else { 16 }, 80);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// What stands for the user in records outside direct conversations.
    pub placeholder: UserName,
    /// Rooms whose only owner the user was, with their new owners.
    pub heirs: Vec<(String, String)>,
    /// Those in which nobody could follow.
    pub ownerless: Vec<String>,
}

/// Makes names that nobody has or can guess; `None` if there is no chance to be had.
type Draw<'a> = &'a mut dyn FnMut() -> Option<UserName>;

/// Why a user is not erased, or not wholly. The same can be asked again, and goes on.
#[derive(Debug)]
pub enum Halt<E> {
    /// The engine has refused something.
    Engine(E),
    /// There are no random numbers.
    Entropy,
    /// So many sessions of the user's do not end: their nodes do not answer.
    Sessions(u64),
    /// The user comes back and writes.
    Returns,
}

impl<E: fmt::Display> fmt::Display for Halt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Entropy => f.write_str("there are no random numbers"),
            Self::Sessions(count) => write!(
                f,
                "{count} sessions of the user do not end: chinwag nodes says which nodes are \
                 there; nothing was erased yet but the account: run this again"
            ),
            Self::Returns => f.write_str(
                "the user comes back and writes: names are not proved here, so ban the name first, \
                 and run this again",
            ),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Halt<E> {}

impl<E: From<WrongType>> From<WrongType> for Halt<E> {
    fn from(wrong: WrongType) -> Self {
        Self::Engine(wrong.into())
    }
}

/// How much there is of a user.
///
/// # Errors
///
/// Those of asking.
pub fn traces<A: Ask>(engine: &mut A, user: &UserName) -> Result<Traces, A::Error> {
    let name = Param::Text(user.as_str());
    let rows = engine.ask_for(sql::TRACES, &[name])?;
    let row = rows.first().ok_or(WrongType { column: 0 })?;
    let mut traces = Traces {
        memberships: unsigned(row.int(0)?),
        restrictions: unsigned(row.int(1)?),
        conversations: unsigned(row.int(2)?),
        is_bound: row.int(3)? > 0,
        is_unfinished: !engine.ask_for(sql::MARKED, &[Param::Text(&key(user))])?.is_empty(),
        ..Traces::default()
    };
    let mut last = (i64::MIN, 0);
    loop {
        let params =
            [Param::Text(user.as_str()), Param::Int(last.0), Param::Int(last.1), Param::Int(LOOK)];
        let rows = engine.ask_for(sql::COUNT, &params)?;
        let Some(row) = rows.first() else { return Ok(traces) };
        last = (row.int(0)?, row.int(1)?);
        traces.messages += unsigned(row.int(2)?);
        traces.records += unsigned(row.int(3)?);
    }
}

/// The key of `meta` that says what stands for a user whose erasure has begun. With a room's number
/// behind it, it says that the room was changed, and what stands for the user there.
fn key(user: &UserName) -> String {
    format!("erase {user}")
}

/// Erases a user. `draw` makes names that nobody has or can guess, or none if it cannot; `wall_ms`
/// is the time.
///
/// # Errors
///
/// [`Halt`]: what was done until then stays so, and the same call goes on.
pub fn run<A: Ask>(
    engine: &mut A,
    user: &UserName,
    wall_ms: u64,
    draw: &mut dyn FnMut() -> Option<UserName>,
) -> Result<Erased, Halt<A::Error>> {
    let placeholder = draw().ok_or(Halt::Entropy)?;
    let erased = Erased { placeholder, heirs: Vec::new(), ownerless: Vec::new() };
    let (key, user) = (key(user), user.clone());
    let mut erasure = Erasure { engine, user, key, wall_ms, stand_ins: BTreeMap::new(), erased };
    erasure.begin()?;
    for _ in 0..PASSES_MAX {
        // In this order: with a session left a node could write for the user, and with a membership
        // left the user could be brought back.
        erasure.end_sessions()?;
        erasure.leave_rooms(&mut *draw)?;
        erasure.erase_records()?;
        erasure.forget_rows()?;
        erasure.renew_rooms()?;
        if erasure.is_done()? {
            erasure.ask(sql::UNMARK, |key, _| vec![key])?;
            return Ok(erasure.erased);
        }
    }
    Err(Halt::Returns)
}

/// A room that is locked: its number, name and epoch.
type Locked = (i64, RoomName, Epoch);

/// An erasure under way.
struct Erasure<'a, A> {
    engine: &'a mut A,
    user: UserName,
    key: String,
    wall_ms: u64,
    /// What stands for the user in its conversations, by their rooms.
    stand_ins: BTreeMap<i64, UserName>,
    erased: Erased,
}

impl<A: Ask> Erasure<'_, A> {
    /// Has something done, with parameters of the key and the user.
    fn ask<'p>(
        &'p mut self,
        statement: Statement,
        params: impl FnOnce(Param<'p>, Param<'p>) -> Vec<Param<'p>>,
    ) -> Result<Vec<Row>, Halt<A::Error>> {
        let params = params(Param::Text(&self.key), Param::Text(self.user.as_str()));
        self.engine.ask_for(statement, &params).map_err(Halt::Engine)
    }

    fn begin_lot(&mut self) -> Result<(), Halt<A::Error>> {
        self.ask(sql::BEGIN, |_, _| Vec::new())?;
        self.ask(sql::PATIENCE, |_, _| Vec::new()).map(drop)
    }

    fn end_lot(&mut self) -> Result<(), Halt<A::Error>> {
        self.ask(sql::COMMIT, |_, _| Vec::new()).map(drop)
    }

    /// The name is nobody's from here on, and the engine says what stands for it.
    fn begin(&mut self) -> Result<(), Halt<A::Error>> {
        self.begin_lot()?;
        let drawn = self.erased.placeholder.clone();
        let mark = [Param::Text(&self.key), Param::Text(drawn.as_str())];
        let rows = self.engine.ask_for(sql::MARK, &mark).map_err(Halt::Engine)?;
        let marked = rows.first().ok_or(WrongType { column: 0 })?.text(0)?;
        // That of the run before, if one was cut off: records that are erased already have it.
        self.erased.placeholder = UserName::stored(marked).ok_or(WrongType { column: 0 })?;
        for statement in sql::PEOPLE {
            self.ask(*statement, |_, user| vec![user])?;
        }
        self.end_lot()?;
        for row in self.ask(sql::STAND_INS, |key, _| vec![key])? {
            let name = UserName::stored(row.text(1)?).ok_or(WrongType { column: 1 })?;
            self.stand_ins.insert(row.int(0)?, name);
        }
        Ok(())
    }

    /// Has all nodes end the user's sessions, and waits until they have.
    fn end_sessions(&mut self) -> Result<(), Halt<A::Error>> {
        let mut live = 0;
        for look in 0..LOOKS.1 {
            self.ask(sql::END_SESSIONS, |_, user| vec![user])?;
            let rows = self.ask(sql::LIVE, |_, user| vec![user])?;
            let row = rows.first().ok_or(WrongType { column: 0 })?;
            live = unsigned(row.int(0)?);
            // Without a node nobody is connected. Otherwise the nodes get the time to read that the
            // name is nobody's, though no session is live yet.
            if row.int(1)? == 0 || (live == 0 && look >= LOOKS.0) {
                return Ok(());
            }
            self.ask(sql::NAP, |_, _| Vec::new())?;
        }
        Err(Halt::Sessions(live))
    }

    /// Ends what the user is and has said in rooms, besides records.
    fn leave_rooms(&mut self, draw: Draw<'_>) -> Result<(), Halt<A::Error>> {
        let mut above = i64::MIN;
        loop {
            let page = |_, user| vec![user, Param::Int(above), Param::Int(ROOMS_MAX)];
            let rooms = ids(&self.ask(sql::ROOMS, page)?)?;
            let Some(last) = rooms.last().copied().flatten() else { return Ok(()) };
            // By the ids and not by what is left: rooms that are entered meanwhile are found by the
            // next pass.
            above = last;
            self.begin_lot()?;
            self.leave(&rooms, &mut *draw)?;
            self.end_lot()?;
        }
    }

    fn leave(&mut self, rooms: &[Option<i64>], draw: Draw<'_>) -> Result<(), Halt<A::Error>> {
        let mut names: Vec<Option<String>> = Vec::new();
        // Locked for the whole lot, so that no node appends under the name between its leaving and
        // the commit.
        let locked = self.lock(rooms)?;
        let there: Vec<Option<i64>> = locked.iter().map(|(id, ..)| Some(*id)).collect();
        for (id, name, epoch) in locked {
            if !name.pair().is_some_and(|(a, b)| [a, b].contains(&self.user.as_str())) {
                names.push(None);
                continue;
            }
            let stand_in = draw().ok_or(Halt::Entropy)?;
            names.push(Some(stand_in.to_string()));
            self.rename((id, &name, &stand_in), epoch)?;
            self.stand_ins.insert(id, stand_in);
        }
        let names: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        self.ask(sql::TOUCH, |key, _| vec![key, Param::Ints(&there), Param::Texts(&names)])?;
        self.appoint_heirs(&there)?;
        // What is found by a role goes before the membership does.
        for statement in [sql::CLEAR_TOPICS, sql::CLEAR_REASONS, sql::UNRESTRICT, sql::LEAVE] {
            self.ask(statement, |_, user| vec![user, Param::Ints(&there)])?;
        }
        Ok(())
    }

    /// Locks rooms: those that are there, with their names and epochs.
    fn lock(&mut self, rooms: &[Option<i64>]) -> Result<Vec<Locked>, Halt<A::Error>> {
        let rows = self.engine.ask_for(sql::LOCK, &[Param::Ints(rooms)]).map_err(Halt::Engine)?;
        let read = |row: &Row| {
            let name = RoomName::stored(row.text(1)?).ok_or(WrongType { column: 1 })?;
            Ok((row.int(0)?, name, Epoch(row.int(2)?.cast_unsigned())))
        };
        rows.iter().map(read).collect::<Result<_, WrongType>>().map_err(Halt::from)
    }

    /// A conversation goes on under a name without the user's: the nodes that have it find it gone.
    fn rename(
        &mut self,
        (id, name, stand_in): (i64, &RoomName, &UserName),
        epoch: Epoch,
    ) -> Result<(), Halt<A::Error>> {
        let other = name.other_than(&self.user).and_then(UserName::stored);
        let other = other.filter(|other| *other != self.user);
        let renamed = RoomName::direct(stand_in, other.as_ref().unwrap_or(stand_in));
        let epoch = epoch.next(self.wall_ms, u128::from(epoch.0));
        let params =
            [Param::Int(id), Param::Text(renamed.as_str()), Param::Int(epoch.0.cast_signed())];
        self.engine.ask_for(sql::RENAME, &params).map(drop).map_err(Halt::Engine)
    }

    /// Rooms whose only owner the user is get another one, as at a server that is alone.
    fn appoint_heirs(&mut self, rooms: &[Option<i64>]) -> Result<(), Halt<A::Error>> {
        let wall = Param::Int(signed(self.wall_ms));
        let rows = self.ask(sql::HEIRS, |_, user| vec![user, Param::Ints(rooms), wall])?;
        for row in rows {
            let (id, room) = (row.int(0)?, row.text(1)?.to_owned());
            match row.text_or_null(3)? {
                Some(heir) => {
                    let params = [Param::Text(heir), Param::Int(id)];
                    self.engine.ask_for(sql::APPOINT, &params).map_err(Halt::Engine)?;
                    self.erased.heirs.push((room, heir.to_owned()));
                }
                None if row.int(2)? != 0 => self.erased.ownerless.push(room),
                // An open room without members has no owner.
                None => {}
            }
        }
        Ok(())
    }

    /// What has the name besides: `cid`s, what has changed in rooms, and rows that are few.
    fn forget_rows(&mut self) -> Result<(), Halt<A::Error>> {
        let mut last = (i64::MIN, String::new(), String::new());
        loop {
            let (room, sender, cid) = (Param::Int(last.0), &last.1, &last.2);
            let rows = self.engine.ask_for(
                sql::SENT,
                &[
                    Param::Text(self.user.as_str()),
                    room,
                    Param::Text(sender),
                    Param::Text(cid),
                    Param::Int(LOOK),
                ],
            );
            let rows = rows.map_err(Halt::Engine)?;
            let Some(row) = rows.first() else { break };
            // A look is bounded by the rows that it passes, not by those it finds: no statement
            // takes long.
            last = (row.int(0)?, row.text(1)?.to_owned(), row.text(2)?.to_owned());
        }
        for statement in sql::NAMES {
            self.ask(*statement, |_, user| vec![user])?;
        }
        loop {
            let rows = self.ask(sql::FILES, |_, user| vec![user, Param::Int(FILES_MAX)])?;
            if rows.first().ok_or(WrongType { column: 0 })?.int(0)? == 0 {
                break;
            }
        }
        self.begin_lot()?;
        self.ask(sql::LOCK_SENDER, |_, _| Vec::new())?;
        self.ask(sql::EXCEPTIONS, |_, user| vec![user])?;
        self.end_lot()
    }

    /// Each room in which something was changed begins anew for all who have it in memory.
    fn renew_rooms(&mut self) -> Result<(), Halt<A::Error>> {
        loop {
            let page = |key, _| vec![key, Param::Int(ROOMS_MAX)];
            let touched = ids(&self.ask(sql::TOUCHED, page)?)?;
            if touched.is_empty() {
                break;
            }
            self.begin_lot()?;
            let (mut rooms, mut epochs) = (Vec::new(), Vec::new());
            for (id, _, epoch) in self.lock(&touched)? {
                rooms.push(Some(id));
                let next = epoch.next(self.wall_ms, u128::from(epoch.0));
                epochs.push(Some(next.0.cast_signed()));
            }
            // What has changed is read with all else, now.
            self.ask(sql::FORGET, |_, user| vec![user, Param::Ints(&rooms)])?;
            self.ask(sql::RENEW, |_, _| vec![Param::Ints(&rooms), Param::Ints(&epochs)])?;
            // In the transaction that renews them: a run that is cut off finds what is left.
            self.ask(sql::UNTOUCH, |key, _| vec![key, Param::Ints(&touched)])?;
            self.end_lot()?;
        }
        // What changed long ago in other rooms, which all nodes have read.
        let mut last = (i64::MIN, String::new());
        loop {
            let params = [
                Param::Text(self.user.as_str()),
                Param::Int(last.0),
                Param::Text(&last.1),
                Param::Int(LOOK),
            ];
            let rows = self.engine.ask_for(sql::CHANGES, &params).map_err(Halt::Engine)?;
            let Some(row) = rows.first() else { return Ok(()) };
            last = (row.int(0)?, row.text(1)?.to_owned());
        }
    }

    /// Whether nothing has come meanwhile.
    fn is_done(&mut self) -> Result<bool, Halt<A::Error>> {
        let left = traces(self.engine, &self.user).map_err(Halt::Engine)?;
        Ok(left == Traces { is_unfinished: true, ..Traces::default() })
    }
}

/// The first numbers of rows.
fn ids(rows: &[Row]) -> Result<Vec<Option<i64>>, WrongType> {
    rows.iter().map(|row| row.int(0).map(Some)).collect()
}
