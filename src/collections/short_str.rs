//! A text that is mostly short.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Bytes of the longest text that lies in its place.
const SHORT_MAX: usize = 22;

/// A text that never changes, of which there are very many, most of them short: in 24 bytes, and only one
/// of more than 22 bytes takes memory besides, which its clones share.
#[derive(Clone, PartialEq, Eq)]
pub struct ShortStr(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    /// The bytes behind the length are 0.
    Short {
        len: u8,
        bytes: [u8; SHORT_MAX],
    },
    Long(Arc<str>),
}

impl ShortStr {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Inner::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Inner::Long(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Inner::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Inner::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for ShortStr {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Inner::Short { len, bytes })
            }
            _ => Self(Inner::Long(text.into())),
        }
    }
}

/// By bytes, as texts are compared.
impl Ord for ShortStr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for ShortStr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_of_any_length_compare_as_texts_do(a in "[ab€]{0,30}", b in "[ab€]{0,30}") {
            let (short_a, short_b) = (ShortStr::from(&*a), ShortStr::from(&*b));
            prop_assert_eq!((short_a.as_str(), short_b.as_str()), (&*a, &*b));
            prop_assert_eq!(short_a.cmp(&short_b), a.cmp(&b));
            prop_assert_eq!(short_a == short_b, a == b);
        }
    }

    #[test]
    fn a_text_of_22_bytes_lies_in_its_place() {
        let lies = |len: usize| matches!(ShortStr::from(&*"x".repeat(len)).0, Inner::Short { .. });
        assert_eq!((lies(0), lies(22), lies(23)), (true, true, false));
        assert_eq!(size_of::<ShortStr>(), 24);
    }
}
