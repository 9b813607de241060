// SPDX-License-Identifier: GPL-2.0

//! The wiring as the packet path reads it: a slot a block, two banks a slot, one version a graph.
//!
//! A slot is what stands behind an IDP. It stays where it is from the making of a block to its
//! removal, so ports hold the addresses of slots, and a hop costs one dependent load. What a hop
//! reads, the [`Hop`], is there twice. The graph's version says which of the two banks is live; a
//! packet reads the version once and goes by that bank to its end. A change, of however many
//! slots, is prepared off to the side, written to the standby banks and published by the one
//! store that flips the version. The bank that was live is then left alone until its last reader
//! has ended, and brought up to date before the next change is written to it.

use super::{
    percpu::{PerCpu, ThisCpu},
    rcu::{Moment, Reader},
    skb::Packet,
};
use crate::{
    block::{Block, Verdict},
    engine::{Context, Direction},
    registry::Instance,
    stats::BlockStats,
};
use core::{
    cell::UnsafeCell,
    ptr::NonNull,
    // Not the kernel crate's atomics: those are calls, and this is read for each packet. For an
    // acquire and a release, both memory models and both compilers agree.
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Release},
    },
};
use kernel::{prelude::*, sync::Arc};

/// A block's packet handler with the block's type erased. `data` is the block.
type Raw = unsafe fn(data: NonNull<()>, packet: Packet, cx: &mut Context<'_>) -> Verdict;

/// A block and its packet handler.
///
/// # Invariants
///
/// `call` may be called with `data` for as long as the block, which the instance it is made for
/// owns, lives.
#[derive(Clone, Copy)]
pub(crate) struct Handler {
    call: Raw,
    data: NonNull<()>,
}

impl Handler {
    /// The handler of `block`.
    pub(crate) fn of<B: Block>(block: &B) -> Self {
        /// # Safety
        ///
        /// `data` is a live `B`.
        unsafe fn call<B: Block>(
            data: NonNull<()>,
            packet: Packet,
            cx: &mut Context<'_>,
        ) -> Verdict {
            // SAFETY: by the contract; blocks are `Sync`.
            unsafe { data.cast::<B>().as_ref() }.receive(packet, cx)
        }
        // INVARIANT: `call` takes what `data` points to.
        Self {
            call: call::<B>,
            data: NonNull::from(block).cast(),
        }
    }
}

/// What one hop of a packet reads, in one cache line.
///
/// # Invariants
///
/// All pointers are to parts of instances that are in the graph for as long as this value is in
/// a bank that a packet can read: a block is only removed when no bank mentions it, and a grace
/// period later.
#[repr(C, align(64))]
pub(crate) struct Hop {
    handler: Handler,
    stats: NonNull<BlockStats>,
    /// The first port of each direction.
    first: [Option<NonNull<Slot>>; 2],
    /// All of them, where there is more than one.
    all: [Option<KBox<KVec<NonNull<Slot>>>>; 2],
}

impl Hop {
    /// Builds what the bank of `instance` is to have when its ports are bound to `ports`, by
    /// direction. Sleeps.
    pub(crate) fn new(instance: &Instance, ports: [&[Arc<Instance>]; 2]) -> Result<Self> {
        let mut hop = Self {
            handler: instance.handler(),
            stats: instance.stats().base(),
            first: [None; 2],
            all: [const { None }; 2],
        };
        for (peers, (first, all)) in ports
            .iter()
            .zip(hop.first.iter_mut().zip(hop.all.iter_mut()))
        {
            *first = peers.first().map(|peer| NonNull::from(peer.slot()));
            if peers.len() > 1 {
                let mut slots = KVec::with_capacity(peers.len(), GFP_KERNEL)?;
                for peer in *peers {
                    slots.push(NonNull::from(peer.slot()), GFP_KERNEL)?;
                }
                *all = Some(KBox::new(slots, GFP_KERNEL)?);
            }
        }
        Ok(hop)
    }

    /// Runs the block's handler.
    #[inline]
    pub(crate) fn call(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        // SAFETY: by the type's invariants the block lives.
        unsafe { (self.handler.call)(self.handler.data, packet, cx) }
    }

    /// The block's counters of the CPU the caller runs on.
    #[inline]
    pub(crate) fn stats(&self, cpu: ThisCpu) -> &BlockStats {
        // SAFETY: by the type's invariants the counters live.
        unsafe { PerCpu::this_of(self.stats, cpu) }
    }

    /// The slot that port `index` of a direction is bound to.
    #[inline]
    pub(crate) fn port<'r>(&'r self, direction: Direction, index: u32) -> Option<&'r Slot> {
        let slot = if index == 0 {
            self.first[direction as usize]
        } else {
            let all = self.all[direction as usize].as_ref()?;
            all.get(index as usize).copied()
        };
        // SAFETY: by the type's invariants the slot lives as long as it can be read here.
        slot.map(|slot| unsafe { slot.as_ref() })
    }

    /// How many ports of a direction are bound.
    #[inline]
    pub(crate) fn ports(&self, direction: Direction) -> u32 {
        match &self.all[direction as usize] {
            Some(all) => all.len() as u32,
            None => u32::from(self.first[direction as usize].is_some()),
        }
    }
}

