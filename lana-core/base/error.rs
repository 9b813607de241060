// SPDX-License-Identifier: GPL-2.0

//! Why a request failed: an errno, a sentence that names the culprit, and the attribute at fault.

use super::name::Name;
use core::fmt::{self, Write};
pub(super) use kernel::error::code::EINVAL;
use kernel::{alloc::AllocError, prelude::*, str::Formatter};

/// The longest sentence that netlink's extended ack carries, without its final NUL.
const TEXT_MAX: usize = 79;

/// A sentence, cut where it gets too long.
pub(crate) struct Text {
    bytes: [u8; TEXT_MAX],
    len: usize,
    is_cut: bool,
}

impl Text {
    fn new(args: fmt::Arguments<'_>) -> Option<KBox<Self>> {
        let mut bytes = [0; TEXT_MAX];
        let mut to = Formatter::new(&mut bytes);
        // A text that is cut is still a text.
        let is_cut = to.write_fmt(args).is_err();
        let len = to.bytes_written().min(TEXT_MAX);
        KBox::new(Self { bytes, len, is_cut }, GFP_ATOMIC).ok()
    }

    /// What there is of the sentence.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Why a request failed. Made by [`fail!`](crate::fail).
pub struct Failure {
    pub(crate) error: Error,
    /// In a box, as many functions have several failures on their stacks. Without memory there is no text.
    pub(crate) text: Option<KBox<Text>>,
    pub(crate) culprit: Option<u32>,
}

impl Failure {
    /// A failure that says why in words.
    #[cold]
    pub fn new(error: Error, args: fmt::Arguments<'_>) -> Self {
        Self {
            error,
            text: Text::new(args),
            culprit: None,
        }
    }

    /// Whether the sentence is longer than what gets through.
    pub(crate) fn is_cut(&self) -> bool {
        self.text.as_ref().is_some_and(|text| text.is_cut)
    }

    /// Names the block that has failed, before what it says itself.
    pub(crate) fn of(self, block: &Name) -> Self {
        let Some(text) = self.text else { return self };
        let text = core::str::from_utf8(text.as_bytes()).unwrap_or_default();
        Self {
            text: Text::new(format_args!("'{block}': {text}")),
            ..self
        }
    }

    /// The sentence, for the kernel log.
    pub(crate) fn words(&self) -> &str {
        let text = self
            .text
            .as_ref()
            .map(|text| text.as_bytes())
            .unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }

    /// Names the attribute of the request that is at fault, unless that is known already.
    pub(crate) fn at(self, attribute: u32) -> Self {
        Self {
            culprit: self.culprit.or(Some(attribute)),
            ..self
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            text: None,
            culprit: None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<AllocError> for Failure {
    fn from(error: AllocError) -> Self {
        Error::from(error).into()
    }
}

/// Makes a [`Failure`](crate::base::error::Failure): an errno and a sentence, of which 79 bytes get
/// through.
#[macro_export]
macro_rules! fail {
    ($error:expr, $($text:tt)+) => {
        $crate::prelude::Failure::new($error, ::core::format_args!($($text)+))
    };
}
