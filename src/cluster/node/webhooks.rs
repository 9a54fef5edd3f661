//! Webhooks as rows of an engine, and what commands do with them.

pub use super::table::Ask;
use crate::chat::model::account::Hidden;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::name::UserName;
use crate::chat::model::outbox::{DeadLetter, Position, StoredWebhook};
use crate::chat::model::webhook::{EventSet, Interest, WEBHOOKS_MAX, Webhook};
use crate::pg::{Param, Row, Statement, WrongType};

/// All webhooks, by name.
pub(super) const WEBHOOKS: Statement = Statement {
    name: "webhooks",
    sql: "SELECT w.name, w.url, w.rooms, w.events, w.\"except\", w.signs, w.former, w.former_until, \
          w.at, w.place, w.to_place, w.attempts, w.next_at, w.ended, w.revived, \
          (SELECT count(*) FROM chinwag.dead_letter d WHERE d.webhook = w.name) \
          FROM chinwag.webhook w ORDER BY w.name",
};

/// Dead letters that are to be tried again.
pub(super) const LETTERS_AGAIN: Statement = Statement {
    name: "letters_again",
    sql: "SELECT d.id, d.webhook, d.at, d.low, d.high, d.events, d.why FROM chinwag.dead_letter d \
          WHERE d.again ORDER BY d.id LIMIT 4096",
};

/// All dead letters of a webhook.
const LETTERS: Statement = Statement {
    name: "letters",
    sql: "SELECT d.id, d.webhook, d.at, d.low, d.high, d.events, d.why FROM chinwag.dead_letter d \
          WHERE d.webhook = $1::text ORDER BY d.id",
};

const COMMAND: Statement = Statement {
    name: "webhook",
    sql: "SELECT chinwag.webhook_1($1::bigint, $2::text, $3::text, $4::text, $5::bigint, \
          $6::text, $7::text, $8::bigint, $9::bigint, $10::text)",
};

/// What a command does.
mod act {
    pub(super) const ADD: i64 = 0;
    pub(super) const END: i64 = 1;
    pub(super) const ROTATE: i64 = 2;
    pub(super) const RETRY: i64 = 3;
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// There is no webhook of this name.
    None,
    /// There is one.
    Taken,
    /// There are as many as there may be.
    TooMany,
}

/// All webhooks, by name.
///
/// # Errors
///
/// Why they cannot be read.
pub fn load<A: Ask>(engine: &mut A) -> Result<Vec<StoredWebhook>, A::Error> {
    let rows = engine.ask_for(WEBHOOKS, &[])?;
    Ok(rows.iter().map(stored).collect::<Result<_, _>>()?)
}

/// The dead letters of a webhook, oldest first.
///
/// # Errors
///
/// Why they cannot be read.
pub fn dead<A: Ask>(
    engine: &mut A,
    name: &str,
) -> Result<Result<Vec<DeadLetter>, NotDone>, A::Error> {
    if !load(engine)?.iter().any(|known| &*known.webhook.name == name) {
        return Ok(Err(NotDone::None));
    }
    let rows = engine.ask_for(LETTERS, &[Param::Text(name)])?;
    Ok(Ok(rows.iter().map(letter).collect::<Result<_, _>>()?))
}

/// Adds a webhook, which is told what happens from now on.
///
/// # Errors
///
/// Why the engine could not; nothing has changed then.
pub fn add<A: Ask>(engine: &mut A, webhook: &Webhook) -> Result<Result<(), NotDone>, A::Error> {
    let Webhook { name, url, interest, secret, .. } = webhook;
    let (rooms, events) = (interest.rooms.join(" "), i64::from(interest.events.bits()));
    let except = interest.except.as_ref().map_or(Param::Null, |user| Param::Text(user.as_str()));
    let most = i64::try_from(WEBHOOKS_MAX).unwrap_or(i64::MAX);
    let params = [
        Param::Int(act::ADD),
        Param::Text(name),
        Param::Text(url),
        Param::Text(&rooms),
        Param::Int(events),
        except,
        Param::Text(secret.reveal()),
        Param::Null,
        Param::Int(most),
        Param::Text("webhook"),
    ];
    Ok(command(engine, &params)?.map(drop))
}

