//! What the server tells, as tables: the fields of each reply and of each event.
//!
//! The chapter of all messages and the AsyncAPI document are made of them. The black-box tests
//! hold every message that they receive against that document, so that the tables say what the
//! renderers write.

mod events;
mod people;
mod replies;
#[cfg(test)]
mod tests;

pub use self::events::{EVENTS, Event, is_record};
pub use self::replies::{REFUSED, reply_to};

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number, 0 or more.
    Number,
    /// `true` or `false`.
    Flag,
    /// `true`: where it is false, the field is missing.
    True,
    /// Whatever JSON can say.
    Any,
    /// A record of a log: an event that [`is_record`], without its room where that is said once.
    Record,
    /// A list of two texts.
    Pair,
    /// A list.
    List(&'static Self),
    /// An object that has such a value for each of many names.
    Map(&'static Self),
    /// An object of these fields.
    Object(&'static Shape),
}

/// Whether a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Always.
    Always,
    /// Always, but it may be `null`.
    OrNull,
    /// Only where there is something to say.
    Sometimes,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether it is there.
    pub given: Given,
    /// What it means.
    pub about: &'static str,
}

/// An object.
#[derive(Debug)]
pub struct Shape {
    /// Its name among all.
    pub name: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

const fn always(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, given: Given::Always, about }
}

const fn or_null(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, given: Given::OrNull, about }
}

const fn sometimes(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, given: Given::Sometimes, about }
}

const ROOM: Field = always("room", Kind::Text, "the room's name");
const EPOCH: Field = always("epoch", Kind::Text, "the epoch in which its seqs count");
const MORE: Field = always("more", Kind::Flag, "whether there is more in that direction");
const THREAD: Field =
    always("thread", Kind::Number, "the seq of the message that began the thread");
const BY: Field = or_null("by", Kind::Text, "who has done it; null if that is not known");
const AT: Field = always("at", Kind::Number, "when, in ms since 1970");
const MARKS: Field = sometimes(
    "marks",
    Kind::Map(&Kind::Number),
    "how far others have read, by user, in rooms where that is told",
);

/// What a user says of itself; each field may be missing.
const PROFILE: Shape = Shape {
    name: "profile",
    fields: &[
        sometimes("display", Kind::Text, "the name to be shown beside the user's"),
        sometimes("text", Kind::Text, "a status text"),
        sometimes("color", Kind::Text, "the colour of the name"),
        sometimes("until", Kind::Number, "when the text ends, in ms since 1970"),
    ],
};
