// SPDX-License-Identifier: GPL-2.0

//! A datagram of which some fragments are there. What is taken, and what ends it all, is what Linux takes
//! (`net/ipv4/ip_fragment.c`, `net/ipv6/reassembly.c`): overlapping fragments end it (RFC 5722), duplicates are ignored.

use super::{append, checksum, header::Fragment, push, room, List};

/// The longest datagram: header and data of IPv4, data and extension headers of IPv6.
const LONGEST: u32 = 65_535;

/// How many stretches without a gap a datagram may consist of.
const RUNS: usize = 256;

/// What a fragment costs beside its data.
const COST: u32 = 128;

/// Why a fragment goes nowhere. All but a duplicate take their datagram along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Duplicate,
    Overlap,
    /// It contradicts others, or the datagram would be too long.
    Invalid,
    Full,
    NoMemory,
}

/// The data of a fragment. They are in order.
struct Piece {
    offset: u32,
    data: List<u8>,
}

/// Bytes without a gap, as fragments came that continue the last one. They are in order.
#[derive(Clone, Copy)]
struct Run {
    offset: u32,
    end: u32,
}

pub(crate) struct Datagram {
    fragment: Fragment,
    pub(crate) since: u64,
    pieces: List<Piece>,
    runs: List<Run>,
    /// The first fragment, and what is in front of its data.
    first: Option<(Fragment, List<u8>)>,
    len: u32,
    has_last: bool,
    meat: u32,
    /// A bit for each value of ECN that was seen.
    ecn: u8,
    longest: u32,
    longest_df: u32,
    /// What it costs.
    pub(crate) cost: u32,
}

fn copy(bytes: &[u8]) -> Option<List<u8>> {
    let mut list = room(bytes.len())?;
    append(&mut list, bytes).then_some(list)
}

impl Datagram {
    /// That of a fragment, which is not in it yet.
    pub(crate) fn new(fragment: &Fragment, now: u64) -> Self {
        Self {
            fragment: *fragment,
            since: now,
            pieces: List::new(),
            runs: List::new(),
            first: None,
            len: 0,
            has_last: false,
            meat: 0,
            ecn: 0,
            longest: 0,
            longest_df: 0,
            cost: COST,
        }
    }

    /// The fragment that it began with.
    pub(crate) fn first_seen(&self) -> &Fragment {
        &self.fragment
    }

    pub(crate) fn is_of(&self, fragment: &Fragment) -> bool {
        self.fragment.key == fragment.key
    }

    /// What a fragment with so many bytes costs.
    pub(crate) fn cost_of(bytes: usize) -> u32 {
        (bytes as u32).saturating_add(COST)
    }

    /// Takes a fragment, of a packet of these bytes. Says whether the datagram is whole now.
    pub(crate) fn add(&mut self, fragment: &Fragment, bytes: &[u8]) -> Result<bool, Why> {
        let (begin, end) = fragment.data;
        let data = bytes.get(begin..end).ok_or(Why::Invalid)?;
        let offset = fragment.offset;
        let mut end = offset.saturating_add(data.len() as u32);
        if fragment.key.is_v6 && (end > LONGEST || (fragment.more && end & 7 != 0)) {
            return Err(Why::Invalid);
        }
        if fragment.more {
            end &= !7;
            if end > self.len {
                if self.has_last {
                    return Err(Why::Invalid);
                }
                self.len = end;
            }
        } else {
            if end < self.len || (self.has_last && end != self.len) {
                return Err(Why::Invalid);
            }
            (self.has_last, self.len) = (true, end);
        }
        if end == offset {
            return Err(Why::Invalid);
        }
        let size = end.saturating_sub(offset);
        let data = data.get(..size as usize).ok_or(Why::Invalid)?;
        self.run(offset, end)?;
        let data = copy(data).ok_or(Why::NoMemory)?;
        let mut next = Piece { offset, data };
        for piece in &mut self.pieces {
            if next.offset < piece.offset {
                core::mem::swap(piece, &mut next);
            }
        }
        if !push(&mut self.pieces, next) {
            return Err(Why::NoMemory);
        }
        if offset == 0 {
            let head = bytes.get(..fragment.head_end).and_then(copy);
            self.first = Some((*fragment, head.ok_or(Why::NoMemory)?));
        }
        self.meat = self.meat.saturating_add(size);
        self.ecn |= 1u8.wrapping_shl(fragment.ecn.into());
        let head = fragment.head_end.saturating_sub(fragment.network) as u32;
        let whole = size.saturating_add(head);
        self.longest = self.longest.max(whole);
        if fragment.df {
            self.longest_df = self.longest_df.max(whole);
        }
        self.cost = self.cost.saturating_add(Self::cost_of(size as usize));
        Ok(self.first.is_some() && self.has_last && self.meat == self.len)
    }