/// Ends a webhook: nothing more is sent to it, and what waits for it is forgotten.
///
/// # Errors
///
/// As [`add`].
pub fn end<A: Ask>(engine: &mut A, name: &str) -> Result<Result<(), NotDone>, A::Error> {
    Ok(command(engine, &about(act::END, name, (None, "end webhook")))?.map(drop))
}

/// Gives a webhook another secret. The one of before signs, too, until `former_until`.
///
/// # Errors
///
/// As [`add`].
pub fn rotate<A: Ask>(
    engine: &mut A,
    name: &str,
    (secret, former_until): (&Hidden, u64),
) -> Result<Result<(), NotDone>, A::Error> {
    let given = Some((secret, former_until));
    Ok(command(engine, &about(act::ROTATE, name, (given, "webhook secret")))?.map(drop))
}

/// Has what could not be delivered to a webhook tried again, and what waits for it at once: how
/// many dead letters.
///
/// # Errors
///
/// As [`add`].
pub fn retry<A: Ask>(engine: &mut A, name: &str) -> Result<Result<usize, NotDone>, A::Error> {
    let mut params = about(act::RETRY, name, (None, ""));
    params[9] = Param::Null;
    let done = command(engine, &params)?;
    Ok(done.map(|letters| usize::try_from(letters).unwrap_or(0)))
}

fn about<'a>(
    act: i64,
    name: &'a str,
    (given, noted): (Option<(&'a Hidden, u64)>, &'a str),
) -> [Param<'a>; 10] {
    let mut params = [const { Param::Null }; 10];
    (params[0], params[1], params[9]) = (Param::Int(act), Param::Text(name), Param::Text(noted));
    if let Some((secret, until)) = given {
        (params[6], params[7]) = (Param::Text(secret.reveal()), Param::Int(signed(until)));
    }
    params
}

fn command<A: Ask>(engine: &mut A, params: &[Param<'_>]) -> Result<Result<i64, NotDone>, A::Error> {
    let rows = engine.ask_for(COMMAND, params)?;
    Ok(match rows.first().ok_or(WrongType { column: 0 })?.int(0)? {
        -1 => Err(NotDone::None),
        -2 => Err(NotDone::Taken),
        -3 => Err(NotDone::TooMany),
        letters => Ok(letters),
    })
}

/// A row of [`WEBHOOKS`].
pub(super) fn stored(row: &Row) -> Result<StoredWebhook, WrongType> {
    let number = |column| row.int(column).map(unsigned);
    let optional = |column| Ok::<_, WrongType>(row.int_or_null(column)?.map(unsigned));
    let events = EventSet::from_bits(u16::try_from(row.int(3)?).unwrap_or(0));
    let rooms = row.text(2)?.split(' ').map(Into::into).collect();
    let except = row.text_or_null(4)?.and_then(UserName::stored);
    let former = row.text_or_null(6)?.map(Hidden::new).zip(optional(7)?);
    let webhook = Webhook {
        name: row.text(0)?.into(),
        url: row.text(1)?.into(),
        interest: Interest { events, rooms, except },
        secret: Hidden::new(row.text(5)?),
        former,
        at: number(8)?,
    };
    Ok(StoredWebhook {
        webhook,
        position: position(number(9)?),
        batch_end: optional(10)?.map(position),
        attempts: u32::try_from(row.int(11)?).unwrap_or(0),
        next_at: number(12)?,
        ended: row.text_or_null(13)?.map(Into::into),
        revived: number(14)?,
        again: Vec::new(),
        dead: number(15)?,
    })
}

/// A row of [`LETTERS`].
pub(super) fn letter(row: &Row) -> Result<DeadLetter, WrongType> {
    let number = |column| row.int(column).map(unsigned);
    Ok(DeadLetter {
        id: number(0)?,
        webhook: row.text(1)?.into(),
        at: number(2)?,
        from: position(number(3)?),
        to: position(number(4)?),
        events: number(5)?,
        why: row.text(6)?.into(),
    })
}

/// A place in the one order of what is sent.
pub(super) const fn position(place: u64) -> Position {
    Position { record: place, notice: 0 }
}
