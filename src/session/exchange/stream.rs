//! What a stream of events is asked for: its rooms, and from where on.

use super::problem::Problem;
use crate::chat::model::limits::{SEQ_END, STREAM_ROOMS_MAX};
use crate::chat::model::watch::Watch;
use crate::chat::{Code, Refusal};
use crate::http::percent::{decode_form, form_field, form_fields};
use crate::http::{Head, Name};
use crate::net::IpAddr;

/// The field that a client sends by itself when it has lost the stream.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// The same in the query: so npm's `event-source-polyfill` says it, since a page need not ask
/// another origin's leave for that.
const LAST_EVENT_ID_IN_QUERY: &str = "lastEventId";
/// What stands for a room of which a client has no position.
const NO_POSITION: &str = "-";

/// A stream of events as it is asked for.
#[derive(Debug)]
pub(in crate::session) struct StreamPlan {
    rooms: Vec<(Box<str>, Option<Position>)>,
    /// The page of another origin that may read it.
    pub origin: Option<Box<str>>,
    /// For whom a proxy asks.
    pub client: Option<IpAddr>,
    /// The domain was asked for the rooms that are not in memory.
    pub has_asked: bool,
}

/// A position in a room's log: the seq of an epoch, or of whichever it is.
type Position = (Option<Box<str>>, u64);

impl StreamPlan {
    /// The stream of this room that the head asks for.
    pub(super) fn of_room(head: &Head<'_>, room: String) -> Result<Self, Problem> {
        Self::new(head, vec![room])
    }

    /// The stream of the rooms that the query names.
    pub(super) fn of_query(head: &Head<'_>) -> Result<Self, Problem> {
        let query = head.query().unwrap_or_default();
        let rooms = form_fields(query, "room").map(|room| decode_form(room).ok_or_else(not_utf8));
        Self::new(head, rooms.collect::<Result<_, _>>()?)
    }

    fn new(head: &Head<'_>, rooms: Vec<String>) -> Result<Self, Problem> {
        let refused = |message, expected| {
            Err(Refusal::new(Code::BadField, message).field("room", expected).into())
        };
        if rooms.is_empty() {
            return refused("no room is named", "rooms of the stream, as in ?room=a&room=b");
        }
        if rooms.len() > STREAM_ROOMS_MAX {
            let refusal = Refusal::new(Code::BadField, "these are too many rooms for one stream");
            let refusal = refusal.field("room", "a stream for each part of them");
            return Err(refusal.limit(STREAM_ROOMS_MAX).into());
        }
        if rooms.iter().enumerate().any(|(at, room)| rooms.iter().take(at).any(|it| it == room)) {
            return refused("a room is named twice", "each room once");
        }
        let positions = positions(head, rooms.len())?;
        let rooms = rooms.into_iter().map(String::into_boxed_str).zip(positions);
        Ok(Self { rooms: rooms.collect(), origin: None, client: None, has_asked: false })
    }

    /// How many rooms it is of.
    pub(in crate::session) const fn len(&self) -> usize {
        self.rooms.len()
    }

    /// What the domain is asked for.
    pub(in crate::session) fn watches(&self) -> Vec<Watch<'_>> {
        let rooms = self.rooms.iter().map(|(room, position)| Watch {
            room,
            after: position.as_ref().map(|(epoch, seq)| (epoch.as_deref(), *seq)),
        });
        rooms.collect()
    }
}

/// Where the client was in each room: by the id of the last event that it has, or else as its query
/// says.
fn positions(head: &Head<'_>, rooms: usize) -> Result<Vec<Option<Position>>, Problem> {
    let nowhere = || vec![None; rooms];
    // Some send the field empty when they have no id.
    if let Some(value) = head.value(Name::LastEventId).filter(|value| !value.is_empty()) {
        let text = str::from_utf8(value).ok();
        let found = text.and_then(|text| parse(text, rooms));
        return found.ok_or_else(|| malformed(LAST_EVENT_ID, rooms).into());
    }
    let query = head.query().unwrap_or_default();
    let given = [LAST_EVENT_ID_IN_QUERY, "after"].into_iter().find_map(|field| {
        let value = form_field(query, field).filter(|value| !value.is_empty());
        value.map(|value| (field, value))
    });
    let Some((field, value)) = given else { return Ok(nowhere()) };
    let value = decode_form(value).ok_or_else(not_utf8)?;
    parse(&value, rooms).ok_or_else(|| malformed(field, rooms).into())
}

fn parse(text: &str, rooms: usize) -> Option<Vec<Option<Position>>> {
    let each = text.split(',').map(|part| match part {
        NO_POSITION => Some(None),
        _ => position(part).map(Some),
    });
    // One for each room, in the order of the query: the server keeps nothing of a stream that has
    // ended.
    let positions: Vec<_> = each.collect::<Option<_>>()?;
    (positions.len() == rooms).then_some(positions)
}

fn position(text: &str) -> Option<Position> {
    let (epoch, seq) = match text.split_once(':') {
        Some((epoch, seq)) => (Some(epoch), seq),
        None => (None, text),
    };
    let is_number = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
    let seq = seq.parse().ok().filter(|&seq: &u64| is_number && seq < SEQ_END)?;
    let is_epoch = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    epoch.is_none_or(is_epoch).then(|| (epoch.map(Into::into), seq))
}

fn malformed(field: &'static str, rooms: usize) -> Refusal {
    let refusal = Refusal::new(Code::BadField, "this is no position in the rooms of the stream");
    let expected = if rooms == 1 {
        "the id of an event of this stream, as in k3f9:123".to_owned()
    } else {
        format!("the id of an event of this stream, with {rooms} positions as in k3f9:123,z1:9,-")
    };
    refusal.field(field, expected)
}

fn not_utf8() -> Refusal {
    let refusal = Refusal::new(Code::BadField, "the query is not UTF-8");
    refusal.field("room", "percent-encoded UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_for_each_room_and_nothing_else_is_taken_for_one() {
        let at = |epoch: &str, seq| Some((Some(epoch.into()), seq));
        for (text, rooms, expect) in [
            ("k3f9:123", 1, Some(vec![at("k3f9", 123)])),
            ("0", 1, Some(vec![Some((None, 0))])),
            (
                "k3f9:1,-,z1:9007199254740991",
                3,
                Some(vec![at("k3f9", 1), None, at("z1", 9_007_199_254_740_991)]),
            ),
            ("k3f9:123", 2, None),
            ("k3f9:1,z1:2", 1, None),
            ("", 1, None),
            (":1", 1, None),
            ("k3f9:", 1, None),
            ("k3f9:-1", 1, None),
            ("k3f9:+1", 1, None),
            ("K3F9:1", 1, None),
            ("k3f9:1:2", 1, None),
            ("k3f9:9007199254740992", 1, None),
            ("k3f9: 1", 1, None),
        ] {
            assert_eq!(parse(text, rooms), expect, "{text}");
        }
    }
}
