// SPDX-License-Identifier: GPL-2.0

//! What TCP sends, and what it sends again.

use super::List;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much of the header of TCP is looked at: up to the flags.
pub(crate) const TCP: usize = 14;

/// What a packet of TCP sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The sequence number behind it.
    pub(crate) end: u32,
    /// How many bytes it has; SYN and FIN count as one each.
    pub(crate) length: u32,
    /// A connection begins with it.
    pub(crate) begins: bool,
}

impl Segment {
    /// That of a packet whose header of TCP this is, which is `total` bytes long with what it carries. None if it carries
    /// nothing.
    pub(crate) fn read(head: &[u8; TCP], total: usize) -> Option<Self> {
        let [_, _, _, _, s0, s1, s2, s3, _, _, _, _, offset, flags] = *head;
        let header = usize::from(offset >> 4).wrapping_mul(4);
        let data = u32::try_from(total.checked_sub(header)?).ok()?;
        let (fin, syn, reset) = (flags & 1, flags >> 1 & 1, flags & 4 != 0);
        let length = data.checked_add(fin.wrapping_add(syn).into())?;
        (length > 0 && !reset).then_some(Self {
            end: u32::from_be_bytes([s0, s1, s2, s3]).wrapping_add(length),
            length,
            begins: syn != 0,
        })
    }
}

/// Bytes of TCP. SYN and FIN count as a byte each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// All of them.
    pub(crate) data: u64,
    /// Those of them that had been sent before.
    pub(crate) retransmitted: u64,
}

impl Carried {
    /// Both.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            data: self.data.wrapping_add(more.data),
            retransmitted: self.retransmitted.wrapping_add(more.retransmitted),
        }
    }

    /// What was counted since then.
    pub(crate) fn less(self, then: Self) -> Self {
        Self {
            data: self.data.wrapping_sub(then.data),
            retransmitted: self.retransmitted.wrapping_sub(then.retransmitted),
        }
    }

    /// The part that was sent again, in thousandths.
    pub(crate) fn lost(self) -> u64 {
        let scaled = self.retransmitted.saturating_mul(1000);
        scaled.checked_div(self.data).unwrap_or(0)
    }
}

/// How far connections of TCP have come: the end of what each has sent, by the hash of its session. Of two that have the
/// same place one is forgotten.
pub(crate) struct Ends(List<AtomicU64>);

impl Ends {
    /// Of as many places as are in the list: a power of two, or none.
    pub(crate) fn new(places: List<AtomicU64>) -> Self {
        Self(places)
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.0.len()
    }

    /// What a segment of a connection carries, which is on its way now.
    pub(crate) fn carry(&self, hash: u64, segment: &Segment) -> Carried {
        let mask = self.0.len().wrapping_sub(1);
        let Some(place) = self.0.get(hash as usize & mask) else {
            return Carried::default();
        };
        let (tag, was) = (hash & !u64::from(u32::MAX), place.load(Relaxed));
        // How much further it goes than what was sent before. Half of all numbers are behind.
        let further = segment.end.wrapping_sub(was as u32);
        let is_known = was & !u64::from(u32::MAX) == tag;
        let fresh = match (is_known, segment.begins) {
            // Where a connection begins is anywhere.
            (true, true) if further == 0 => 0,
            (true, false) if further > u32::MAX / 2 => 0,
            (true, false) => further,
            _ => u32::MAX,
        };
        if fresh > 0 {
            place.store(tag | u64::from(segment.end), Relaxed);
        }
        Carried {
            data: segment.length.into(),
            retransmitted: segment.length.saturating_sub(fresh).into(),
        }
    }
}
