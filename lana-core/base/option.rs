// SPDX-License-Identifier: GPL-2.0

//! Options of blocks. A block declares each once, by [`options!`](crate::options): its key, its type, what a new block
//! has, and what it does. From that come its values, the errors, what is shown, and what `fbctl types` and completions
//! list.

use super::{
    address::{Address, Mac, Prefix, Unicast},
    error::{Failure, EINVAL},
    port::Direction,
    units,
};
use crate::fail;
use core::fmt;

/// What an option can be set to. As text it is what an error says, and what a list of options shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A number from the first to the second, both included.
    Range(u64, u64),
    /// Bits a second, from the first to the second.
    Rate(u64, u64),
    /// Nanoseconds, from the first to the second.
    Time(u64, u64),
    /// Bytes, from the first to the second.
    Size(u64, u64),
    /// A share of the packets.
    Share,
    /// A text of this form.
    Text(&'static str),
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Words(words) => {
                for (index, word) in words.iter().enumerate() {
                    f.write_str(match words.len().saturating_sub(index) {
                        _ if index == 0 => "",
                        1 => " or ",
                        _ => ", ",
                    })?;
                    f.write_str(word)?;
                }
                Ok(())
            }
            Self::Range(0, u64::MAX) => f.write_str("a number"),
            Self::Range(least, u64::MAX) => write!(f, "a number from {least} on"),
            Self::Range(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Rate(least, most) => {
                let (least, most) = (units::Rate(least), units::Rate(most));
                write!(f, "a rate from {least} to {most}")
            }
            Self::Time(0, most) => write!(f, "a time such as 10ms, at most {}", units::Time(most)),
            Self::Time(least, most) => {
                let (least, most) = (units::Time(least), units::Time(most));
                write!(f, "a time from {least} to {most}")
            }
            Self::Size(0, most) => {
                write!(
                    f,
                    "bytes, or a size such as 32kb, at most {}",
                    units::Size(most)
                )
            }
            Self::Size(least, most) => {
                let (least, most) = (units::Size(least), units::Size(most));
                write!(f, "bytes, or a size, from {least} to {most}")
            }
            Self::Share => f.write_str("a share of the packets such as 0.5%"),
            Self::Text(form) => f.write_str(form),
        }
    }
}

/// What a new block has for an option.
#[derive(Clone, Copy)]
pub enum Initial {
    /// This text; empty for none.
    Text(&'static str),
    /// What this writes.
    Written(fn(&mut fmt::Formatter<'_>) -> fmt::Result),
}

impl fmt::Display for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Written(write) => write(f),
        }
    }
}

/// An option of a type: what can be set, and what is shown of it before any block is there.
#[derive(Clone, Copy)]
pub struct OptionSpec {
    /// What it is called. A part `N`, as in `port.N.weight`, stands for a number; `N+` is one with a plus behind it.
    pub key: &'static str,
    /// What it can be set to. An empty value is for the default, with any option.
    pub values: Values,
    /// What a new block has.
    pub default: Initial,
    /// What it does, in a line.
    pub doc: &'static str,
}

impl OptionSpec {
    /// Those of two lists, `N` in all; for a block with options of its own and of its ports.
    pub const fn all<const N: usize>(first: &[Self], second: &[Self]) -> [Self; N] {
        let mut all = [Self::text("", "", ""); N];
        let mut to: &mut [Self] = &mut all;
        let (mut rest, mut next) = (first, second);
        while let Some((place, places)) = to.split_first_mut() {
            (*place, rest) = match (rest.split_first(), next.split_first()) {
                (Some((option, rest)), _) => (*option, rest),
                (None, Some((option, rest))) => {
                    next = &[];
                    (*option, rest)
                }
                (None, None) => return all,
            };
            to = places;
        }
        all
    }

    /// One whose text the block reads itself, and that a new block does not have.
    pub const fn text(key: &'static str, form: &'static str, doc: &'static str) -> Self {
        Self {
            key,
            values: Values::Text(form),
            default: Initial::Text(""),
            doc,
        }
    }

