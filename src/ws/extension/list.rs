//! The header's grammar: RFC 6455 section 9.1 over the lists of RFC 9110 section 5.6.1.
//!
//! Its ABNF is that of RFC 2616, with the implied whitespace between any two words.

use std::borrow::Cow;
use std::fmt;

/// The most extensions, and the most parameters, in all lines of the header together.
pub const EXTENSIONS_MAX: usize = 64;
/// The most bytes in all lines of the header together.
pub const EXTENSIONS_LEN_MAX: usize = 4096;

/// The header does not follow its grammar, or is too long: the request is a bad one (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedExtensions {
    /// A name, a value or a separator is missing or misspelt.
    Grammar,
    /// More than [`EXTENSIONS_MAX`] extensions or parameters, or [`EXTENSIONS_LEN_MAX`] bytes.
    TooLong,
}

impl fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grammar => f.write_str(
                "Sec-WebSocket-Extensions must be a list of names with parameters, \
                 such as `permessage-deflate; client_max_window_bits`",
            ),
            Self::TooLong => write!(
                f,
                "Sec-WebSocket-Extensions may have {EXTENSIONS_MAX} extensions and parameters \
                 in {EXTENSIONS_LEN_MAX} bytes"
            ),
        }
    }
}

impl std::error::Error for MalformedExtensions {}

/// One extension of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    pub(super) params: Vec<Param<'a>>,
}

/// A parameter, with its value without quotes.
pub(super) type Param<'a> = (&'a str, Option<Cow<'a, str>>);

/// The extensions of all lines of the header, which together are one list; it may be empty, as
/// proxies leave it that take extensions away. Each byte is read a bounded number of times, so that
/// a hostile list costs linear time.
pub(super) fn parse_extensions<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Extension<'a>>, MalformedExtensions> {
    let mut parser = Parser { rest: &[], extensions: Vec::new(), params: 0 };
    let mut len = 0_usize;
    for line in lines {
        len = len.saturating_add(line.len());
        if len > EXTENSIONS_LEN_MAX {
            return Err(MalformedExtensions::TooLong);
        }
        parser.rest = line;
        parser.parse_line()?;
    }
    Ok(parser.extensions)
}

struct Parser<'a> {
    rest: &'a [u8],
    extensions: Vec<Extension<'a>>,
    params: usize,
}

impl<'a> Parser<'a> {
    /// `[ extension ] *( OWS "," OWS [ extension ] )`: empty elements are to be ignored.
    fn parse_line(&mut self) -> Result<(), MalformedExtensions> {
        loop {
            self.skip_whitespace();
            if !matches!(self.rest.first(), None | Some(b',')) {
                let extension = self.parse_extension()?;
                self.extensions.push(extension);
            }
            if self.extensions.len() > EXTENSIONS_MAX || self.params > EXTENSIONS_MAX {
                return Err(MalformedExtensions::TooLong);
            }
            if self.rest.is_empty() {
                return Ok(());
            }
            if !self.skip(b',') {
                return Err(MalformedExtensions::Grammar);
            }
        }
    }

    /// `token *( OWS ";" OWS param )`, and the whitespace after it.
    fn parse_extension(&mut self) -> Result<Extension<'a>, MalformedExtensions> {
        let name = self.parse_token()?;
        let mut params = Vec::new();
        self.skip_whitespace();
        // No more are read than it takes to see that they are too many.
        while self.skip(b';') && self.params <= EXTENSIONS_MAX {
            self.skip_whitespace();
            params.push(self.parse_param()?);
            self.params += 1;
            self.skip_whitespace();
        }
        Ok(Extension { name, params })
    }

    /// `token [ OWS "=" OWS ( token / quoted-string ) ]`.
    fn parse_param(&mut self) -> Result<Param<'a>, MalformedExtensions> {
        let name = self.parse_token()?;
        self.skip_whitespace();
        if !self.skip(b'=') {
            return Ok((name, None));
        }
        self.skip_whitespace();
        let value = if self.skip(b'"') { self.parse_quoted()? } else { self.parse_token()?.into() };
        Ok((name, Some(value)))
    }

    fn parse_token(&mut self) -> Result<&'a str, MalformedExtensions> {
        let len = self.rest.iter().take_while(|byte| is_token_byte(**byte)).count();
        let token = self.rest.split_off(..len).unwrap_or_default();
        match str::from_utf8(token) {
            Ok(token) if !token.is_empty() => Ok(token),
            _ => Err(MalformedExtensions::Grammar),
        }
    }

    /// What follows the opening quote, without the closing one. Unescaped it must be a token.
    fn parse_quoted(&mut self) -> Result<Cow<'a, str>, MalformedExtensions> {
        let mut value = String::new();
        loop {
            match self.rest.split_off_first() {
                // An empty text is no token.
                Some(b'"') if !value.is_empty() => return Ok(value.into()),
                Some(b'\\') => match self.rest.split_off_first() {
                    Some(&byte) if is_token_byte(byte) => value.push(char::from(byte)),
                    _ => return Err(MalformedExtensions::Grammar),
                },
                Some(&byte) if is_token_byte(byte) => value.push(char::from(byte)),
                _ => return Err(MalformedExtensions::Grammar),
            }
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest.split_off_first();
        }
        found
    }

    fn skip_whitespace(&mut self) {
        while self.skip(b' ') || self.skip(b'\t') {}
    }
}

