// SPDX-License-Identifier: GPL-2.0

//! What packets change in `multipath`, whatever is set and bound.

use super::{
    hops::Hops,
    multipath::{
        health::Health,
        meter::{Meter, Sent},
        ports::{Port as Egress, Totals},
        segment::Carried,
        table::{Table, SEATS},
        Way, Why,
    },
    List,
};
use core::sync::atomic::AtomicU64;
use lana::prelude::*;

/// Datagrams whose parts are on their way.
const DATAGRAMS: u32 = 4096;

/// What is counted for a port.
#[derive(Zeroable)]
pub(crate) struct Tally {
    pub(crate) packets: Count,
    pub(crate) bytes: Count,
    pub(crate) chosen: Count,
    pub(crate) reordered: Count,
    /// Bytes of TCP, and those of them that were sent again.
    pub(crate) data: Count,
    pub(crate) retransmitted: Count,
}

/// What a CPU counts.
#[derive(Zeroable)]
pub(crate) struct Counts {
    pub(crate) seats: [Tally; SEATS],
    /// The next turn.
    pub(crate) turn: Count,
    pub(crate) evicted: Count,
    pub(crate) learnt: Count,
    pub(crate) untracked: Count,
    pub(crate) orphans: Count,
    pub(crate) forgotten: Count,
}

/// What packets change, whatever is set and bound.
pub(crate) struct State {
    pub(crate) key: HashKey,
    pub(crate) counts: PerCpu<Counts>,
    pub(crate) fragments: Table,
    pub(crate) meter: Meter,
    pub(crate) turn: AtomicU64,
    /// Of the next hops, by the seats of the ports.
    pub(crate) health: List<Health>,
    /// No packet waits in it; it wakes the block, which looks after the next hops.
    pub(crate) queue: HoldQueue,
}

impl State {
    pub(crate) fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        let counts: PerCpu<Counts> = PerCpu::new(args.process())?;
        for (cpu, counts) in counts.iter() {
            // Not all CPUs begin with the same port.
            counts.turn.set(cpu.into());
        }
        Ok(Self {
            key: HashKey::random(),
            counts,
            fragments: table(DATAGRAMS)?,
            meter: Meter::new(time::coarse(), filled(SEATS)?),
            turn: AtomicU64::new(0),
            health: filled(SEATS)?,
            queue,
        })
    }

    pub(crate) fn health(&self, seat: u8) -> Option<&Health> {
        self.health.get(usize::from(seat))
    }

    /// What all CPUs have counted at a seat.
    pub(crate) fn totals(&self, seat: u8) -> Totals {
        let mut totals = Totals::default();
        for (_, counts) in self.counts.iter() {
            if let Some(tally) = counts.seats.get(usize::from(seat)) {
                totals.packets = totals.packets.wrapping_add(tally.packets.get());
                totals.bytes = totals.bytes.wrapping_add(tally.bytes.get());
                totals.chosen = totals.chosen.wrapping_add(tally.chosen.get());
                totals.reordered = totals.reordered.wrapping_add(tally.reordered.get());
                totals.carried = totals.carried.and(Carried {
                    data: tally.data.get(),
                    retransmitted: tally.retransmitted.get(),
                });
            }
        }
        totals
    }

    /// What counts as sent by a port.
    pub(crate) fn sent(&self, hops: &Hops, number: usize, port: &Egress) -> Sent {
        let totals = self.totals(port.seat);
        let [bytes, packets] = hops.sent(number).unwrap_or([totals.bytes, totals.packets]);
        Sent {
            bytes,
            packets,
            carried: totals.carried,
        }
    }

    pub(crate) fn sum(&self, what: impl Fn(&Counts) -> &Count) -> u64 {
        let counts = self.counts.iter();
        counts.fold(0, |sum, (_, counts)| sum.wrapping_add(what(counts).get()))
    }

    /// A packet goes its way.
    pub(crate) fn count(&self, counts: &Counts, way: &Way, len: u32) {
        let Some(tally) = counts.seats.get(usize::from(way.seat)) else {
            return;
        };
        tally.packets.add(1);
        tally.bytes.add(len.into());
        if way.carried.data > 0 {
            tally.data.add(way.carried.data);
            tally.retransmitted.add(way.carried.retransmitted);
        }
        match way.why {
            Why::Stays => (),
            Why::Packet => tally.chosen.add(1),
            Why::Begins { evicts } => {
                tally.chosen.add(1);
                counts.evicted.add(evicts.into());
            }
            Why::Moves { reorders } => {
                tally.chosen.add(1);
                tally.reordered.add(reorders.into());
            }
            Why::Untracked => counts.untracked.add(1),
            Why::Orphan => counts.orphans.add(1),
        }
    }
}

/// As many of what is nothing yet.
pub(crate) fn filled<T: Default>(count: usize) -> Result<List<T>> {
    let mut list = List::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        list.push(T::default(), GFP_KERNEL)?;
    }
    Ok(list)
}

pub(crate) fn table(keys: u32) -> Result<Table> {
    Ok(Table::new(filled(Table::buckets(keys))?))
}
