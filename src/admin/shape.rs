//! What a JSON value looks like, as data: the documents of the API are made of it.
//!
//! [`shapes`] defines a struct that serde reads or writes together with its [`Shape`], so that the
//! two cannot differ.

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
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// In a request it may be missing, in an answer it may be `null`.
    pub is_optional: bool,
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

impl<T: Described> Described for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND, 0, usize::MAX);
}

/// Defines objects of requests (`asked`) and of answers (`told`), each with its shape.
macro_rules! shapes {
    (@derive asked $($item:tt)*) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $($item)*
    };
    (@derive told $($item:tt)*) => {
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