/// `tchar` of RFC 9110 section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lines` parsed and written out again in one way: `a;b=c, d`.
    fn parsed(lines: &[&str]) -> Result<String, MalformedExtensions> {
        let extensions = parse_extensions(lines.iter().map(|line| line.as_bytes()))?;
        let texts = extensions.iter().map(|extension| {
            let params = extension.params.iter().map(|(name, value)| match value {
                None => format!(";{name}"),
                Some(value) => format!(";{name}={value}"),
            });
            std::iter::once(extension.name.to_owned()).chain(params).collect::<String>()
        });
        Ok(texts.collect::<Vec<_>>().join(", "))
    }

    #[track_caller]
    fn check(lines: &[&str], expect: Result<&str, MalformedExtensions>) {
        assert_eq!(parsed(lines), expect.map(ToOwned::to_owned), "{lines:?}");
    }

    #[test]
    fn names_parameters_and_values_are_taken_apart() {
        check(&["foo"], Ok("foo"));
        check(&["foo; bar; baz=2"], Ok("foo;bar;baz=2"));
        check(&["foo, bar; baz=2", "qux"], Ok("foo, bar;baz=2, qux"));
        check(&["\tfoo\t;  bar=1 ,\t bar"], Ok("foo;bar=1, bar"));
        check(&["!#$%&'*+-.^_`|~0aZ"], Ok("!#$%&'*+-.^_`|~0aZ"));
    }

    #[test]
    fn a_quoted_value_is_a_token_without_its_quotes() {
        check(&[r#"foo; a="10""#], Ok("foo;a=10"));
        check(&[r#"foo; a="1\0"; b"#], Ok("foo;a=10;b"));
        for value in [
            r#""""#,
            r#""a b""#,
            r#""a,b""#,
            r#""\"""#,
            r#""\ ""#,
            r#""a"#,
            r#""a\"#,
            "\"\\\u{e9}\"",
        ] {
            check(&[&format!("foo; a={value}")], Err(MalformedExtensions::Grammar));
        }
    }

    #[test]
    fn empty_elements_are_ignored_and_an_empty_list_names_none() {
        check(&[", ,foo, ,, bar,"], Ok("foo, bar"));
        check(&["", "foo"], Ok("foo"));
        for lines in [&[""][..], &[" , "], &["", ","]] {
            check(lines, Ok(""));
        }
    }

    #[test]
    fn whitespace_may_stand_around_the_sign_before_a_value() {
        check(&["foo; a = 1"], Ok("foo;a=1"));
        check(&["foo ; a\t= \"1\" ; b"], Ok("foo;a=1;b"));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for line in [
            ";",
            "foo;",
            "foo; ;a",
            "foo bar",
            "foo; a b",
            "foo; a=",
            "foo; =a",
            "foo; a = ",
            "foo; a=1 = 2",
            "foo; a=1=2",
            "foo/bar",
            "f\u{e9}e",
            "foo\0",
            "foo; a=\"1\"2",
            "\"foo\"",
            "foo;a\r\n",
        ] {
            check(&[line], Err(MalformedExtensions::Grammar));
        }
    }

    #[test]
    fn length_and_count_are_bounded() {
        let many = |n: usize| vec!["a"; n].join(",");
        parsed(&[&many(EXTENSIONS_MAX)]).unwrap();
        check(&[&many(EXTENSIONS_MAX + 1)], Err(MalformedExtensions::TooLong));
        let params = |n: usize| format!("a{}", ";b".repeat(n));
        parsed(&[&params(EXTENSIONS_MAX)]).unwrap();
        check(&[&params(EXTENSIONS_MAX + 1)], Err(MalformedExtensions::TooLong));
        parsed(&[&"x".repeat(EXTENSIONS_LEN_MAX)]).unwrap();
        check(&[&"x".repeat(EXTENSIONS_LEN_MAX), "y"], Err(MalformedExtensions::TooLong));
    }

    #[test]
    fn whitespace_that_a_backtracking_parser_would_choke_on_is_refused_at_once() {
        check(&[&format!("b{}x", " ".repeat(4000))], Err(MalformedExtensions::Grammar));
        check(&[&format!("b{}x", " ,".repeat(4000))], Err(MalformedExtensions::TooLong));
    }
}
