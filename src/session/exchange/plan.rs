//! What a path and a method ask for, and the protocol's requests that this comes to.

use super::admin_request::AdminRequest;
use super::file_plan::{self, FilePlan, ProgressPlan, UploadPlan};
use super::forms::{HookForm, form_of};
use super::problem::Problem;
use super::stream::StreamPlan;
use crate::chat::model::file::FILE_WORD;
use crate::chat::model::identity::Identity;
use crate::chat::model::limits::CID_LEN_MAX;
use crate::chat::{Code, Op, Refusal};
use crate::http::percent::{decode, decode_form, form_field};
use crate::http::{self, Head, Method, Methods, Name};
use crate::wire::client::Field;
use crate::wire::posted::{self, Form, Posted};

/// Bytes of the longest seq: 2^53.
const SEQ_LEN_MAX: usize = 16;

/// What a path is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Target<'a> {
    Rooms,
    Messages(&'a str),
    Members(&'a str),
    Presence(&'a str),
    /// A stream of one room.
    Events(&'a str),
    /// A stream of the rooms that the query names.
    ManyEvents,
    /// What is kept of who asks.
    Export,
    /// By its secret.
    Hook(&'a str),
    /// Files as they are sent.
    Files,
    /// A file by what is in it: its SHA-256.
    Contents(&'a str),
    /// A file of a message: the room, the message's seq, and the file.
    File(&'a str, &'a str, &'a str),
}

/// Whether programs have something at this path.
pub(in crate::session) fn is_there(path: &str) -> bool {
    Target::of(path).is_some()
}

impl<'a> Target<'a> {
    pub(in crate::session) fn of(path: &'a str) -> Option<Self> {
        if let Some(secret) = path.strip_prefix("/hooks/") {
            return Some(Self::Hook(secret));
        }
        if let Some(hash) = path.strip_prefix("/files/") {
            return Some(Self::Contents(hash));
        }
        let Some(rest) = path.strip_prefix("/rooms/") else {
            return match path {
                "/rooms" => Some(Self::Rooms),
                "/events" => Some(Self::ManyEvents),
                "/me/export" => Some(Self::Export),
                "/files" => Some(Self::Files),
                _ => None,
            };
        };
        // A room's name may have slashes.
        // From the end: what is asked for is the last word, and all before it the name.
        let (room, what) = rest.rsplit_once('/')?;
        if what.starts_with(FILE_WORD) {
            let (room, seq) = room.strip_suffix("/files")?.rsplit_once('/')?;
            let room = room.strip_suffix("/messages").filter(|room| !room.is_empty())?;
            return Some(Self::File(room, seq, what));
        }
        match what {
            _ if room.is_empty() => None,
            "messages" => Some(Self::Messages(room)),
            "members" => Some(Self::Members(room)),
            "presence" => Some(Self::Presence(room)),
            "events" => Some(Self::Events(room)),
            _ => None,
        }
    }

    pub(in crate::session) const fn methods(self) -> Methods {
        match self {
            Self::Messages(_) | Self::Files => Methods::GetHeadAndPost,
            Self::Contents(_) => Methods::GetHeadAndPut,
            Self::Hook(_) => Methods::Post,
            Self::Rooms
            | Self::Members(_)
            | Self::Presence(_)
            | Self::Events(_)
            | Self::File(..)
            | Self::ManyEvents
            | Self::Export => Methods::GetAndHead,
        }
    }

    /// What a request of this head asks for, whose method the path has.
    pub(in crate::session) fn plan(self, head: &Head<'_>) -> Result<Plan, Problem> {
        let fields = |of: &[_]| fields_of(head.query().unwrap_or_default(), of);
        let ask = |op, room: &str, of: &[_]| {
            let room = room_of(room)?;
            let mut fields = fields(of)?;
            fields.insert(0, (("room", Kind::Text), room));
            Ok(Plan::ask(op, &fields))
        };
        match self {
            Self::Rooms => Ok(Plan::ask(Op::Rooms, &fields(&[("since", Kind::Number)])?)),
            Self::Export => Ok(Plan::ask(Op::Export, &fields(&[("after", Kind::Number)])?)),
            Self::Messages(room) if head.method() == Method::Post => {
                let (room, cid) = (room_of(room)?.into(), cid_of(head)?);
                Ok(Plan::Say { room, form: form_of(head)?, cid })
            }
            Self::Messages(room) => {
                let numbers = ["before", "after", "around", "limit"].map(|it| (it, Kind::Number));
                ask(Op::History, room, &[&numbers[..], &[("epoch", Kind::Text)]].concat())
            }
            // Pages of members are by name, and a name may have digits only.
            Self::Members(room) => {
                ask(Op::Members, room, &[("limit", Kind::Number), ("after", Kind::Text)])
            }
            Self::Presence(room) => ask(Op::Presence, room, &[]),
            Self::Events(room) => {
                Ok(Plan::Stream(Box::new(StreamPlan::of_room(head, room_of(room)?)?)))
            }
            Self::ManyEvents => Ok(Plan::Stream(Box::new(StreamPlan::of_query(head)?))),
            // One whose secret is known was made a plan by `Plan::hook`; any other is not there.
            Self::Hook(_) => Err(http::Refusal::NotFound.into()),
            Self::Files if head.method() == Method::Post => {
                Ok(Plan::Upload(Box::new(UploadPlan::of(head)?)))
            }
            Self::Files => Ok(Plan::Progress(file_plan::progress_of(head)?)),
            Self::Contents(hash) if head.method() == Method::Put => {
                Ok(Plan::Upload(Box::new(UploadPlan::of_contents(head, hash)?)))
            }
            Self::Contents(hash) => Ok(Plan::Progress(file_plan::progress_of_contents(hash)?)),
            Self::File(room, seq, file) => {
                let room = room_of(room)?;
                Ok(Plan::File(Box::new(FilePlan::of(head, (&room, seq, file))?)))
            }
        }
    }
}

/// What is asked of the domain when the body has come.
#[derive(Debug)]
pub(in crate::session) enum Plan {
    /// Nothing: it is refused.
    Nothing,
    /// This request.
    Ask(String),
    /// Messages in a room.
    Say { room: Box<str>, form: Form, cid: Option<Box<str>> },
    /// A stream of events.
    Stream(Box<StreamPlan>),
    /// A message by a hook.
    Hook { room: Box<str>, form: HookForm, cid: Option<Box<str>> },
    /// What an operator asks for.
    Admin(Box<AdminRequest>),
    /// To take a file.
    Upload(Box<UploadPlan>),
    /// How much has come of what is sent.
    Progress(ProgressPlan),
    /// To send a file.
    File(Box<FilePlan>),
}

impl Plan {
    fn ask(op: Op, fields: &[((&'static str, Kind), String)]) -> Self {
        let fields = fields.iter().map(|((name, kind), value)| match kind {
            Kind::Number => (*name, Field::Json(value)),
            Kind::Text => (*name, Field::Text(value)),
        });
        Self::Ask(posted::single_request(op, &fields.collect::<Vec<_>>()))
    }

    /// A message by the hook of this identity, into the room that it is for.
    pub(in crate::session) fn hook(head: &Head<'_>, identity: &Identity) -> Result<Self, Problem> {
        let grant = identity.grants.first().ok_or(http::Refusal::NotFound)?;
        let form = HookForm::of(head)?;
        // Whoever sends it cannot be told to send another key.
        let cid = cid_of(head).ok().flatten();
        let cid = cid.filter(|cid| (1..=CID_LEN_MAX).contains(&cid.len()));
        Ok(Self::Hook { room: grant.rooms.clone(), form, cid })
    }

    /// The requests, and whether they came as a list.
    pub(in crate::session) fn requests(
        &self,
        body: &[u8],
        len_max: usize,
    ) -> Result<(Vec<String>, bool), Refusal> {
        match self {
            Self::Nothing
            | Self::Stream(_)
            | Self::Admin(_)
            | Self::Upload(_)
            | Self::Progress(_) => Ok((Vec::new(), false)),
            Self::File(plan) => Ok((vec![plan.request.clone()], false)),
            Self::Ask(request) => Ok((vec![request.clone()], false)),
            Self::Say { room, form, cid } => {
                let Posted { requests, is_batch } =
                    posted::messages(*form, body, (room, cid.as_deref()))?;
                Ok((requests, is_batch))
            }
            Self::Hook { room, form, cid } => {
                let text = form.text(body, len_max)?;
                Ok((vec![posted::said(room, &text, cid.as_deref())], false))
            }
        }
    }
}

/// How a field of a query is written in the protocol's request.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Number,
    Text,
}

/// Whether it is one that JSON writes in the same way: 07 or 1e3 would be another one, or none.
fn is_written_number(value: &str) -> bool {
    (1..=SEQ_LEN_MAX).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && (value.len() == 1 || !value.starts_with('0'))
}

/// A field of a query, its kind, and what it says.
type QueryField = ((&'static str, Kind), String);

/// The fields of a query that are there, those that are numbers as JSON writes them.
fn fields_of(query: &str, of: &[(&'static str, Kind)]) -> Result<Vec<QueryField>, Problem> {
    let mut fields = Vec::new();
    for &(name, kind) in of {
        let Some(value) = form_field(query, name) else { continue };
        let value = decode_form(value).ok_or_else(|| {
            let refusal = Refusal::new(Code::BadField, "the query is not UTF-8");
            refusal.field(name, "percent-encoded UTF-8")
        })?;
        if matches!(kind, Kind::Number) && !is_written_number(&value) {
            let refusal = Refusal::new(Code::BadField, format!("{name} is not a number"));
            return Err(refusal.field(name, "at most 16 digits, without zeros before them").into());
        }
        fields.push(((name, kind), value));
    }
    Ok(fields)
}

fn room_of(encoded: &str) -> Result<String, Problem> {
    decode(encoded).ok_or_else(|| {
        let refusal = Refusal::new(Code::BadField, "the room in the path is not UTF-8");
        refusal.field("room", "percent-encoded UTF-8").into()
    })
}

/// The `cid` that the `Idempotency-Key` is.
pub(in crate::session) fn cid_of(head: &Head<'_>) -> Result<Option<Box<str>>, Problem> {
    let cid = head.value(Name::IdempotencyKey).map(str::from_utf8).transpose();
    let cid = cid.map_err(|_not_utf8| {
        let refusal = Refusal::new(Code::BadField, "Idempotency-Key is not UTF-8");
        refusal.field("cid", "a text of at most 64 bytes")
    })?;
    Ok(cid.map(unquoted).map(Into::into))
}

/// Some write the key as a quoted string.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_one_thing_and_a_room_may_have_slashes() {
        for (path, expect) in [
            ("/rooms", Some(Target::Rooms)),
            ("/rooms/lobby/messages", Some(Target::Messages("lobby"))),
            ("/rooms/a/b/members", Some(Target::Members("a/b"))),
            ("/rooms/a%2Fb/presence", Some(Target::Presence("a%2Fb"))),
            ("/rooms/a/b/events", Some(Target::Events("a/b"))),
            ("/events", Some(Target::ManyEvents)),
            ("/me/export", Some(Target::Export)),
            ("/me", None),
            ("/hooks/cwh_x", Some(Target::Hook("cwh_x"))),
            ("/files", Some(Target::Files)),
            ("/files/", Some(Target::Contents(""))),
            ("/files/a/b", Some(Target::Contents("a/b"))),
            ("/rooms/a/b/messages/7/files/cwf_x", Some(Target::File("a/b", "7", "cwf_x"))),
            ("/rooms/messages/messages/7/files/cwf_", Some(Target::File("messages", "7", "cwf_"))),
            ("/rooms/messages/7/files/cwf_x", None),
            ("/rooms/a/messages/files/cwf_x", None),
            ("/rooms/a/messages/7/files/x", None),
            ("/rooms/", None),
            ("/rooms//messages", None),
            ("/rooms/lobby", None),
            ("/rooms/lobby/messages/", None),
            ("/room", None),
        ] {
            assert_eq!(Target::of(path), expect, "{path}");
        }
    }

    #[test]
    fn numbers_are_as_json_writes_them_and_texts_may_have_digits_only() {
        let of = [("after", Kind::Text), ("limit", Kind::Number)];
        let plan = |query: &str| Some(Plan::ask(Op::Members, &fields_of(query, &of).ok()?));
        let Some(Plan::Ask(request)) = plan("limit=7&after=2024") else { panic!() };
        assert_eq!(request, r#"{"op":"members","id":0,"after":"2024","limit":7}"#);
        for number in ["", "-1", "07", "1e3", "12345678901234567", "a", "%22"] {
            assert!(plan(&format!("limit={number}")).is_none(), "{number}");
        }
    }
}
