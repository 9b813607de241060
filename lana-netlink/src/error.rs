// SPDX-License-Identifier: GPL-2.0

//! What can go wrong in a conversation with the kernel.

use crate::{
    refusal::Refusal,
    wire::{DecodeError, EncodeError},
};
use std::io;
use thiserror::Error;

/// Why a request has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The family is not there.
    #[error("lana is not loaded (modprobe lana)")]
    NotLoaded,
    /// The family was there and has gone.
    #[error("lana was unloaded")]
    Unloaded,
    /// The kernel said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The graph changed every time it was read.
    #[error("the graph keeps changing while it is read")]
    Unsettled,
    /// The kernel does not show all of a block.
    #[error("block '{block}' cannot be read whole: {why}")]
    Incomplete {
        /// Which.
        block: String,
        /// What is missing, and why.
        why: &'static str,
    },
    /// The socket failed.
    #[error("netlink socket: {}", errno_text(.0))]
    Socket(io::Error),
    /// We do not understand the answer.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The request cannot be put into a message.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The answer to a question for one thing was not one thing.
    #[error("the kernel sent {0} answers where one was expected")]
    Answers(usize),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(Box::new(refusal))
    }
}

/// The text of an error number, without the number that `std` puts behind it.
pub fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_error_has_no_number() {
        let error = Error::Socket(io::Error::from_raw_os_error(105));
        assert_eq!(
            error.to_string(),
            "netlink socket: No buffer space available"
        );
    }
}
