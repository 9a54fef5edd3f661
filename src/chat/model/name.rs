//! Names of users and rooms: what is one, and what the right spelling would be.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use unicode_normalization::{UnicodeNormalization, is_nfkc};

/// Bytes of the longest name.
pub const NAME_LEN_MAX: usize = 32;

/// Bytes of the longest name of a direct conversation: `@`, two users, `:`.
pub const DIRECT_LEN_MAX: usize = 2 + 2 * NAME_LEN_MAX;

/// What is wrong with a name, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// The rule that it breaks, as a sentence without its full stop.
    pub expected: &'static str,
    /// The right spelling, where one can be guessed.
    pub hint: Option<String>,
}

/// The rule, as a client that breaks it is told.
const RULE_USER: &str = "1 to 32 bytes of lower-case letters, digits, '.', '_' or '-'";
const RULE_ROOM: &str = "1 to 32 bytes of lower-case letters, digits, '.', '_', '-', or '/' inside";

/// The name of a user: NFKC, lower case, 1 to 32 bytes of letters, digits, `.`, `_` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(CompactString);

/// The name of a room: as a user's, with `/` allowed inside; or of a direct conversation, `@a:b`
/// with the users' names sorted by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl UserName {
    /// Takes `text` if it is a name in its one right spelling.
    ///
    /// # Errors
    ///
    /// [`NameError`] with the right spelling, if there is one near: nothing is folded silently.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text, is_user_char, RULE_USER).map(|()| Self(text.into()))
    }

    /// A name that nobody can have, where those of all are to be counted.
    #[must_use]
    pub(in crate::chat) const fn nobody() -> Self {
        Self(CompactString::const_new(""))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl RoomName {
    /// Takes `text` if it is a room's name in its one right spelling. The name of a direct
    /// conversation is one only as [`RoomName::direct`] would make it.
    ///
    /// # Errors
    ///
    /// [`NameError`] with the right spelling, if there is one near: nothing is folded silently.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(pair) = text.strip_prefix('@') {
            return Self::parse_direct(pair);
        }
        let outside = |text: &str| text.split('/').any(str::is_empty);
        match check(text, is_room_char, RULE_ROOM) {
            Ok(()) if !outside(text) => Ok(Self(text.into())),
            refused => {
                let near = refused.err().map_or_else(|| Some(text.to_owned()), |error| error.hint);
                let parts = near.iter().flat_map(|near| near.split('/'));
                let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
                let hint = Some(parts.join("/")).filter(|hint| is_right(hint, is_room_char));
                Err(NameError { expected: RULE_ROOM, hint })
            }
        }
    }

    fn parse_direct(pair: &str) -> Result<Self, NameError> {
        let expected = "a direct conversation is '@a:b', two users' names sorted by bytes";
        let refused = |hint| NameError { expected, hint };
        let (a, b) = pair.split_once(':').ok_or_else(|| refused(None))?;
        let (a, b) = (UserName::parse(a)?, UserName::parse(b)?);
        if a > b {
            return Err(refused(Some(Self::direct(&a, &b).as_str().to_owned())));
        }
        Ok(Self::direct(&a, &b))
    }

    /// The direct conversation of two users, the same whichever is named first.
    #[must_use]
    pub fn direct(one: &UserName, other: &UserName) -> Self {
        let mut text = String::new();
        Self::spell_direct(&mut text, one.as_str(), other.as_str());
        Self(text.into())
    }

    /// Writes the name of the direct conversation of two users into `out`, instead of what is
    /// there.
    pub(in crate::chat) fn spell_direct(out: &mut String, one: &str, other: &str) {
        let (a, b) = if one <= other { (one, other) } else { (other, one) };
        out.clear();
        out.extend(["@", a, ":", b]);
    }

    /// Whether this is a direct conversation.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.0.starts_with('@')
    }

    /// The two users of a direct conversation, `None` for a room.
    #[must_use]
    pub fn pair(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix('@')?.split_once(':')
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

fn is_user_char(c: char) -> bool {
    let letter_or_digit = c.is_alphanumeric() && c.to_lowercase().eq([c]);
    letter_or_digit || matches!(c, '.' | '_' | '-')
}

fn is_room_char(c: char) -> bool {
    is_user_char(c) || c == '/'
}

fn check(text: &str, allowed: fn(char) -> bool, expected: &'static str) -> Result<(), NameError> {
    if is_right(text, allowed) {
        return Ok(());
    }
    Err(NameError { expected, hint: right_spelling(text, allowed) })
}

fn is_right(text: &str, allowed: fn(char) -> bool) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    // Nearly every name is plain, which is cheaper to see.
    (1..=NAME_LEN_MAX).contains(&text.len())
        && (text.bytes().all(plain) || (text.chars().all(allowed) && is_nfkc(text)))
}

