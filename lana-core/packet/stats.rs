// SPDX-License-Identifier: GPL-2.0

//! Counters: those of each block and those of the engine. Always on, one copy a CPU. What blocks count is not counted
//! again: the engine's totals are their sums.

use super::storm::Storm;
use crate::sys::{
    percpu::{Count, PerCpu},
    reason::DropReason,
    slot::Idp,
};
use pin_init::Zeroable;

/// The counters of a block, on one CPU.
#[derive(Zeroable)]
#[repr(C)]
pub(crate) struct BlockStats {
    /// Without those that enter the graph here.
    packets: Count,
    bytes: Count,
    entered: Count,
    entered_bytes: Count,
    drops: [Count; DropReason::ALL.len()],
    skbs: Count,
    /// The last change that had to do with the block: in the copy of the first CPU, for who has the graph's lock.
    change: Count,
}

impl BlockStats {
    /// Marks the counters of a block by the number of a change.
    pub(crate) fn mark(stats: &PerCpu<Self>, change: u32) {
        if let Some((_, first)) = stats.iter().next() {
            first.change.set(change.into());
        }
    }

    /// Whether they are.
    pub(crate) fn is_marked(stats: &PerCpu<Self>, change: u32) -> bool {
        let mut copies = stats.iter();
        copies
            .next()
            .is_some_and(|(_, first)| first.change.get() == change.into())
    }

    /// Counts a packet that enters the graph at the block.
    #[inline]
    pub(crate) fn entered(&self, len: u32) {
        self.entered.add(1);
        self.entered_bytes.add(u64::from(len));
    }

    /// Counts packets that enter the graph together.
    #[inline]
    pub(crate) fn entered_batch(&self, packets: u32, bytes: u64) {
        self.entered.add(u64::from(packets));
        self.entered_bytes.add(bytes);
    }

    /// Counts a packet that comes to the block from another one.
    #[inline]
    pub(crate) fn received(&self, len: u32) {
        self.packets.add(1);
        self.bytes.add(u64::from(len));
    }

    /// Counts packets that come to the block together.
    #[inline]
    pub(crate) fn received_batch(&self, packets: u32, bytes: u64) {
        self.packets.add(u64::from(packets));
        self.bytes.add(bytes);
    }

    /// Counts an skb that is made of a frame here.
    #[cold]
    pub(crate) fn made_skb(&self) {
        self.skbs.add(1);
    }

    /// Counts a packet that ends here for a bad reason.
    #[inline]
    pub(crate) fn dropped(&self, reason: DropReason) {
        if let Some(count) = self.drops.get(reason as usize) {
            count.add(1);
        }
    }
}

/// A block's counters, summed over the CPUs.
#[derive(Default)]
pub(crate) struct BlockTotals {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Those of them that entered the graph there.
    pub(crate) entered: u64,
    pub(crate) entered_bytes: u64,
    pub(crate) drops: [u64; DropReason::ALL.len()],
    pub(crate) skbs: u64,
}

impl BlockTotals {
    /// Sums up.
    pub(crate) fn of(stats: &PerCpu<BlockStats>) -> Self {
        let mut totals = Self::default();
        for (_, cpu) in stats.iter() {
            let add = |total: &mut u64, count: &Count| *total = total.wrapping_add(count.get());
            add(&mut totals.entered, &cpu.entered);
            add(&mut totals.entered_bytes, &cpu.entered_bytes);
            for (total, count) in [
                (&mut totals.packets, [&cpu.packets, &cpu.entered]),
                (&mut totals.bytes, [&cpu.bytes, &cpu.entered_bytes]),
            ] {
                count.into_iter().for_each(|count| add(total, count));
            }
            add(&mut totals.skbs, &cpu.skbs);
            for (total, count) in totals.drops.iter_mut().zip(&cpu.drops) {
                add(total, count);
            }
        }
        totals
    }
}

