//! The reply to `hello`: where each room continues, and every limit.

use super::Context;
use super::event::read_marks;
use super::field::{epoch_field, field, name_field};
use crate::chat::model::limits::{
    CID_LEN_MAX, EMOJI_LEN_MAX, INVITATIONS_OF_ROOM_MAX, INVITATIONS_OF_USER_MAX, Limits,
    PRESENCE_NAMES_MAX, REASON_LEN_MAX, RECEIPTS_MEMBERS_MAX, REQUEST_ID_LEN_MAX, RESTRICTIONS_MAX,
    SEARCH_LEN_MAX, TOPIC_LEN_MAX, TYPING_LASTS,
};
use crate::chat::model::name::NAME_LEN_MAX;
use crate::chat::model::reply::{Refusal, Reply, ResumedRoom, Resumption};
use crate::time::millis;
use crate::wire::frame_len::{RESUMPTION_MESSAGE_MAX, frame_len_max};
use crate::wire::json::{boolean, number_or_null, prose, put, string};
use crate::wire::parse::{AGENT_LEN_MAX, DATA_DEPTH_MAX, request_len_max};

/// Appends the data of a [`Reply::Welcome`], without the braces.
pub(super) fn welcome(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    let Reply::Welcome { user, session, time, resumed, rooms, may_invite, is_admin, .. } = reply
    else {
        return;
    };
    name_field(out, r#""user":"#, user.as_str());
    put(out, r#","session":"#);
    string(out, session);
    put(out, r#","server":"#);
    string(out, context.server);
    field(out, r#","time":"#, *time);
    put(out, r#","resumed":"#);
    boolean(out, *resumed);
    // Only a `hello` with `resume` has rooms to report.
    if !rooms.is_empty() {
        put(out, r#","rooms":{"#);
        for (index, ResumedRoom { requested, name, resumption, marks }) in rooms.iter().enumerate()
        {
            put(out, if index == 0 { "" } else { "," });
            string(out, requested);
            put(out, ":{");
            resumption_fields(out, resumption);
            if let Some(name) = name {
                name_field(out, r#","room":"#, name.as_str());
            }
            if !marks.is_empty() {
                read_marks(out, r#","marks":{"#, marks);
            }
            put(out, "}");
        }
        put(out, "}");
    }
    if let Reply::Welcome { invitations, more_invitations, .. } = reply {
        super::restrictions::invitations(out, invitations);
        put(out, if *more_invitations { r#","more_invitations":true"# } else { "" });
    }
    // Where names are all that there is, there is nothing to say.
    let auth = &context.limits.auth;
    if !auth.is_only_names() {
        put(out, ",");
        super::auth::auth(out, auth);
        put(out, if *may_invite { r#","may_invite":true"# } else { "" });
        put(out, if *is_admin { r#","admin":true"# } else { "" });
    }
    put(out, r#","limits":{"#);
    put(out, context.stated);
    put(out, "}");
}

fn resumption_fields(out: &mut Vec<u8>, resumption: &Resumption) {
    match resumption {
        Resumption::From { from, to } => {
            field(out, r#""from":"#, *from);
            field(out, r#","to":"#, *to);
        }
        Resumption::Gap { gap, why, from, to } => {
            field(out, r#""gap":["#, gap.0);
            field(out, ",", gap.1);
            name_field(out, r#"],"why":"#, why.name());
            field(out, r#","from":"#, *from);
            field(out, r#","to":"#, *to);
        }
        Resumption::Reset { epoch, seq } => {
            epoch_field(out, r#""reset":true,"epoch":"#, *epoch);
            field(out, r#","seq":"#, *seq);
        }
        Resumption::Refused(refusal) => resumption_refusal(out, refusal),
    }
}

/// Why a room cannot be resumed: in few words, since there may be many.
fn resumption_refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    field(out, r#""code":"#, refusal.code.number().into());
    put(out, r#","message":"#);
    // Cut, since one welcome answers for as many rooms as a user may have: see `frame_len_max`.
    prose(out, beginning(&refusal.message));
    name_field(out, r#","data":{"error":"#, refusal.code.slug());
    if let Some(millis) = refusal.retry_after_ms {
        field(out, r#","retry_after_ms":"#, millis);
    }
    put(out, "}");
}

/// As much of a message as takes no more than [`RESUMPTION_MESSAGE_MAX`] bytes when it is escaped.
fn beginning(message: &str) -> &str {
    let mut bytes = 0;
    let fits = |&(_, c): &(usize, char)| {
        bytes += c.len_utf8() + usize::from(c < ' ' || matches!(c, '"' | '\\'));
        bytes <= RESUMPTION_MESSAGE_MAX
    };
    let end = message.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    message.get(..end).unwrap_or_default()
}

/// Every bound that a client can meet, as fields of an object without its braces. `rate_per_s`,
/// `burst` and `edit_ms` are `null` if there is none, `file_bytes` if no files are taken.
#[must_use]
pub fn stated_limits(limits: &Limits) -> String {
    let mut out = Vec::new();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    field(&mut out, r#""message_bytes":"#, count(limits.message_bytes));
    let rest = [
        (r#","request_bytes":"#, Some(count(request_len_max(limits)))),
        (r#","frame_bytes":"#, Some(count(frame_len_max(limits)))),
        (r#","rooms":"#, Some(count(limits.rooms_per_user))),
        (r#","sessions":"#, Some(count(limits.sessions_per_user))),
        (r#","members":"#, Some(count(limits.members_per_room))),
        (r#","rate_per_s":"#, limits.rate_per_s.map(u64::from)),
        (r#","burst":"#, limits.rate_per_s.map(|_| limits.burst.into())),
        (r#","read_ahead":"#, Some(count(limits.read_ahead))),
        (r#","history_page":"#, Some(limits.history_page.into())),
        (r#","ping_ms":"#, Some(millis(limits.ping_after))),
        (r#","replay":"#, Some(limits.replay)),
        (r#","id_bytes":"#, Some(count(REQUEST_ID_LEN_MAX))),
        (r#","cid_bytes":"#, Some(count(CID_LEN_MAX))),
        (r#","name_bytes":"#, Some(count(NAME_LEN_MAX))),
        (r#","topic_bytes":"#, Some(count(TOPIC_LEN_MAX))),
        (r#","emoji_bytes":"#, Some(count(EMOJI_LEN_MAX))),
        (r#","reason_bytes":"#, Some(count(REASON_LEN_MAX))),
        (r#","search_bytes":"#, Some(count(SEARCH_LEN_MAX))),
        (r#","agent_bytes":"#, Some(count(AGENT_LEN_MAX))),
        (r#","data_levels":"#, Some(DATA_DEPTH_MAX.into())),
        (r#","presence_names":"#, Some(count(PRESENCE_NAMES_MAX))),
        (r#","receipts_members":"#, Some(count(RECEIPTS_MEMBERS_MAX))),
        (r#","typing_ms":"#, Some(millis(TYPING_LASTS))),
        (r#","standings":"#, Some(count(RESTRICTIONS_MAX))),
        (r#","room_invitations":"#, Some(count(INVITATIONS_OF_ROOM_MAX))),
        (r#","user_invitations":"#, Some(count(INVITATIONS_OF_USER_MAX))),
        (r#","edit_ms":"#, limits.edit_window.map(millis)),
        (r#","file_bytes":"#, limits.file_bytes),
    ];
    for (key, value) in rest {
        put(&mut out, key);
        number_or_null(&mut out, value);
    }
    String::from_utf8(out).unwrap_or_default()
}
