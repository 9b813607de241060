// SPDX-License-Identifier: GPL-2.0

//! The wiring as the packet path reads it: a slot an IDP, two banks a slot, one version a graph.
//!
//! A slot is what stands behind an IDP. It stays where it is for as long as the graph does, so
//! ports hold the addresses of slots, and a hop costs one dependent load. What a hop reads, the
//! [`Hop`], is there twice. The graph's version says which of the two banks is live; a packet
//! reads the version once and goes by that bank to its end. A change, of however many slots, is
//! drafted in their standby banks, which nobody reads, and published by the one store that flips
//! the version, or reverted. The bank that was live is then left alone until its last reader has
//! ended, and brought up to date before the next change is drafted.

use super::{
    batch::Batch,
    cond_resched,
    percpu::{PerCpu, ThisCpu},
    rcu::{Moment, Reader},
    skb::Packet,
};
use crate::{
    block::{Block, Process, Unclaimed, Verdict},
    builder::Made,
    engine::{Context, Direction},
    registry::{Idp, Instance},
    stats::BlockStats,
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
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

/// The same for packets that are there together.
type RawBatch = unsafe fn(data: NonNull<()>, batch: &mut Batch, cx: &mut Context<'_>);

/// A block and its packet handlers.
///
/// # Invariants
///
/// `call` and `batch` may be called with `data` for as long as the block it is made for lives.
#[derive(Clone, Copy)]
pub(crate) struct Handler {
    call: Raw,
    data: NonNull<()>,
    batch: RawBatch,
}

impl Handler {
    /// The handlers of `block`.
    pub(crate) fn of<B: Block>(block: &B) -> Self {
        /// # Safety
        ///
        /// `data` is a live `B`.
        unsafe fn call<B: Block>(
            data: NonNull<()>,
            packet: Packet,
            cx: &mut Context<'_>,
        ) -> Verdict {
            // SAFETY: `data` is a live `B`, as the caller says; blocks are `Sync`.
            unsafe { data.cast::<B>().as_ref() }.receive(packet, cx)
        }
        /// # Safety
        ///
        /// As for `call`.
        unsafe fn batch<B: Block>(data: NonNull<()>, batch: &mut Batch, cx: &mut Context<'_>) {
            // SAFETY: as in `call`.
            unsafe { data.cast::<B>().as_ref() }.receive_batch(batch, cx);
        }
        // INVARIANT: both take what `data` points to.
        Self {
            call: call::<B>,
            data: NonNull::from(block).cast(),
            batch: batch::<B>,
        }
    }
}

/// What one hop of a packet reads, in one cache line.
///
/// # Invariants
///
/// The handler's block and the counters live as long as this value is in a bank: see [`Owner`].
/// The slots are those of the same graph.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct Hop {
    handler: Handler,
    stats: NonNull<BlockStats>,
    /// The first port of each direction.
    first: [Option<NonNull<Slot>>; 2],
    /// All of both, where one of them has more than one.
    all: Option<Arc<[KVec<NonNull<Slot>>; 2]>>,
    idp: Idp,
    /// What the block's device receives, or its socket sends, enters the graph here; and what
    /// becomes of what no block takes.
    entrance: Option<Unclaimed>,
}

impl Hop {
    /// Runs the block's handler.
    #[inline]
    pub(crate) fn call(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        // SAFETY: by the type's invariants the block lives.
        unsafe { (self.handler.call)(self.handler.data, packet, cx) }
    }

    /// Runs the block's handler of batches.
    #[inline]
    pub(crate) fn call_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        // SAFETY: by the type's invariants the block lives.
        unsafe { (self.handler.batch)(self.handler.data, batch, cx) };
    }

    /// The block's counters of the CPU the caller runs on.
    #[inline]
    pub(crate) fn stats(&self, cpu: ThisCpu) -> &BlockStats {
        // SAFETY: by the type's invariants the counters live.
        unsafe { PerCpu::this_of(self.stats, cpu) }
    }

    /// The slot that the first port of a direction is bound to.
    #[inline]
    pub(crate) fn first<'r>(&'r self, direction: Direction) -> Option<&'r Slot> {
        // SAFETY: a direction is 0 or 1.
        let first = unsafe { self.first.get_unchecked(direction as usize) };
        // SAFETY: by the type's invariants the slot is the graph's, which packets cannot outlive.
        first.map(|slot| unsafe { slot.as_ref() })
    }

    /// The slot that port `index` of a direction is bound to.
    #[inline]
    pub(crate) fn port<'r>(&'r self, direction: Direction, index: u32) -> Option<&'r Slot> {
        if index == 0 {
            return self.first(direction);
        }
        let all = self.all.as_ref()?.get(direction as usize)?;
        // SAFETY: the type's invariants say that slots outlive the hops that lead to them.
        all.get(index as usize).map(|slot| unsafe { slot.as_ref() })
    }

    /// How many ports of a direction are bound.
    #[inline]
    pub(crate) fn ports(&self, direction: Direction) -> u32 {
        match &self.all {
            Some(all) => all
                .get(direction as usize)
                .map_or(0, |all| all.len() as u32),
            None => u32::from(self.first(direction).is_some()),
        }
    }

    /// The IDP it stands behind.
    pub(crate) fn idp(&self) -> Idp {
        self.idp
    }

    /// Whether packets of a device or a socket enter the graph here, and what becomes of those that
    /// no block takes.
    #[inline]
    pub(crate) fn entrance(&self) -> Option<Unclaimed> {
        self.entrance
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
    /// What a packet that goes by `version` reads here.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the compiler checks the constant")]
    pub(crate) fn hop<'r, const BANK: usize>(
        &'r self,
        _version: Version<'r, BANK>,
    ) -> Option<&'r Hop> {
        // SAFETY: the version's bank is not written to while the version exists, by its invariants.
        unsafe { (*self.banks[BANK].get()).as_ref() }
    }
}