    /// Whether it is the option that is called `key`.
    pub(crate) fn is(&self, key: &str) -> bool {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |(own, part): (&str, &str)| {
            let behind = own.strip_prefix('N');
            let number = behind.and_then(|behind| part.strip_suffix(behind));
            own == part || number.is_some_and(is_number)
        };
        let parts = || Iterator::zip(self.key.split('.'), key.split('.'));
        self.key.split('.').count() == key.split('.').count() && parts().all(fits)
    }
}

/// The type of an option: what its text means.
pub trait Value: Copy + PartialEq {
    /// Its values.
    const VALUES: Values;
    /// The value that a text is for, which has no space around it; none where it is none.
    fn parse(text: &str) -> Option<Self>;
    /// Writes the text of the value, from which it can be read again.
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A value, to be written.
pub struct Shown<T>(pub T);

impl<T: Value> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

/// Reads the value of an option, of which an empty one is for the default. The failure says what the values are.
pub fn read<T: Value>(key: &str, value: &[u8], default: T) -> Result<T, Failure> {
    let text = core::str::from_utf8(value).map_err(|_| fail!(EINVAL, "{key}: not a text"))?;
    match text.trim() {
        "" => Ok(default),
        text => T::parse(text).ok_or_else(|| fail!(EINVAL, "{key}: {}", T::VALUES)),
    }
}

/// An option that can be absent, which has an empty text.
impl<T: Value> Value for Option<T> {
    const VALUES: Values = T::VALUES;
    fn parse(text: &str) -> Option<Self> {
        T::parse(text).map(Some)
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map_or(Ok(()), |value| value.write(f))
    }
}

impl Value for bool {
    const VALUES: Values = Values::Words(&["on", "off"]);
    fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self { "on" } else { "off" })
    }
}

/// Declares the type of a quantity from `LEAST` to `MOST`.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $values:path, $parse:path, $shown:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<const LEAST: u64, const MOST: u64>(pub u64);

        impl<const LEAST: u64, const MOST: u64> Value for $name<LEAST, MOST> {
            const VALUES: Values = $values(LEAST, MOST);
            fn parse(text: &str) -> Option<Self> {
                $parse(text).filter(|value| (LEAST..=MOST).contains(value)).map(Self)
            }
            fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&$shown(self.0), f)
            }
        }
    };
}

quantity! {
    /// A number, such as `1000`.
    Number, Values::Range, units::whole, core::convert::identity
}
quantity! {
    /// Bits a second, such as `10mbit`.
    Rate, Values::Rate, units::rate, units::Rate
}
quantity! {
    /// Nanoseconds, such as `1.5ms`.
    Time, Values::Time, units::time, units::Time
}
quantity! {
    /// Bytes, such as `1500` or `32kb`.
    Size, Values::Size, units::size, units::Size
}

/// A share of the packets in billionths, such as `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u64);

impl Value for Share {
    const VALUES: Values = Values::Share;
    fn parse(text: &str) -> Option<Self> {
        units::share(text).map(Self)
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&units::Share(self.0), f)
    }
}

/// Makes types of options of what is read and shown elsewhere: by a function from the text, and by `Display`. The text says
/// what the values are.
#[macro_export]
macro_rules! texts {
    ($($name:ident: $read:expr, $form:literal;)*) => { $(
        impl $crate::prelude::option::Value for $name {
            const VALUES: $crate::prelude::option::Values =
                $crate::prelude::option::Values::Text($form);
            fn parse(text: &str) -> ::core::option::Option<Self> {
                $read(text)
            }
            fn write(self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self, f)
            }
        }
    )* };
}

texts! {
    Mac: Self::parse, "a MAC address such as 02:00:00:00:00:01";
    Unicast: Self::parse, "a unicast MAC address such as 02:00:00:00:00:01";
    Address: Self::parse, "an IPv4 or IPv6 address";
    Prefix: |text| Self::parse(text).ok(), "an address or prefix of IPv4 or IPv6";
}

