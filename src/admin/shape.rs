//! What a JSON value looks like, as data: the documents of the API are made of it.
//!
//! [`shapes`] defines a struct that serde reads or writes together with its [`Shape`], so that the
//! two cannot differ.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;

/// The kind of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number within bounds.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of values of a kind, with at least and at most so many.
    List(&'static Self, usize, usize),
    /// An object.
    Object(&'static Shape),
    /// Whatever JSON can say.
    Any,
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key in the JSON object.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// In a request it may be missing, in an answer it may be `null`.
    pub is_optional: bool,
    /// In an answer it may be missing.
    pub may_lack: bool,
    /// What it means.
    pub about: &'static str,
}

/// An object.
#[derive(Debug)]
pub struct Shape {
    /// Its name among all.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its members, in order.
    pub fields: &'static [Field],
}

/// A type of which the kind is known.
pub trait Described {
    /// The kind of its values.
    const KIND: Kind;
    /// Whether there may be none.
    const IS_OPTIONAL: bool = false;
    /// Whether it is left out of an answer where there is none.
    const MAY_LACK: bool = false;
}

/// The largest number that every reader of JSON takes for what it is.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

impl Described for u64 {
    const KIND: Kind = Kind::Number(0, NUMBER_MAX);
}

impl Described for bool {
    const KIND: Kind = Kind::Flag;
}

impl Described for String {
    const KIND: Kind = Kind::Text;
}

impl Described for &str {
    const KIND: Kind = Kind::Text;
}

impl Described for Box<RawValue> {
    const KIND: Kind = Kind::Any;
}

impl<T: Described> Described for Option<T> {
    const KIND: Kind = T::KIND;
    const IS_OPTIONAL: bool = true;
}

/// What is left out of an answer where there is none.
#[derive(Debug, serde::Serialize)]
pub struct Lacking<T>(pub Option<T>);

impl<T: Described> Described for Lacking<T> {
    const KIND: Kind = T::KIND;
    const MAY_LACK: bool = true;
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> Described for Whole<MIN, MAX> {
    const KIND: Kind = Kind::Number(MIN, MAX);
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            return Ok(Self(number));
        }
        Err(D::Error::custom(format_args!("must be a number between {MIN} and {MAX}")))
    }
}

/// A list of texts, with at least and at most so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several<const MIN: usize, const MAX: usize>(pub Vec<String>);

impl<const MIN: usize, const MAX: usize> Described for Several<MIN, MAX> {
    const KIND: Kind = Kind::List(&Kind::Text, MIN, MAX);
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Several<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&texts.len()) {
            return Ok(Self(texts));
        }
        Err(D::Error::custom(format_args!("must be a list of {MIN} to {MAX} texts")))
    }
}

impl<T: Described> Described for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND, 0, usize::MAX);
}

/// Defines objects of a `request` or a `response`, each with its shape.
macro_rules! shapes {
    (@derive request $($item:tt)*) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $($item)*
    };
    (@derive response $($item:tt)*) => {
        #[derive(Debug, serde::Serialize)]
        $($item)*
    };
    ($(
        $(#[doc = $about:literal])+
        $way:ident $name:ident $(<$life:lifetime>)? {
            $($(#[doc = $field_about:literal])+ $field:ident: $type:ty,)*
        }
    )*) => {$(
        $crate::admin::shape::shapes! { @derive $way
            $(#[doc = $about])+
            pub struct $name $(<$life>)? {
                $($(#[doc = $field_about])+ pub $field: $type,)*
            }
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// What it looks like.
            pub const SHAPE: &'static $crate::admin::shape::Shape = &$crate::admin::shape::Shape {
                name: stringify!($name),
                about: concat!($($about),+),
                fields: &[$($crate::admin::shape::Field {
                    name: stringify!($field),
                    kind: <$type as $crate::admin::shape::Described>::KIND,
                    is_optional: <$type as $crate::admin::shape::Described>::IS_OPTIONAL,
                    may_lack: <$type as $crate::admin::shape::Described>::MAY_LACK,
                    about: concat!($($field_about),+),
                },)*],
            };
        }

        impl $(<$life>)? $crate::admin::shape::Described for $name $(<$life>)? {
            const KIND: $crate::admin::shape::Kind = $crate::admin::shape::Kind::Object(Self::SHAPE);
        }
    )*};
}

/// Defines a text that is one of a few words.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident => $word:literal,)+ })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $crate::admin::shape::Described for $name {
            const KIND: $crate::admin::shape::Kind = $crate::admin::shape::Kind::Word(&[$($word),+]);
        }
    )*};
}

pub(super) use {shapes, words};