/// Where the packets of a device enter: a slot for who outlives no graph.
///
/// # Invariants
///
/// The slot is one of a graph that outlives the value.
#[derive(Clone, Copy)]
pub(crate) struct Entrance(NonNull<Slot>);

// SAFETY: slots may be used on any CPU.
unsafe impl Send for Entrance {}
// SAFETY: slots may be used by several CPUs at once: they are written only where no packet reads.
unsafe impl Sync for Entrance {}

impl Entrance {
    /// The slot.
    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        // SAFETY: by the type's invariants.
        unsafe { self.0.as_ref() }
    }
}

/// The version of the wiring that one packet goes by. Which of the two banks that is stands in the type:
/// there are two versions of the code, too, and none of them has to work out where a hop is.
///
/// # Invariants
///
/// The bank was live at some moment of the read-side section that `'r` is, and is not written to
/// before that section ends.
#[derive(Clone, Copy)]
pub(crate) struct Version<'r, const BANK: usize>(PhantomData<Reader<'r>>);

/// The version that is live.
pub(crate) enum Current<'r> {
    Even(Version<'r, 0>),
    Odd(Version<'r, 1>),
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
    pub(crate) fn version<'r>(&'r self, _reader: Reader<'r>) -> Current<'r> {
        // INVARIANT: the bank is live in the section; `Wiring` waits for the section's end.
        match self.bank() {
            0 => Current::Even(Version(PhantomData)),
            _ => Current::Odd(Version(PhantomData)),
        }
    }

    fn bank(&self) -> usize {
        // What is read of the bank is read after this: the writer releases what is acquired here.
        self.0.load(Acquire)
    }
}

/// What is to stand behind an IDP.
pub(crate) struct Draft<'a> {
    pub(crate) instance: &'a Arc<Instance>,
    pub(crate) made: &'a Made,
    /// The IDPs that the ports are bound to, by direction.
    pub(crate) ports: [&'a [Idp]; 2],
    pub(crate) entrance: Option<Unclaimed>,
}

/// Keeps what a bank's hop points to.
#[derive(Clone)]
struct Owner {
    _made: Made,
    // After the block: its type's module is kept by it.
    _instance: Arc<Instance>,
}

/// A slot, with the owners of what is in its banks.
struct Place {
    slot: KBox<Slot>,
    owners: [Option<Owner>; 2],
}

/// The writer's side of the wiring. There is one for a graph, in the graph's lock.
///
/// # Invariants
///
/// When `since` is none and `written` is empty, both banks of all slots are the same, and no
/// packet reads the standby ones. Slots are not given back before the graph is.
#[derive(Default)]
pub(crate) struct Wiring {
    /// By IDP, from 1 on.
    places: KVVec<Place>,
    /// The IDPs of the slots whose banks differ.
    written: KVVec<Idp>,
    /// When the last change was published, unless it has been brought over to both banks since.
    since: Option<Moment>,
}

impl Wiring {
    /// Makes slots up to that of `idp`, with nothing behind them. Sleeps.
    pub(crate) fn reserve(&mut self, idp: Idp) -> Result {
        while self.places.len() < idp as usize {
            let slot = Slot {
                banks: [const { UnsafeCell::new(None) }; 2],
            };
            let place = Place {
                slot: KBox::new(slot, GFP_KERNEL)?,
                owners: [None, None],
            };
            self.places.push(place, GFP_KERNEL)?;
        }
        Ok(())
    }

    fn place(&self, idp: Idp) -> Option<&Place> {
        self.places.get((idp as usize).checked_sub(1)?)
    }

    fn slot(&self, idp: Idp) -> Result<NonNull<Slot>> {
        let place = self.place(idp).ok_or(ENOENT)?;
        Ok(NonNull::from(&*place.slot))
    }

    /// The slot of `idp`, for a device whose hook the graph owns.
    pub(crate) fn entrance(&self, idp: Idp) -> Result<Entrance> {
        // INVARIANT: slots stay as long as the graph does.
        self.slot(idp).map(Entrance)
    }

    /// Waits until nobody reads the bank that was live before the last change, and brings it up
    /// to date. Sleeps.
    pub(crate) fn settle(&mut self, live: &Live) {
        if let Some(since) = self.since.take() {
            since.wait();
            self.copy(live);
        }
    }

    /// Has [`Wiring::settle`] wait for those, too, who have begun to read since the last change.
    pub(crate) fn prolong(&mut self) {
        self.since = self.since.map(|_| Moment::now());
    }

    /// Takes back what was drafted. Sleeps.
    pub(crate) fn revert(&mut self, live: &Live) {
        if self.since.is_none() {
            self.copy(live);
        }
    }

    /// Makes the standby banks what the live ones are. No packet reads the standby ones.
    /// Sleeps.
    fn copy(&mut self, live: &Live) {
        let bank = live.bank();
        let process = Process::new();
        for idp in core::mem::take(&mut self.written) {
            cond_resched(&process);
            let Some(place) = self.place(idp) else {
                continue;
            };
            let owner = place.owners.get(bank).cloned().flatten();
            // SAFETY: nobody writes to the live bank, and its number is 0 or 1.
            let hop = unsafe { (*place.slot.banks.get_unchecked(bank).get()).clone() };
            // SAFETY: the bank is the standby one, which no packet reads, by the callers.
            unsafe { self.write(bank ^ 1, idp, hop, owner) };
        }
    }

    /// Drafts what stands behind an IDP from the next version on. Sleeps until the readers of the
    /// version before the last one have ended.
    pub(crate) fn draft(&mut self, live: &Live, idp: Idp, draft: Option<Draft<'_>>) -> Result {
        self.settle(live);
        let (hop, owner) = match draft {
            Some(draft) => {
                let owner = Owner {
                    _made: draft.made.clone(),
                    _instance: draft.instance.clone(),
                };
                (Some(self.hop(idp, &draft)?), Some(owner))
            }
            None => (None, None),
        };
        self.written.push(idp, GFP_KERNEL)?;
        // SAFETY: the banks are settled, so that no packet reads the standby one.
        unsafe { self.write(live.bank() ^ 1, idp, hop, owner) };
        Ok(())
    }

    fn hop(&self, idp: Idp, draft: &Draft<'_>) -> Result<Hop> {
        let mut hop = Hop {
            handler: draft.made.handler(),
            stats: draft.instance.stats().base(),
            first: [None; 2],
            all: None,
            idp,
            entrance: draft.entrance,
        };
        for (peers, first) in draft.ports.iter().zip(hop.first.iter_mut()) {
            *first = peers.first().map(|&peer| self.slot(peer)).transpose()?;
        }
        if draft.ports.iter().any(|peers| peers.len() > 1) {
            let mut all = [KVec::new(), KVec::new()];
            for (peers, slots) in draft.ports.iter().zip(all.iter_mut()) {
                for &peer in *peers {
                    slots.push(self.slot(peer)?, GFP_KERNEL)?;
                }
            }
            hop.all = Some(Arc::new(all, GFP_KERNEL)?);
        }
        Ok(hop)
    }

    /// # Safety
    ///
    /// No packet reads the bank.
    unsafe fn write(&mut self, bank: usize, idp: Idp, hop: Option<Hop>, owner: Option<Owner>) {
        let place = (idp as usize)
            .checked_sub(1)
            .and_then(|index| self.places.get_mut(index));
        let Some(place) = place else { return };
        if let (Some(to), Some(kept)) = (place.slot.banks.get(bank), place.owners.get_mut(bank)) {
            // SAFETY: no packet reads the bank, as the caller says, and the exclusive borrow keeps others
            // from it.
            unsafe { *to.get() = hop };
            // What the hop before this one pointed to goes now.
            *kept = owner;
        }
    }

    /// Makes what was drafted take effect, all at once. Does not fail.
    pub(crate) fn publish(&mut self, live: &Live) {
        // The banks are complete before the version that leads to them is seen.
        live.0.store(live.bank() ^ 1, Release);
        self.since = Some(Moment::now());
    }
}

// SAFETY: the pointers in the hops are to things that any CPU may use.
unsafe impl Send for Wiring {}
