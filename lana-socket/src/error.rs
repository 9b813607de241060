// SPDX-License-Identifier: GPL-2.0

//! What can go wrong.

use rustix::io::Errno;
use std::io;
use thiserror::Error as ThisError;

/// Why there is no socket, or no name for it, or no ring.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The address family is not there.
    #[error("the kernel has no LANA sockets: modprobe fb_pflana")]
    NotLoaded,
    /// A name that no block can have.
    #[error("a block cannot be called '{0}'")]
    Name(String),
    /// The kernel said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What lies in the ring is not what the header describes.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        io::Error::from(errno).into()
    }
}

/// What is wrong with the memory of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[error("the ring is corrupt at {position}: {what}")]
pub struct Corrupt {
    /// Where, in bytes since the ring was made.
    pub position: u64,
    /// What.
    pub what: &'static str,
}
