//! What is asked for about files: to take one, how much of one has come, or to send one.

use super::problem::Problem;
use crate::chat::model::file::{FileId, HASH_LEN};
use crate::chat::{Code, Op, Refusal};
use crate::files::UPLOAD_KEY_LEN;
use crate::http::percent::form_field;
use crate::http::{self, Condition, ETag, Head, Name, Range, Response};
use crate::wire::client::Field;
use crate::wire::posted;

/// Digits of the largest number of bytes.
const NUMBER_LEN_MAX: usize = 15;

/// A file that is sent here.
#[derive(Debug)]
pub(in crate::session) struct UploadPlan {
    /// By what it is gone on with.
    pub key: Option<Box<str>>,
    /// The SHA-256 that it is to have.
    pub hash: Option<Box<str>>,
    /// How much of it was sent before.
    pub offset: u64,
    /// How much there is in all.
    pub size: Option<u64>,
    /// The client waits to be told to send it.
    pub waits: bool,
}

/// What is being sent, of which it is asked how much has come.
#[derive(Debug)]
pub(in crate::session) struct ProgressPlan {
    /// The name by which it is gone on with.
    pub key: Box<str>,
    /// Its SHA-256, if it is put under that.
    pub hash: Option<Box<str>>,
}

/// A file that is to be sent.
#[derive(Debug)]
pub(in crate::session) struct FilePlan {
    /// Which message it is asked for by.
    pub seq: u64,
    pub id: FileId,
    pub range: Range,
    /// What its conditions come to, if it may have it.
    pub condition: Condition,
    /// What the message calls it.
    pub name: Box<str>,
    /// What is asked of the domain: whether the message may be read.
    pub request: String,
}

/// How far a piece of a file has come.
#[derive(Debug)]
pub(in crate::session) struct Sending {
    pub hash: Box<str>,
    pub next: u64,
    pub end: u64,
    /// The next piece is being read.
    pub is_asked: bool,
}

impl UploadPlan {
    pub(super) fn of(head: &Head<'_>) -> Result<Self, Problem> {
        let kind = head.value(Name::ContentType).unwrap_or_default();
        let media = kind.split(|&byte| byte == b';').next().unwrap_or_default();
        if media.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(http::Refusal::FormOfFiles.into());
        }
        let key = key_of(head.query().unwrap_or_default())?;
        Self::from_head(head, key, None)
    }

    /// One that is put under its SHA-256, which is also the name by which it is gone on with.
    pub(super) fn of_contents(head: &Head<'_>, hash: &str) -> Result<Self, Problem> {
        let hash = hash_of(hash)?;
        if head.value(Name::ContentRange).is_some() {
            // RFC 9110 section 14.5: who does not know a part for a part would keep it as all.
            return Err(refused("Content-Range", "offset and size in the query"));
        }
        Self::from_head(head, Some(hash.clone()), Some(hash))
    }

    fn from_head(
        head: &Head<'_>,
        key: Option<Box<str>>,
        hash: Option<Box<str>>,
    ) -> Result<Self, Problem> {
        let query = head.query().unwrap_or_default();
        let offset = number(query, "offset")?.unwrap_or(0);
        let length = head.value(Name::ContentLength).and_then(|value| {
            str::from_utf8(value).ok().and_then(|value| value.parse::<u64>().ok())
        });
        // What is gone on with has come in part before.
        let size = match number(query, "size")? {
            None => length.map(|length| length.saturating_add(offset)),
            size => size,
        };
        if offset > 0 && key.is_none() {
            return Err(refused("upload", "the name under which the beginning was sent"));
        }
        Ok(Self { key, hash, offset, size, waits: false })
    }
}

/// The name of what is being sent, of which it is asked how much has come.
pub(super) fn progress_of(head: &Head<'_>) -> Result<ProgressPlan, Problem> {
    let key = key_of(head.query().unwrap_or_default())?;
    let key = key.ok_or_else(|| refused("upload", "the name of what is being sent"))?;
    Ok(ProgressPlan { key, hash: None })
}

/// The same of what is put under this SHA-256.
pub(super) fn progress_of_contents(hash: &str) -> Result<ProgressPlan, Problem> {
    let hash = hash_of(hash)?;
    Ok(ProgressPlan { key: hash.clone(), hash: Some(hash) })
}

impl FilePlan {
    pub(super) fn of(
        head: &Head<'_>,
        (room, seq, id): (&str, &str, &str),
    ) -> Result<Self, Problem> {
        let is_number = (1..=NUMBER_LEN_MAX).contains(&seq.len())
            && seq.bytes().all(|byte| byte.is_ascii_digit())
            && !seq.starts_with('0');
        let seq = seq.parse::<u64>().ok().filter(|_| is_number);
        let seq = seq.ok_or_else(|| refused("seq", "the seq of a message"))?;
        let id = FileId::parse(id).ok_or_else(|| refused("file", "the id of a file"))?;
        // By `history`, as a client reads the message: who may read that may read its files.
        let after = (seq - 1).to_string();
        let fields = [
            ("room", Field::Text(room)),
            ("after", Field::Json(&after)),
            ("limit", Field::Json("1")),
        ];
        let request = posted::single_request(Op::History, &fields);
        // What is in a file never changes, so that its id is its tag.
        let tag = ETag::of(id.as_str().as_bytes());
        let (range, condition) = (Range::of(head, tag), tag.condition(head));
        Ok(Self { seq, id, range, condition, name: "".into(), request })
    }
}

impl FilePlan {
    /// A response with what a client is to know of the copy that it keeps, or has kept: a 304 says
    /// the same of it as the 200 has (RFC 9110 section 15.4.5). A file never changes.
    pub(in crate::session) fn kept(&self, response: Response) -> Response {
        response
            .field("Cache-Control", "private, max-age=31536000, immutable")
            .field("Vary", "Authorization")
            .etag(ETag::of(self.id.as_str().as_bytes()))
            .sandboxed()
    }

    /// The refusal of a file that its asker may not read, or that there is not.
    pub(in crate::session) fn not_there() -> Problem {
        let message = "no message that you may read has this file";
        let refusal = Refusal::new(Code::NoSuchMessage, message);
        refusal.field("file", "a file to which the message refers").into()
    }
}

/// The name that the client gives to what it sends: only the same user can go on with it, so that
/// it need not be a secret.
fn key_of(query: &str) -> Result<Option<Box<str>>, Problem> {
    let Some(key) = form_field(query, "upload") else { return Ok(None) };
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if UPLOAD_KEY_LEN.contains(&key.len()) && key.bytes().all(is_fit) {
        return Ok(Some(key.into()));
    }
    Err(refused("upload", "16 to 64 letters, digits, - and _, another one for each file"))
}

/// The SHA-256 that stands in a path.
fn hash_of(text: &str) -> Result<Box<str>, Problem> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == HASH_LEN && text.bytes().all(is_digit) {
        return Ok(text.into());
    }
    let expected = "the SHA-256 of what is in the file: 64 hexadecimal digits in lower case";
    Err(refused("hash", expected))
}

fn number(query: &str, name: &'static str) -> Result<Option<u64>, Problem> {
    let Some(text) = form_field(query, name) else { return Ok(None) };
    let is_number = (1..=NUMBER_LEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.map(Some).ok_or_else(|| refused(name, "a number of bytes"))
}

fn refused(field: &'static str, expected: &'static str) -> Problem {
    let message = format!("{field} is not what it should be");
    Refusal::new(Code::BadField, message).field(field, expected).into()
}