/// The nearest name to `text`: normalised, in lower case, spaces as `-`, the rest left out.
fn right_spelling(text: &str, allowed: fn(char) -> bool) -> Option<String> {
    let mut spelling = String::new();
    // Only as much is looked at as could ever become a name.
    let shown = text.chars().take(4 * NAME_LEN_MAX).nfkc().flat_map(char::to_lowercase);
    for c in shown.nfkc() {
        let c = if c == ' ' { '-' } else { c };
        if spelling.len() + c.len_utf8() > NAME_LEN_MAX {
            break;
        }
        if allowed(c) {
            spelling.push(c);
        }
    }
    is_right(&spelling, allowed).then_some(spelling)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_user(text: &str, hint: Result<(), Option<&str>>) {
        let parsed = UserName::parse(text).map(|_| ()).map_err(|error| error.hint);
        assert_eq!(parsed, hint.map_err(|hint| hint.map(str::to_owned)), "{text:?}");
    }

    #[test]
    fn a_name_in_its_right_spelling_is_taken() {
        for text in ["a", "ann", "ann.b_c-9", "jürgen", "名前", "ёж", &"x".repeat(32)] {
            check_user(text, Ok(()));
        }
    }

    #[test]
    fn another_spelling_is_refused_with_the_right_one() {
        check_user("Ann", Err(Some("ann")));
        check_user("ann b", Err(Some("ann-b")));
        check_user("ﬁsh", Err(Some("fish")));
        check_user("a\u{202e}b", Err(Some("ab")));
        check_user("a/b", Err(Some("ab")));
        check_user("e\u{301}", Err(Some("é")));
        check_user(&"x".repeat(33), Err(Some(&"x".repeat(32))));
        check_user("", Err(None));
        check_user("\0", Err(None));
        check_user("👍", Err(None));
    }

    #[test]
    fn a_room_may_have_slashes_inside_only() {
        RoomName::parse("tmp/a").unwrap();
        for text in ["/a", "a/", "a//b", "/"] {
            RoomName::parse(text).unwrap_err();
        }
        assert_eq!(RoomName::parse("a//b/").unwrap_err().hint.as_deref(), Some("a/b"));
    }

    #[test]
    fn a_direct_conversation_has_one_name() {
        let (ann, bob) = (UserName::parse("ann").unwrap(), UserName::parse("bob").unwrap());
        assert_eq!(RoomName::direct(&ann, &bob), RoomName::direct(&bob, &ann));
        assert_eq!(RoomName::parse("@ann:bob").unwrap().pair(), Some(("ann", "bob")));
        let hint = RoomName::parse("@bob:ann").unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("@ann:bob"));
        RoomName::parse("@bob").unwrap_err();
        RoomName::parse("@:").unwrap_err();
    }

    proptest! {
        #[test]
        fn a_hint_is_itself_a_name(text in "\\PC{0,40}") {
            if let Err(NameError { hint: Some(hint), .. }) = UserName::parse(&text) {
                prop_assert!(UserName::parse(&hint).is_ok(), "{text:?} {hint:?}");
            }
            if let Err(NameError { hint: Some(hint), .. }) = RoomName::parse(&text) {
                prop_assert!(RoomName::parse(&hint).is_ok(), "{text:?} {hint:?}");
            }
        }
    }
}
