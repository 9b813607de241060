// SPDX-License-Identifier: GPL-2.0

//! Packets on their way into a table. The records of many flows are not in the caches of a processor, and a packet that
//! waited for its own would wait longer than all else takes. So each waits until some others have come: when it comes, its bucket
//! is asked for; after [`STEP`] others its record; and after as many again it is counted.
//!
//! It is counted by the time at which it came, and all are in their order. Who looks at the table calls [`Pipeline::flush`]
//! first.

use super::{
    filled,
    key::{Masks, Seen},
    memory::{Chunk, NONE},
    record::Times,
    table::{Counted, Rules, Table},
    List,
};

/// How many packets come between two steps of one.
const STEP: u32 = 4;
/// How many wait at most.
const DEPTH: u32 = 2 * STEP;

/// A packet that is not counted yet.
#[derive(Clone, Copy)]
pub(crate) struct Due {
    pub(crate) seen: Seen,
    pub(crate) hash: u32,
    /// When it came, in milliseconds.
    pub(crate) now: u32,
    /// The device that packets in the direction egress go to.
    pub(crate) output: u32,
    /// Where its flow seems to be.
    pub(crate) guess: u32,
}

/// What became of one that had been waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) counted: Counted,
    pub(crate) packets: u32,
    pub(crate) bytes: u32,
}

/// The packets of a CPU that wait.
pub(crate) struct Pipeline {
    /// [`DEPTH`] of them.
    due: List<Due>,
    /// The number of the next packet.
    next: u32,
    waiting: u32,
}

impl Due {
    const NONE: Self = Self {
        seen: Seen::NONE,
        hash: 0,
        now: 0,
        output: 0,
        guess: NONE,
    };
}

impl Pipeline {
    /// None without memory.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            due: filled(Due::NONE, DEPTH as usize)?,
            next: 0,
            waiting: 0,
        })
    }

    /// How many packets wait.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    #[inline(always)]
    fn place(&mut self, number: u32) -> Option<&mut Due> {
        let due = self.due.first_chunk_mut::<{ DEPTH as usize }>()?;
        due.get_mut((number % DEPTH) as usize)
    }

    /// Counts the packet that has waited longest, if there is no place for another one.
    #[inline(always)]
    pub(crate) fn make_room(
        &mut self,
        table: &mut Table,
        rules: (&Masks, &Times),
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Option<Done> {
        if self.waiting < DEPTH {
            return None;
        }
        self.waiting = self.waiting.wrapping_sub(1);
        // Where all places are taken, the next is that of the oldest packet.
        let due = self.free()?;
        Some(due.count(table, rules, more))
    }

    /// The place of the next packet, after [`Self::make_room`].
    #[inline(always)]
    pub(crate) fn free(&mut self) -> Option<&mut Due> {
        self.place(self.next)
    }

    /// The packet that is at that place now waits.
    #[inline(always)]
    pub(crate) fn push(&mut self, table: &Table) {
        let number = self.next;
        let Some(due) = self.place(number) else {
            return;
        };
        table.prefetch(due.hash);
        self.next = number.wrapping_add(1);
        self.waiting = self.waiting.wrapping_add(1);
        if self.waiting > STEP {
            if let Some(due) = self.place(number.wrapping_sub(STEP)) {
                due.guess = table.guess(&due.seen, due.hash);
            }
        }
    }

    /// Counts the packet that has waited longest. None if none waits.
    #[inline(never)]
    pub(crate) fn flush(
        &mut self,
        table: &mut Table,
        rules: (&Masks, &Times),
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Option<Done> {
        let number = self.next.wrapping_sub(self.waiting);
        self.waiting = self.waiting.checked_sub(1)?;
        let due = *self.place(number)?;
        Some(due.count(table, rules, more))
    }
}

impl Due {
    #[inline(always)]
    fn count(
        &self,
        table: &mut Table,
        (masks, times): (&Masks, &Times),
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Done {
        let Seen { packets, bytes, .. } = self.seen;
        let rules = Rules {
            masks,
            times,
            now: self.now,
            output: self.output,
        };
        Done {
            counted: table.count_at(self.guess, (&self.seen, self.hash), &rules, more),
            packets,
            bytes,
        }
    }
}