/// The counters of the engine, on one CPU.
#[derive(Zeroable)]
#[repr(C)]
pub(crate) struct EngineStats {
    /// Packets made in the graph.
    made: Count,
    /// Their bytes, when they were made.
    made_bytes: Count,
    /// Calls of handlers of what blocks have waited for.
    resumed: Count,
    /// What blocks have counted that are no more. Not its CPU writes it, but who has the graph's lock.
    gone: [Count; 4],
    /// Packets that no block took and that the network stack got.
    pub(crate) unclaimed: Count,
    /// Packets waiting for the end of the current walk.
    pub(crate) backlog: Count,
    /// The most that ever waited.
    pub(crate) backlog_max: Count,
    /// What packets that are copied again and again may still cost.
    pub(crate) storm: Storm,
    /// Drops that raise an alarm, and the IDP of the last, by alarm.
    alarms: [(Count, Count); Alarm::ALL.len()],
    /// Packets that blocks have held.
    pub(super) holds: Count,
    /// The number of the last of them.
    pub(super) held: Count,
}

impl EngineStats {
    /// Counts a packet that is made in the graph.
    pub(super) fn made(&self, len: u32) {
        self.made.add(1);
        self.made_bytes.add(u64::from(len));
    }

    /// Counts a call of the handler of what a block has waited for.
    pub(super) fn resumed(&self) {
        self.resumed.add(1);
    }

    /// Counts a drop that raises an alarm.
    pub(crate) fn raise(&self, alarm: Alarm, idp: Idp) {
        if let Some((count, last)) = self.alarms.get(alarm as usize) {
            count.add(1);
            last.set(u64::from(idp));
        }
    }

    /// All drops that raised an alarm, and the IDP of one of the last.
    pub(crate) fn alarmed(stats: &PerCpu<Self>, alarm: Alarm) -> (u64, Idp) {
        stats.iter().fold((0, 0), |(total, idp), (_, cpu)| {
            let Some((count, last)) = cpu.alarms.get(alarm as usize) else {
                return (total, idp);
            };
            let idp = if count.get() > 0 {
                last.get() as Idp
            } else {
                idp
            };
            (count.get().wrapping_add(total), idp)
        })
    }
}

/// What the engine has done on a CPU, with what all blocks have counted there that are or have been.
#[derive(Default)]
pub(crate) struct EngineTotals {
    /// Packets that entered the graph, and those made in it.
    pub(crate) packets: u64,
    /// Their bytes, when they entered or were made.
    pub(crate) bytes: u64,
    /// Calls of packet handlers.
    pub(crate) calls: u64,
    /// Packets dropped, for whichever reason.
    pub(crate) drops: u64,
}

impl EngineTotals {
    /// Those of a CPU, without the blocks that are.
    pub(crate) fn of(engine: &EngineStats) -> Self {
        let [packets, bytes, calls, drops] = engine.gone.each_ref().map(Count::get);
        Self {
            packets: packets.wrapping_add(engine.made.get()),
            bytes: bytes.wrapping_add(engine.made_bytes.get()),
            calls: calls.wrapping_add(engine.resumed.get()),
            drops,
        }
    }

    /// Adds what a block has counted on the CPU.
    pub(crate) fn add(&mut self, block: &BlockStats) {
        self.packets = self.packets.wrapping_add(block.entered.get());
        self.bytes = self.bytes.wrapping_add(block.entered_bytes.get());
        self.calls = self.calls.wrapping_add(block.packets.get());
        let drops = block.drops.iter().map(Count::get);
        self.drops = drops.fold(self.drops, u64::wrapping_add);
    }

    /// Keeps what a block has counted that is no more, at which no packet is any more. For who has the graph's lock.
    pub(crate) fn keep(stats: &PerCpu<EngineStats>, block: &PerCpu<BlockStats>) {
        for ((_, engine), (_, block)) in stats.iter().zip(block.iter()) {
            let mut totals = Self::default();
            totals.add(block);
            let more = [totals.packets, totals.bytes, totals.calls, totals.drops];
            for (gone, more) in engine.gone.iter().zip(more) {
                gone.add(more);
            }
        }
    }
}

/// The reasons for a drop that are worth an event, as they show a mistake in the graph.
#[derive(Clone, Copy)]
pub(crate) enum Alarm {
    HopLimit,
    Backlog,
}

impl Alarm {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::HopLimit, Self::Backlog];

    /// The alarm that a drop raises.
    pub(crate) fn of(reason: DropReason) -> Option<Self> {
        match reason {
            DropReason::HopLimit => Some(Self::HopLimit),
            DropReason::Backlog => Some(Self::Backlog),
            _ => None,
        }
    }
}
