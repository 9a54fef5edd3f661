//! `/edit`, `/delete` and `/react`: what is done to a message that is on the screen.

use chinwag_client::model::fields;
use chinwag_client::{Client, Error};

use super::view::Shared;
use crate::chat::model::meant_message::Meant;
use crate::wire::text::{Change, changed};

/// Said if no message fits that was on the screen lately.
pub(super) const NONE_MEANT: &str = "no message of lately is meant by this; /history shows them";

/// Changes the message that is meant, in the room that is looked at; by itself, one's own last.
pub(super) fn change(
    client: &Client,
    view: &Shared,
    (of, change): (Option<Meant<'_>>, Change<'_>),
) -> Result<(), Error> {
    let me = client.user().unwrap_or_default();
    let found = {
        let view = view.lock();
        let room = view.current.clone().unwrap_or_default();
        let found = view.find_quotable(&room, changed(of, &me), false);
        found.map(|(seq, _)| (room, seq))
    };
    let (room, seq) = found.ok_or_else(|| Error::local(NONE_MEANT))?;
    let (op, field) = match change {
        Change::Text(text) => ("edit", ("text", text.into())),
        Change::Deletion => ("delete", ("text", serde_json::Value::Null)),
        Change::Reaction(emoji) => ("react", ("emoji", emoji.into())),
    };
    client.change(op, &room, fields([("target", seq.into()), field]))?;
    Ok(())
}
