//! What was seen: by every client of every room, and in the end in the log itself.

use chinwag::wire::client::Word;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Outcome;

/// A message of ours: which client said it, and how many it had said before. It stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The client.
    pub(crate) client: u32,
    /// Counted from 0.
    pub(crate) number: u64,
}

/// The content of a record, as far as two records can be told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A message, edited or not.
    Message(Mark),
    /// A message that was deleted since.
    Deleted,
    /// A change of the message with this seq.
    Edit(u64),
    /// The deletion of the message with this seq.
    Deletion(u64),
}

/// A record as it was seen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Its seq.
    pub(crate) seq: u64,
    /// When the log took it.
    pub(crate) at: u64,
    /// The number of the user who said or did it.
    pub(crate) from: u32,
    /// What it is.
    pub(crate) what: What,
}

/// An answer to a `send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// In which room.
    pub(crate) room: usize,
    /// Of what.
    pub(crate) mark: Mark,
    /// The seq that was given.
    pub(crate) seq: u64,
    /// The number of the user.
    pub(crate) from: u32,
    /// The length of the recorded disk operations when the answer came; 0 if none are recorded.
    pub(crate) stamp: u64,
}

/// What one client saw of one room, in the order in which it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    /// In which room.
    pub(crate) room: usize,
    /// Which client.
    pub(crate) client: u32,
    /// The head when it joined.
    pub(crate) start: u64,
    /// Everything after it.
    pub(crate) seen: Vec<Sighting>,
}

/// Everything that was seen in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// What each client saw of each of its rooms.
    pub(crate) streams: Vec<Stream>,
    /// What was acknowledged.
    pub(crate) acks: Vec<Ack>,
    /// Messages that were refused at first: they may come after later ones.
    pub(crate) refused: Vec<Mark>,
    /// Each room's log, read by `history` at the end.
    pub(crate) logs: Vec<Vec<Sighting>>,
    /// Messages that no client should ever receive, and other contradictions.
    pub(crate) faults: Vec<String>,
}

impl Mark {
    /// The `cid`, and the first word of the text.
    pub(crate) fn cid(self) -> String {
        format!("d{}-{}", self.client, self.number)
    }

    /// Reads the first word of a text.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let word = text.split(' ').next()?.strip_prefix('d')?;
        let (client, number) = word.split_once('-')?;
        Some(Self { client: client.parse().ok()?, number: number.parse().ok()? })
    }
}

/// What the server said: the parts that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerMessage<'a> {
    #[serde(borrow)]
    pub(crate) ev: Option<Word<'a>>,
    pub(crate) id: Option<u64>,
    pub(crate) code: Option<u16>,
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) room: Option<Word<'a>>,
    #[serde(borrow)]
    pub(crate) epoch: Option<Word<'a>>,
    #[serde(borrow)]
    pub(crate) session: Option<Word<'a>>,
    pub(crate) seq: Option<u64>,
    #[serde(borrow)]
    pub(crate) from: Option<Word<'a>>,
    pub(crate) at: Option<u64>,
    #[serde(borrow)]
    pub(crate) text: Option<Word<'a>>,
    #[serde(borrow)]
    pub(crate) cid: Option<Word<'a>>,
    #[serde(borrow)]
    pub(crate) target: Option<Word<'a>>,
    pub(crate) deleted: bool,
    pub(crate) dup: bool,
    pub(crate) retry_after_ms: Option<u64>,
    #[serde(borrow)]
    pub(crate) items: Option<&'a RawValue>,
}

impl<'a> ServerMessage<'a> {
    pub(crate) fn parse(text: &'a str) -> Outcome<Self> {
        serde_json::from_str(text).map_err(|error| format!("{error} in {text}").into())
    }

    /// The word of a kind of event.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.ev.as_ref().and_then(Word::as_str)
    }

    /// The items of a replay.
    pub(crate) fn items(&self) -> Outcome<Vec<Self>> {
        Ok(self.items.map_or(Ok(Vec::new()), |items| serde_json::from_str(items.get()))?)
    }

    /// The record in this event or item; `None` if it has none.
    pub(crate) fn sighting(&self) -> Outcome<Option<Sighting>> {
        let (Some(seq), Some(at), Some(from)) = (self.seq, self.at, self.from.as_ref()) else {
            return Ok(None);
        };
        let from = from.as_str().and_then(user_number).ok_or("a stranger")?;
        let text = self.text.as_ref().and_then(Word::as_str);
        let target = || self.target.as_ref().and_then(Word::as_number).ok_or("no target");
        let what = match self.kind() {
            Some("message") if self.deleted => What::Deleted,
            Some("message") => What::Message(text.and_then(Mark::of).ok_or("a strange text")?),
            Some("edit") => What::Edit(target()?),
            Some("deletion") => What::Deletion(target()?),
            _ => return Err(format!("a strange record: {self:?}").into()),
        };
        if let (Some(cid), What::Message(mark)) = (self.cid.as_ref().and_then(Word::as_str), what)
            && cid != mark.cid()
        {
            return Err(format!("the cid {cid} on the message {}", mark.cid()).into());
        }
        Ok(Some(Sighting { seq, at, from, what }))
    }
}

/// The name of a user.
pub(crate) fn user_name(number: u32) -> String {
    format!("u{number}")
}

/// The number of a user.
pub(crate) fn user_number(name: &str) -> Option<u32> {
    name.strip_prefix('u')?.parse().ok()
}
