// SPDX-License-Identifier: GPL-2.0

//! Automatic repeat request between two ends: all of `reliable` that does not depend on the kernel. Times are in
//! nanoseconds of any clock that does not go back.

pub(crate) mod end;
pub(crate) mod header;
pub(crate) mod receiver;
pub(crate) mod rtt;
pub(crate) mod sender;

#[cfg(test)]
mod tests;

/// What lists are made of, and hashes: here and where the tests run.
pub(crate) use super::{HashKey, List};

/// So many packets are between the oldest that waits and the newest, at most. A power of two.
pub(crate) const MOST: u32 = 1024;

/// A time that does not come.
pub(crate) const NEVER: u64 = u64::MAX;

/// What the options of the block allow.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How many packets may be kept that are not acknowledged.
    pub(crate) window: u32,
    /// How many bytes may be kept: here of what was sent, and there of what has come too early.
    pub(crate) bytes: u64,
    /// How much later than usual an acknowledgement is at least, and after how long it is at most, when a packet is sent
    /// again.
    pub(crate) rto: (u64, u64),
    /// How many times a packet is sent again before it is given up.
    pub(crate) retries: u8,
    /// How long an acknowledgement may wait for a packet that takes it along.
    pub(crate) ack_delay: u64,
    /// How long packets wait for one that is missing.
    pub(crate) timeout: u64,
}

/// Numbers of packets in the place of each other: which slot of a ring is that of a packet.
fn slot(sequence: u32) -> usize {
    (sequence & MOST.wrapping_sub(1)) as usize
}

/// Whether one number comes before another one, where numbers begin anew after the largest.
fn is_before(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) < 0
}
