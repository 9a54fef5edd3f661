//! How bodies are written, as their heads say.

use super::problem::Problem;
use crate::chat::{Code, Refusal};
use crate::http::percent::{decode_form, form_field};
use crate::http::{self, Head, Name, multipart};
use crate::wire::posted::{self, Form};

/// How a message to a hook is written.
#[derive(Debug)]
pub(in crate::session) enum HookForm {
    /// In one piece.
    Whole(Form),
    /// As a form of several parts with this boundary between them.
    Parts(Box<str>),
}

impl HookForm {
    pub(super) fn of(head: &Head<'_>) -> Result<Self, Problem> {
        match head.value(Name::ContentType).and_then(multipart::boundary) {
            Some(boundary) => Ok(Self::Parts(boundary.into())),
            None => form_of(head).map(Self::Whole),
        }
    }

    /// The text of the message, of at most `len_max` bytes.
    pub(super) fn text(&self, body: &[u8], len_max: usize) -> Result<String, Refusal> {
        match self {
            Self::Whole(form) => posted::hook_text(*form, body, len_max, |text, name| {
                decode_form(form_field(text, name)?)
            }),
            Self::Parts(boundary) => {
                let Some(fields) = multipart::fields(body, boundary) else {
                    let message = "the body is not the form that its Content-Type says";
                    let refusal = Refusal::new(Code::BadField, message);
                    return Err(refusal.field("body", "multipart/form-data, its texts in UTF-8"));
                };
                let field = |name: &str| {
                    let (_, text) = fields.iter().find(|(found, _)| *found == name)?;
                    Some((*text).to_owned())
                };
                let text = posted::form_text(len_max, field);
                text.unwrap_or_else(|| Err(posted::nothing_to_say()))
            }
        }
    }
}

/// How the body is written. Without a type it is a text, and so is what `curl -d` sends as a form.
pub(super) fn form_of(head: &Head<'_>) -> Result<Form, Problem> {
    // Another charset is refused and not converted: nobody could tell what it was meant to say.
    let Some(value) = head.value(Name::ContentType) else { return Ok(Form::Text) };
    let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let kind = parts.next().unwrap_or_default();
    let is_utf8 = parts.all(|part| {
        let charset =
            part.split_at_checked(8).filter(|(name, _)| name.eq_ignore_ascii_case(b"charset="));
        charset.is_none_or(|(_, value)| {
            let value = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""))
                .unwrap_or(value);
            [&b"utf-8"[..], b"utf8", b"us-ascii"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known))
        })
    });
    let known: [(&[u8], Form); 3] = [
        (b"text/plain", Form::Text),
        (b"application/json", Form::Json),
        (b"application/x-www-form-urlencoded", Form::Urlencoded),
    ];
    let found = known.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name));
    match found {
        Some((_, form)) if is_utf8 => Ok(*form),
        Some(_) | None => Err(http::Refusal::ContentType.into()),
    }
}

/// Whether the body is JSON.
pub(in crate::session) fn is_json(head: &Head<'_>) -> bool {
    matches!(form_of(head), Ok(Form::Json))
}