/// Declares a type whose values are words.
#[macro_export]
macro_rules! words {
    (
        $(#[$attr:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$doc:meta])* $value:ident = $word:literal ),* $(,)?
        }
    ) => {
        $(#[$attr])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[$doc])* $value ),*
        }

        impl $crate::prelude::option::Value for $name {
            const VALUES: $crate::prelude::option::Values =
                $crate::prelude::option::Values::Words(&[$($word),*]);
            fn parse(text: &str) -> ::core::option::Option<Self> {
                match text {
                    $( $word => ::core::option::Option::Some(Self::$value), )*
                    _ => ::core::option::Option::None,
                }
            }
            fn write(self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(match self { $( Self::$value => $word ),* })
            }
        }
    };
}

words! {
    /// The packets that an option is about, by their direction.
    pub enum Directions {
        /// Those that come from a device.
        Ingress = "ingress",
        /// Those that go to one.
        Egress = "egress",
        /// All.
        Both = "both",
    }
}

impl Directions {
    /// Whether packets in this direction are among them.
    #[inline]
    pub fn include(self, direction: Direction) -> bool {
        match self {
            Self::Both => true,
            Self::Ingress => direction == Direction::Ingress,
            Self::Egress => direction == Direction::Egress,
        }
    }
}

/// Declares the options of a block: a struct of their values, each with its text, its type, and what a new block has.
/// The text is the line that lists of options show. The key is the field's name, unless another stands behind `as`.
/// Options whose text the block reads itself come first, each as a whole [`OptionSpec`] behind `..`.
///
/// The struct has `OPTIONS`, for [`Block::OPTIONS`](crate::prelude::Block::OPTIONS), `DEFAULT`, and two functions:
/// `with(key, value)` makes one with another value, where it has an option of this key; `put(to)` tells those that a
/// new block does not have.
#[macro_export]
macro_rules! options {
    (
        $(#[$attr:meta])*
        $vis:vis struct $name:ident {
            $( .. $other:expr, )*
            $(
                #[doc = $doc:literal]
                $field:ident $(as $key:literal)? : $kind:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        $(#[$attr])*
        #[derive(Clone, Copy, PartialEq)]
        $vis struct $name {
            $( #[doc = $doc] $vis $field: $kind, )*
        }

        impl $name {
            /// What a new block has.
            $vis const DEFAULT: Self = Self { $( $field: $default, )* };
            /// All options.
            $vis const OPTIONS: &'static [$crate::prelude::OptionSpec] = &[
                $( $other, )*
                $( $crate::prelude::OptionSpec {
                    key: $crate::options!(@key $field $($key)?),
                    values: <$kind as $crate::prelude::option::Value>::VALUES,
                    default: $crate::prelude::Initial::Written(|f| {
                        $crate::prelude::option::Value::write($name::DEFAULT.$field, f)
                    }),
                    doc: $doc.trim_ascii(),
                }, )*
            ];

            /// These with another value; an empty one is for the default. None where there is no such option.
            $vis fn with(
                mut self,
                key: &str,
                value: &[u8],
            ) -> ::core::option::Option<::core::result::Result<Self, $crate::prelude::Failure>> {
                let read = match key {
                    $( $crate::options!(@key $field $($key)?) => {
                        $crate::prelude::option::read(key, value, Self::DEFAULT.$field)
                            .map(|value| self.$field = value)
                    } )*
                    _ => return ::core::option::Option::None,
                };
                ::core::option::Option::Some(read.map(|()| self))
            }

            /// Tells those that a new block does not have.
            $vis fn put(&self, to: &mut dyn $crate::prelude::Options) {
                $( if self.$field != Self::DEFAULT.$field {
                    let value = $crate::prelude::option::Shown(self.$field);
                    to.put_config(
                        $crate::options!(@key $field $($key)?),
                        ::core::format_args!("{value}"),
                    );
                } )*
            }
        }
    };
    (@key $field:ident) => { ::core::stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}
