//! Incremental scanning of a head: RFC 9112 sections 2.2 and 5.
//!
//! ```text
//!  first line ──▶ field line ─▶ … ─▶ empty line ──▶ complete
//!      ▲   one empty line may come before
//!      └─ refused at the first line that is wrong, without waiting for the rest
//! ```
//!
//! The end of each line is searched once, from where the last search ended, and each complete line
//! is parsed once: two looks at a byte in all, however the bytes arrive.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use memchr::memchr;

use super::name::{Name, NameSet};
use super::octets::{Span, is_field_value, token_len, trim};
use super::{HeadPosition, Limits, Refusal};

/// The first line of a head: of a request or of a response.
pub(super) trait StartLine: Copy {
    /// Refuses what cannot begin such a line, by its first byte, at `at`.
    fn check_first(byte: u8, at: HeadPosition) -> Result<(), Refusal>;

    /// Parses the line, without its CRLF, which begins at `start` of the head and is its `line`th.
    fn parse(text: &[u8], start: usize, line: u16) -> Result<Self, Refusal>;
}

/// One field line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: Name,
    pub(super) name_text: Span,
    pub(super) value: Span,
}

/// How far a head has been scanned and what was found. All positions count from the head's first
/// byte.
#[derive(Clone, Debug)]
pub(super) struct Scan<S> {
    pub(super) start_line: Option<S>,
    pub(super) fields: Vec<Field>,
    pub(super) seen: NameSet,
    pub(super) repeated: NameSet,
    /// Where the line begins that is not complete yet.
    line_start: usize,
    /// Up to where the search for its end has come.
    searched: usize,
    /// Its number, from 1.
    line: u16,
    /// Bytes that were read; one that was read twice counts twice.
    #[cfg(test)]
    pub(super) examined: usize,
}

impl<S> Default for Scan<S> {
    fn default() -> Self {
        Self {
            start_line: None,
            fields: Vec::new(),
            seen: NameSet::default(),
            repeated: NameSet::default(),
            line_start: 0,
            searched: 0,
            line: 1,
            #[cfg(test)]
            examined: 0,
        }
    }
}

impl<S: StartLine> Scan<S> {
    /// Begins anew, keeping the storage.
    pub(super) fn reset(&mut self) {
        // The list of fields keeps its memory for the next head.
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// Continues with `bytes`, which begin at the head's first byte and include all that an earlier
    /// call was given. Returns the head's length once it is complete.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Option<usize>, Refusal> {
        loop {
            let Some(text) = self.next_line(bytes, limits)? else {
                return Ok(None);
            };
            if self.take_line(text, limits)? {
                return Ok(Some(self.searched));
            }
            self.line_start = self.searched;
            self.line = self.line.saturating_add(1);
        }
    }

