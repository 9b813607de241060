// SPDX-License-Identifier: GPL-2.0

//! The reasons for a drop, which C gives and gets as numbers.

use super::bindings;

/// Why a packet was dropped; `drop-reason` of the netlink specification.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DropReason {
    /// The block's own rule said so.
    Filtered = bindings::LANA_DROP_REASON_FILTERED,
    /// The port it was to leave by has no peer.
    Unbound = bindings::LANA_DROP_REASON_UNBOUND,
    /// It passed more blocks than a packet may.
    HopLimit = bindings::LANA_DROP_REASON_HOP_LIMIT,
    /// The walk it belongs to made more packets than it may.
    Backlog = bindings::LANA_DROP_REASON_BACKLOG,
    /// Too short, or its lengths contradict each other.
    Malformed = bindings::LANA_DROP_REASON_MALFORMED,
    /// Longer than the device's MTU.
    TooBig = bindings::LANA_DROP_REASON_TOO_BIG,
    /// The device is down or refused it.
    Device = bindings::LANA_DROP_REASON_DEVICE,
    /// An allocation failed.
    NoMemory = bindings::LANA_DROP_REASON_NO_MEMORY,
    /// The socket has not read what came before.
    QueueFull = bindings::LANA_DROP_REASON_QUEUE_FULL,
    /// The Ethernet address of its next hop is not known.
    Unresolved = bindings::LANA_DROP_REASON_UNRESOLVED,
    /// Its TTL or hop limit was used up.
    TtlExpired = bindings::LANA_DROP_REASON_TTL_EXPIRED,
}

impl DropReason {
    /// All of them, by number.
    pub(crate) const ALL: [Self; 11] = [
        Self::Filtered,
        Self::Unbound,
        Self::HopLimit,
        Self::Backlog,
        Self::Malformed,
        Self::TooBig,
        Self::Device,
        Self::NoMemory,
        Self::QueueFull,
        Self::Unresolved,
        Self::TtlExpired,
    ];

    /// The reason of a number; of none, what C says in doubt.
    pub(crate) fn from_wire(number: u32) -> Self {
        Self::ALL
            .get(number as usize)
            .copied()
            .unwrap_or(Self::Device)
    }
}