/// What stands behind an IDP.
pub(crate) struct Slot {
    banks: [UnsafeCell<Option<Hop>>; 2],
}

// SAFETY: readers only read the live bank, and the one writer only writes the standby bank; see
// `Wiring`.
unsafe impl Sync for Slot {}
// SAFETY: the pointers inside are to things that any CPU may use.
unsafe impl Send for Slot {}

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            banks: [const { UnsafeCell::new(None) }; 2],
        }
    }

    /// What a packet that goes by `version` reads here.
    #[inline]
    pub(crate) fn hop<'r>(&'r self, version: Version<'r>) -> Option<&'r Hop> {
        // SAFETY: the version's bank is not written to while the version exists, by its
        // invariants; its index is 0 or 1.
        unsafe { (*self.banks.get_unchecked(version.bank).get()).as_ref() }
    }

    /// Fills both banks of a slot that nobody knows yet.
    pub(crate) fn init(&mut self, hops: [Hop; 2]) {
        for (bank, hop) in self.banks.iter_mut().zip(hops) {
            *bank.get_mut() = Some(hop);
        }
    }

    /// # Safety
    ///
    /// The caller is the graph's one writer, and no packet can read the bank.
    unsafe fn write(&self, bank: usize, hop: Hop) {
        if let Some(bank) = self.banks.get(bank) {
            // SAFETY: by the contract nobody else looks at the bank.
            unsafe { *bank.get() = Some(hop) };
        }
    }
}

/// The version of the wiring that one packet goes by.
///
/// # Invariants
///
/// `bank` is 0 or 1 and was live at some moment of the read-side section that `'r` is; that bank
/// is not written to before the section ends.
#[derive(Clone, Copy)]
pub(crate) struct Version<'r> {
    bank: usize,
    reader: Reader<'r>,
}

impl<'r> Version<'r> {
    /// The evidence of the read-side section.
    #[inline]
    pub(crate) fn reader(&self) -> Reader<'r> {
        self.reader
    }
}

/// Changes of slots, complete and ready to be published together.
#[derive(Default)]
pub(crate) struct Batch {
    now: KVec<(Arc<Instance>, Hop)>,
    /// The same again, for the bank that packets read until then.
    later: KVec<(Arc<Instance>, Hop)>,
}

impl Batch {
    /// Adds that the ports of `instance` are bound to `ports`, by direction. Sleeps.
    pub(crate) fn add(&mut self, instance: &Arc<Instance>, ports: [&[Arc<Instance>]; 2]) -> Result {
        for list in [&mut self.now, &mut self.later] {
            list.push((instance.clone(), Hop::new(instance, ports)?), GFP_KERNEL)?;
        }
        Ok(())
    }
}

/// A graph's version, as packets read it.
///
/// # Invariants
///
/// The number is 0 or 1.
pub(crate) struct Live(AtomicUsize);

impl Live {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// The version for a packet to go by.
    #[inline]
    pub(crate) fn version<'r>(&'r self, reader: Reader<'r>) -> Version<'r> {
        // INVARIANT: the bank is live in the section; `Wiring` waits for the section's end.
        Version {
            bank: self.bank(),
            reader,
        }
    }

    fn bank(&self) -> usize {
        // What is read of the bank is read after this: the writer releases what is acquired here.
        self.0.load(Acquire)
    }
}

/// The writer's side of the wiring. There is one for a graph, in the graph's lock.
#[derive(Default)]
pub(crate) struct Wiring {
    /// What the bank that was live before the last change lacks, and when the change was made.
    behind: KVec<(Arc<Instance>, Hop)>,
    since: Option<Moment>,
}

// SAFETY: the pointers in the hops are to things that any CPU may use.
unsafe impl Send for Wiring {}

impl Wiring {
    /// Waits until nobody reads the bank that was live before the last change, and brings it up
    /// to date. Both banks of all slots are the same then. Sleeps.
    pub(crate) fn settle(&mut self, live: &Live) {
        let Some(since) = self.since.take() else {
            return;
        };
        since.wait();
        let standby = 1 - live.bank();
        for (instance, hop) in core::mem::take(&mut self.behind) {
            // SAFETY: no reader of the standby bank is left, and this is the one writer.
            unsafe { instance.slot().write(standby, hop) };
        }
    }

    /// Makes changes take effect together. Sleeps until the readers of the version before the
    /// last one have ended; does not fail.
    pub(crate) fn publish(&mut self, live: &Live, batch: Batch) {
        self.settle(live);
        let standby = 1 - live.bank();
        for (instance, hop) in batch.now {
            // SAFETY: the banks are settled: no packet reads the standby one. One writer.
            unsafe { instance.slot().write(standby, hop) };
        }
        // The banks are complete before the version that leads to them is seen.
        live.0.store(standby, Release);
        self.behind = batch.later;
        self.since = Some(Moment::now());
    }
}