    /// Notes that the bytes from `offset` to `end` are there.
    fn run(&mut self, offset: u32, end: u32) -> Result<(), Why> {
        // What continues the last run is the common case.
        if let Some(last) = self.runs.last_mut() {
            if offset == last.end {
                last.end = end;
                return Ok(());
            }
        }
        let meets = |run: &&Run| offset < run.end && run.offset < end;
        if let Some(run) = self.runs.iter().find(meets) {
            let is_inside = run.offset <= offset && end <= run.end;
            return Err(if is_inside {
                Why::Duplicate
            } else {
                Why::Overlap
            });
        }
        if self.runs.len() >= RUNS {
            return Err(Why::Full);
        }
        let mut next = Run { offset, end };
        for run in &mut self.runs {
            if next.offset < run.offset {
                core::mem::swap(run, &mut next);
            }
        }
        push(&mut self.runs, next)
            .then_some(())
            .ok_or(Why::NoMemory)
    }

    /// The value of ECN for the datagram; none if the fragments contradict each other (RFC 3168, 5.3).
    fn congestion(&self) -> Option<u8> {
        const NOT: u8 = 1;
        const CE: u8 = 8;
        let mixed = self.ecn & NOT != 0 && self.ecn != NOT;
        let was_noticed = self.ecn & CE != 0 && self.ecn != CE;
        (!mixed).then_some(if was_noticed { 3 } else { 0 })
    }

    /// The whole datagram, with what is in front of it in the first fragment, behind these bytes: the MAC addresses and,
    /// if there is one, the tag that stood beside the packet.
    pub(crate) fn whole(&self, link: &[u8]) -> Result<List<u8>, Why> {
        let (first, head) = self.first.as_ref().ok_or(Why::Invalid)?;
        let ecn = self.congestion().ok_or(Why::Invalid)?;
        let header_len = first.head_end.saturating_sub(first.network) as u32;
        let total = header_len.saturating_add(self.len);
        // IPv6 does not count its own header.
        let length = if first.key.is_v6 {
            total.saturating_sub(40)
        } else {
            total
        };
        if length > LONGEST {
            return Err(Why::Invalid);
        }
        let network = first.network.saturating_sub(12).saturating_add(link.len());
        let data = network.saturating_add(header_len as usize);
        let size = data.saturating_add(self.len as usize);
        let mut whole = room(size).ok_or(Why::NoMemory)?;
        let front = head.get(12..).unwrap_or_default();
        if !append(&mut whole, link) || !append(&mut whole, front) {
            return Err(Why::NoMemory);
        }
        // The pieces meet without a gap, so in order they are the data.
        for piece in &self.pieces {
            if !append(&mut whole, &piece.data) {
                return Err(Why::NoMemory);
            }
        }
        let header = whole.get_mut(network..data).ok_or(Why::Invalid)?;
        let length = (length as u16).to_be_bytes();
        if let Some((next_at, next)) = first.next {
            let at = next_at.saturating_sub(first.network);
            if let Some(kind) = header.get_mut(at) {
                *kind = next;
            }
            put(header, 4, length);
            if let Some(class) = header.get_mut(1) {
                *class |= ecn << 4;
            }
        } else {
            put(header, 2, length);
            let df = self.longest_df == self.longest;
            put(header, 6, [if df { 0x40 } else { 0 }, 0]);
            if let Some(tos) = header.get_mut(1) {
                *tos |= ecn;
            }
            put(header, 10, [0, 0]);
            let check = !checksum::sum(header);
            put(header, 10, check.to_ne_bytes());
        }
        Ok(whole)
    }
}

fn put(bytes: &mut [u8], at: usize, new: [u8; 2]) {
    if let Some(word) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut()) {
        *word = new;
    }
}
