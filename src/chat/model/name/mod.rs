//! Names of users and rooms: what is one, what the right spelling would be, and what looks like it.
//!
//! The [`rules`] bind names that are new. A name that is stored stays usable, also one that the
//! rules of its time allowed and today's do not.

mod rules;
mod skeleton;

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use self::rules::Kind;
pub(in crate::chat) use self::skeleton::Names;
pub use self::skeleton::{other_form, skeleton};

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

/// The name of a user: NFKC, lower case, 1 to 32 bytes of letters, digits, `.`, `_` and `-`, by the
/// [`rules`].
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
        rules::check(text, Kind::User).map(|()| Self(text.into()))
    }

    /// Takes `text` if it is a name, or was one when it was stored.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        rules::is_stored(text, Kind::User).then(|| Self(text.into()))
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
        rules::check(text, Kind::Room).map(|()| Self(text.into()))
    }

    /// Takes `text` if it is a name, or was one when it was stored.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(pair) => Self::parse_direct(pair).ok(),
            None => rules::is_stored(text, Kind::Room).then(|| Self(text.into())),
        }
    }

    fn parse_direct(pair: &str) -> Result<Self, NameError> {
        let expected = "a direct conversation is '@a:b', two users' names sorted by bytes";
        let (a, b) = pair.split_once(':').ok_or(NameError { expected, hint: None })?;
        // Both may be stored; who of them is new is checked where the conversation is made.
        let user = |name| UserName::stored(name).map_or_else(|| UserName::parse(name), Ok);
        let (a, b) = (user(a), user(b));
        let wrong = a.as_ref().err().or_else(|| b.as_ref().err());
        let expected = wrong.map_or(expected, |error| error.expected);
        // Of the whole: what would be right for one of the two is no conversation.
        let near = |user: Result<UserName, NameError>| {
            user.map_or_else(|error| UserName::parse(&error.hint?).ok(), Some)
        };
        let direct = near(a).zip(near(b)).map(|(a, b)| Self::direct(&a, &b));
        match direct {
            Some(direct) if direct.as_str().strip_prefix('@') == Some(pair) => Ok(direct),
            near => Err(NameError { expected, hint: near.map(|near| near.as_str().to_owned()) }),
        }
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

    /// Whether this is what [`RoomName::spell_direct`] writes for these two.
    pub(in crate::chat) fn is_of(&self, one: &str, other: &str) -> bool {
        let (a, b) = if one <= other { (one, other) } else { (other, one) };
        let rest = self.0.strip_prefix('@').and_then(|name| name.strip_prefix(a));
        rest.and_then(|rest| rest.strip_prefix(':')) == Some(b)
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

    /// The other one of a direct conversation in which `user` is, `None` for a room.
    #[must_use]
    pub fn other_than(&self, user: &UserName) -> Option<&str> {
        self.pair().map(|(a, b)| if a == user.as_str() { b } else { a })
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
        let direct = RoomName::direct(&ann, &bob);
        assert!(direct.is_of("ann", "bob") && direct.is_of("bob", "ann"));
        for (one, other) in [("ann", "bo"), ("an", "bob"), ("ann", "ann"), ("ann", "bobo")] {
            assert!(!direct.is_of(one, other), "{one} {other}");
        }
        for (text, hint) in
            [("@bob:ann", Some("@ann:bob")), ("@Bob:ann", Some("@ann:bob")), ("@[.:", None)]
        {
            assert_eq!(RoomName::parse(text).unwrap_err().hint.as_deref(), hint, "{text}");
        }
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