    /// The next complete line without its CRLF, `None` if it is not complete yet.
    fn next_line<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: Limits,
    ) -> Result<Option<&'a [u8]>, Refusal> {
        // A client that speaks another protocol is told so at its first byte, before it waits for
        // an answer.
        if self.start_line.is_none() && self.searched == self.line_start {
            let at = HeadPosition::new(self.line, 0);
            bytes.get(self.line_start).map_or(Ok(()), |&byte| S::check_first(byte, at))?;
        }
        let (bound, beyond) = self.bound(limits);
        let end = bytes.len().min(bound);
        let window = bytes.get(self.searched..end).unwrap_or_default();
        let found = memchr(b'\n', window);
        self.look(found.map_or(window.len(), |lf| lf + 1));
        let Some(lf) = found else {
            self.searched = end;
            // Without a line end below the bound, more bytes cannot make the line acceptable.
            return if bytes.len() < bound { Ok(None) } else { Err(beyond) };
        };
        let line_end = self.searched + lf;
        self.searched = line_end + 1;
        let text = bytes.get(self.line_start..line_end).unwrap_or_default();
        self.look(text.len() + 1);
        // RFC 9112 would allow a bare LF, but a proxy that does not see a line end there could be
        // deceived.
        let Some((b'\r', text)) = text.split_last() else {
            return Err(Refusal::BareLf { at: HeadPosition::new(self.line, text.len()) });
        };
        Ok(Some(text))
    }

    /// Before which position the current line's LF must stand, and what it is otherwise.
    fn bound(&self, limits: Limits) -> (usize, Refusal) {
        let head = limits.head_len_max;
        let first_line = self.line_start + limits.first_line_len_max + "\r\n".len();
        if self.start_line.is_none() && first_line < head {
            (first_line, Refusal::FirstLineTooLong { max: limits.first_line_len_max })
        } else {
            (head, Refusal::HeadTooLarge { max: limits.head_len_max })
        }
    }

    /// Takes one complete line; returns whether it was the last.
    fn take_line(&mut self, text: &[u8], limits: Limits) -> Result<bool, Refusal> {
        if self.start_line.is_some() {
            return self.take_field(text, limits);
        }
        if !text.is_empty() {
            self.start_line = Some(S::parse(text, self.line_start, self.line)?);
        } else if self.line > 1 {
            // One empty line may precede a request (RFC 9112 section 2.2); more are a sign of a
            // client out of step.
            return Err(Refusal::EmptyLines);
        }
        Ok(false)
    }

    fn take_field(&mut self, text: &[u8], limits: Limits) -> Result<bool, Refusal> {
        if text.is_empty() {
            return Ok(true);
        }
        if self.fields.len() >= limits.fields_max {
            return Err(Refusal::TooManyFields { max: limits.fields_max });
        }
        let field = parse_field(text, self.line_start, self.line)?;
        if self.seen.contains(field.name) {
            self.repeated.insert(field.name);
        }
        self.seen.insert(field.name);
        self.fields.push(field);
        Ok(false)
    }

    #[cfg(test)]
    fn look(&mut self, bytes: usize) {
        self.examined += bytes;
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "counts in tests only")]
    const fn look(&self, _bytes: usize) {}
}

/// Parses one field line: `token ":" OWS value OWS`.
fn parse_field(text: &[u8], start: usize, line: u16) -> Result<Field, Refusal> {
    let name_len = token_len(text);
    let (name, rest) = text.split_at_checked(name_len).unwrap_or_default();
    let at = HeadPosition::new(line, name_len);
    let value = match rest.split_first() {
        Some((b':', value)) if name_len > 0 => value,
        Some((b':', _)) => return Err(Refusal::NoName { at }),
        // A folded line and a space before the colon are read differently by different parsers,
        // which is how requests are smuggled past a proxy.
        Some((b' ' | b'\t', _)) if name_len == 0 => return Err(Refusal::Fold { at }),
        Some((b' ' | b'\t', _)) => return Err(Refusal::SpaceBeforeColon { at }),
        Some((&byte, _)) => return Err(Refusal::of_byte(byte, at, Refusal::NameByte { at })),
        None => return Err(Refusal::NoColon { at }),
    };
    check_value(value, line, name_len + 1)?;
    let trimmed = trim(value);
    // Where the trimmed part begins: as far before the end of the line as it is long, with what was
    // trimmed behind it.
    let blanks = value.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    let value_start = if trimmed.is_empty() { text.len() } else { name_len + 1 + blanks };
    Ok(Field {
        name: Name::of(name),
        name_text: Span::new(start, name_len),
        value: Span::new(start + value_start, trimmed.len()),
    })
}

/// Refuses control bytes in a value that begins at `offset` of its line.
fn check_value(value: &[u8], line: u16, offset: usize) -> Result<(), Refusal> {
    // Without an early exit, so that it is done for many bytes at once.
    if value.iter().fold(true, |good, &byte| good & is_field_value(byte)) {
        return Ok(());
    }
    let wrong = value.iter().enumerate().find(|&(_, &byte)| !is_field_value(byte));
    wrong.map_or(Ok(()), |(index, &byte)| {
        let at = HeadPosition::new(line, offset + index);
        Err(Refusal::of_byte(byte, at, Refusal::Control { at }))
    })
}
