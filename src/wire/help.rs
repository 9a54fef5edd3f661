//! What `help` says of the operations, and what is near to a word that is none.

use crate::chat::model::code::Code;
use crate::chat::model::command::Op;
use crate::chat::model::reply::Refusal;

/// Bytes of the longest name of an operation that is looked at or shown.
pub(super) const OP_LEN_MAX: usize = 32;

/// One operation in words.
pub(super) struct Entry {
    /// What it does, as a sentence.
    pub(super) about: &'static str,
    /// Its fields, and what each is.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Whether this server has it.
    pub(super) is_supported: bool,
}

const ROOM: (&str, &str) = ("room", "the room's name");
const TARGET: (&str, &str) = ("target", "the seq of the message");
const USER: (&str, &str) = ("user", "the user's name");
const REASON: (&str, &str) = ("reason", "why, optional");
const EPOCH: (&str, &str) = ("epoch", "the epoch in which the seqs count, optional");

/// What there is to say of `op`.
pub(super) const fn entry(op: Op) -> Entry {
    Entry { about: about(op), fields: fields(op), is_supported: is_supported(op) }
}

const fn about(op: Op) -> &'static str {
    match op {
        Op::Hello => "Says who you are; first of all",
        Op::Ping => "Asks for the time, and shows that both ends live",
        Op::Rooms => "Lists your rooms with what is unread",
        Op::Create => "Makes a room of which you are the owner",
        Op::Join => "Enters a room",
        Op::Leave => "Leaves a room for good",
        Op::Send => "Says something",
        Op::Ack => "Says how far you have received and read",
        Op::Typing => "Says that you are typing",
        Op::Status => "Says whether you are there",
        Op::History => "Reads what was said",
        Op::Presence => "Says who is there",
        Op::Members => "Lists who is a member",
        Op::Topic => "Reads or changes the topic",
        Op::Help => "Explains the operations",
        Op::Refresh => "Brings a new token",
        Op::Edit => "Changes what you said",
        Op::Delete => "Takes back what you said or, as a moderator, what others said",
        Op::React => "Adds or removes a reaction",
        Op::Search => "Searches what was said",
        Op::Invite => "Lets a user into a room that is private or joined by invitation",
        Op::Role => "Changes a member's role",
        Op::Kick => "Puts a member out of a room",
        Op::Mute => "Takes a member's voice, or gives it back",
        Op::Ban => "Keeps a user out of a room",
        Op::Unban => "Ends a ban",
    }
}

const fn fields(op: Op) -> &'static [(&'static str, &'static str)] {
    match op {
        Op::Hello => &[
            ("name", "the name you want, optional"),
            ("token", "a token, where one is asked for"),
            ("agent", "what your program calls itself, optional"),
            ("version", "1, optional"),
            ("resume", "{\"session\":…,\"rooms\":{room:[epoch,seq],…}} to return, optional"),
        ],
        Op::Rooms => &[("since", "the rev of the last answer: only what has changed, optional")],
        Op::Create => &[
            ROOM,
            ("topic", "its topic, optional"),
            ("private", "whether it is hidden from strangers, optional"),
            ("policy", "the policy it is to have instead of its name's, optional"),
        ],
        Op::Join => {
            &[ROOM, ("after", "the last seq you have, 0 for all there is, optional"), EPOCH]
        }
        Op::Leave | Op::Typing | Op::Presence => &[ROOM],
        Op::Send => &[
            ("room", "the room's name, or instead"),
            ("to", "the user's name"),
            ("text", "what you say"),
            ("cid", "your own id of the message: sent twice, it counts once; optional"),
            ("reply_to", "the seq of the message you answer, optional"),
            ("thread", "the seq of the message that began the thread, optional"),
            ("data", "JSON that is passed on as it is, optional"),
            ("echo", "whether you want the event besides the reply, optional"),
        ],
        Op::Ack => &[
            ROOM,
            ("recv", "the last seq you have received"),
            ("read", "the last seq you have read"),
            EPOCH,
        ],
        Op::Status => &[("status", "\"online\" or \"away\"")],
        Op::History => &[
            ROOM,
            ("before", "only what is below this seq, or instead"),
            ("after", "only what is above this seq, or instead"),
            ("around", "what is around this seq; the latest if there is none of the three"),
            ("limit", "how many at most, optional"),
            EPOCH,
        ],
        Op::Members => &[
            ROOM,
            ("after", "the name behind which to begin, optional"),
            ("limit", "how many at most, optional"),
        ],
        Op::Topic => &[ROOM, ("text", "the new topic, optional")],
        Op::Help => &[("of", "the operation, optional")],
        Op::Search => &[
            ("text", "the words to look for; of the last one its beginning will do"),
            ("room", "only in this room, optional"),
            ("before", "the before of the last answer, for more, optional"),
            ("limit", "how many at most, optional"),
        ],
        Op::Ping => &[],
        Op::Refresh => &[("token", "the new token")],
        Op::Edit
        | Op::Delete
        | Op::React
        | Op::Invite
        | Op::Role
        | Op::Kick
        | Op::Mute
        | Op::Ban
        | Op::Unban => fields_of_acts(op),
    }
}

/// Those of what is done to a message or a user.
const fn fields_of_acts(op: Op) -> &'static [(&'static str, &'static str)] {
    match op {
        Op::Edit => &[ROOM, TARGET, ("text", "the new text")],
        Op::Delete => &[ROOM, TARGET],
        Op::React => &[
            ROOM,
            TARGET,
            ("emoji", "with what: up to 64 bytes"),
            ("remove", "whether you take it back, optional"),
        ],
        Op::Invite => &[ROOM, USER],
        Op::Role => {
            &[ROOM, USER, ("role", "\"owner\", \"moderator\", \"member\" or \"reader\""), REASON]
        }
        Op::Kick | Op::Unban => &[ROOM, USER, REASON],
        Op::Mute => &[
            ROOM,
            USER,
            ("for_ms", "for how many milliseconds, for good if not given; 0 gives the voice back"),
            REASON,
        ],
        Op::Ban => {
            &[ROOM, USER, ("for_ms", "for how many milliseconds, for good if not given"), REASON]
        }
        _ => &[],
    }
}

const fn is_supported(op: Op) -> bool {
    !matches!(op, Op::Refresh)
}

/// The names of all operations, as they are told to whoever names another.
pub(super) fn ops() -> String {
    let names: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    format!("one of {}", names.join(", "))
}

/// The operation whose name is nearly `name`.
pub(super) fn nearest(name: &str) -> Option<Op> {
    if name.len() > OP_LEN_MAX {
        return None;
    }
    let name = name.trim().to_lowercase();
    let distances = Op::ALL.iter().map(|&op| (strsim::damerau_levenshtein(op.name(), &name), op));
    let (distance, op) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= 2 && distance < op.name().len().div_ceil(2)).then_some(op)
}

/// The refusal of an operation that there is not. The reply lists those that there are.
#[cold]
pub(super) fn unknown_op(name: &str) -> Box<Refusal> {
    let shown: String = name.chars().take(OP_LEN_MAX).collect();
    let refusal = Refusal::new(Code::UnknownOp, format!("there is no operation {shown:?}"));
    let hint = nearest(name).map(|op| op.name().to_owned());
    Box::new(refusal.field("op", ops()).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_operation() {
        for (word, near) in [
            ("jion", Some(Op::Join)),
            ("SEND", Some(Op::Send)),
            ("hostory", Some(Op::History)),
            ("message", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word), near, "{word}");
        }
        assert_eq!(nearest(&"send".repeat(1000)), None);
    }
}
