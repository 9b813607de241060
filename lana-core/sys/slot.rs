// SPDX-License-Identifier: GPL-2.0

//! The wiring as packets read it: a slot an IDP, two banks a slot, one version a graph.
//!
//! A slot is what stands behind an IDP. It stays where it is for as long as the graph does. What a
//! hop reads, the [`Hop`], is there twice, in two banks, and leads to hops of its own bank, by their
//! addresses: so a hop costs one dependent load. The graph's version says which of the banks is
//! live; a packet reads the version once, where it enters, and goes by that bank to its end.
//! [`super::wiring`] writes them.

use super::{
    frame::Frame,
    hold::Due,
    net::Net,
    percpu::{PerCpu, ThisCpu},
    queue::List,
    rcu::Reader,
    skb::Skb,
    version::Version,
    xdp::Action,
};
use crate::base::port::Direction;
use core::{cell::UnsafeCell, ptr::NonNull};
use kernel::{prelude::*, sync::Arc};
use pin_init::Zeroable;

mod handler;

pub(crate) use handler::{BlockRef, Cased, PacketHandler};
use handler::{Handler, Others};

/// Information dispatch point: the number by which a block is addressed. 0 is none.
pub(crate) type Idp = u32;

/// What carries packets from block to block: this layer knows it by this trait only.
pub(crate) trait Datapath: Sized + Sync + 'static {
    /// What a packet handler gets beside its packet.
    type Context<'r>;
    /// What of that is the same for all blocks that a packet passes.
    type Walk<'r>: 'r;
    /// How a packet has come to a block: of two words at most, so that registers hold it.
    type Way: Copy;
    /// What it answers to a packet that is carried by a `P`.
    type Verdict<P>;
    /// Packets that are at a block together.
    type Batch;
    /// The counters of a block, on one CPU.
    type Counters: Zeroable + Sync;
    /// What becomes of packets that enter at a slot and that no block takes.
    type Unclaimed: Copy + Send + Sync;
    /// What belongs to a version beside its slots.
    type Beside: Send + Sync;

    /// How many blocks a packet may pass.
    const HOPS: u32;

    /// The namespace.
    fn net(&self) -> &Net;

    /// What the handler of the block at `hop` gets, to which a packet comes from the one at `from`.
    fn context<'r>(
        walk: &'r Self::Walk<'r>,
        from: &'r Hop<Self>,
        hop: &'r Hop<Self>,
        way: Self::Way,
    ) -> Self::Context<'r>;

    /// A device has received a packet, which is given back where nobody takes it. `entries` is how often
    /// it has left a graph by a device before.
    fn receive<'r>(
        &'r self,
        slot: &'r Slot<Self>,
        packet: Skb,
        entries: u16,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Option<Skb>;

    /// A driver has received a packet, and no skb is made for it yet. What the driver is to do with the
    /// frame.
    fn receive_frame<'r>(
        &'r self,
        slot: &'r Slot<Self>,
        frame: Frame,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Action;

    /// The same of a packet that is in several buffers, of which `frame` is the first, or that has left a graph so often
    /// before.
    fn receive_parts<'r>(
        &'r self,
        slot: &'r Slot<Self>,
        frame: Frame,
        entries: u16,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Action;

    /// It has received some before. None is given back.
    fn receive_batch<'r>(
        &'r self,
        slot: &'r Slot<Self>,
        packets: List,
        reader: Reader<'r>,
        cpu: ThisCpu,
    );

    /// What the block at a slot has waited for is there. In a softirq.
    fn resume<'r>(&'r self, slot: &'r Slot<Self>, due: Due, reader: Reader<'r>, cpu: ThisCpu);

    /// A program has sent a packet by a socket. False where nothing is bound to that.
    fn send<'r>(
        &'r self,
        slot: &'r Slot<Self>,
        packet: Skb,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> bool;
}

/// What one hop of a packet reads, in one cache line.
///
/// # Invariants
///
/// The handler's block and the counters live as long as this value is in a bank:
/// [`super::wiring`] keeps their owners beside it. The slots are those of the same graph. The value is in bank `bank` of a
/// slot, and so is, of other slots, what `first` leads to: who reads it may read that.
#[repr(C, align(64))]
pub(crate) struct Hop<D: Datapath> {
    handler: Handler<D>,
    counters: NonNull<D::Counters>,
    /// What the first port of each direction leads to, or what is always empty: so a hop has one thing to look at.
    first: [NonNull<Bank<D>>; 2],
    /// All of both, where one of them has more than one, or where the block wants to know its own slot.
    all: Option<AllPorts<D>>,
    idp: Idp,
    /// The directions whose first ports are bound, a bit each.
    bound: u8,
    bank: u8,
    /// As `entrance`, and in its place in a version with probes: so who looks at that need not ask for probes.
    probed: Option<D::Unclaimed>,
    /// What the block's device receives, or its socket sends, enters the graph here; and what
    /// becomes of what no block takes. The last one: it also says whether there is a hop at all.
    entrance: Option<D::Unclaimed>,
}

/// One of the two banks of a slot.
type Bank<D> = UnsafeCell<Option<Hop<D>>>;

/// The slots that the first ports of each direction are bound to, or the one that is always empty.
pub(super) type First<D> = [NonNull<Slot<D>>; 2];

/// Where a hop leads to, whichever bank it is in.
pub(super) struct Ports<D: Datapath> {
    pub(super) first: First<D>,
    /// The directions whose first ports are bound, a bit each.
    pub(super) bound: u8,
    pub(super) all: Option<AllPorts<D>>,
}

/// What few hops have.
pub(super) struct More<D: Datapath> {
    /// The slots that the ports of each direction are bound to.
    pub(super) ports: [KVec<NonNull<Slot<D>>>; 2],
    /// The slot of the hop.
    pub(super) own: NonNull<Slot<D>>,
}

/// The same, as the banks share it.
pub(super) type AllPorts<D> = Arc<More<D>>;

impl<D: Datapath> Hop<D> {
    /// A hop in a bank.
    ///
    /// # Safety
    ///
    /// Whoever puts it into that bank keeps the block and the counters for as long. The ports are slots of the same graph.
    pub(super) unsafe fn new<O: ?Sized>(
        block: &BlockRef<D, O>,
        counters: &PerCpu<D::Counters>,
        ports: Ports<D>,
        idp: Idp,
        entrance: Option<D::Unclaimed>,
        probed: bool,
        bank: usize,
    ) -> Self {
        let (entrance, probed) = match probed {
            true => (None, entrance),
            false => (entrance, None),
        };
        // INVARIANT: by the contract.
        Self {
            handler: block.handler,
            counters: counters.base(),
            first: Self::leads(ports.first, bank),
            all: ports.all,
            idp,
            bound: ports.bound,
            bank: bank as u8,
            entrance,
            probed,
        }
    }

    /// The same in another bank.
    ///
    /// # Safety
    ///
    /// As of [`Hop::new`], of which `first` are the first ports.
    pub(super) unsafe fn in_bank(&self, first: First<D>, bank: usize) -> Self {
        // INVARIANT: by the contract.
        Self {
            first: Self::leads(first, bank),
            bank: bank as u8,
            handler: self.handler,
            counters: self.counters,
            all: self.all.clone(),
            idp: self.idp,
            bound: self.bound,
            entrance: self.entrance,
            probed: self.probed,
        }
    }

    /// What slots have in a bank.
    fn leads(slots: First<D>, bank: usize) -> [NonNull<Bank<D>>; 2] {
        slots.map(|slot| {
            // SAFETY: a slot begins with its two banks; the place of one of them is worked out, and not looked at.
            unsafe { slot.cast::<Bank<D>>().add(bank & 1) }
        })
    }

    /// Runs the block's handler of packets. Each of these has the packet come from the block at `from`.
    #[inline]
    pub(crate) fn call<'r>(
        &'r self,
        packet: Skb,
        walk: &'r D::Walk<'r>,
        from: &'r Self,
        way: D::Way,
    ) -> D::Verdict<Skb> {
        // SAFETY: the handler is this hop's, and by the type's invariants its block lives.
        unsafe { (self.handler.one)(self, packet, walk, from, way) }
    }

    /// Runs the block's handler of frames.
    #[inline]
    pub(crate) fn call_frame<'r>(
        &'r self,
        packet: Frame,
        walk: &'r D::Walk<'r>,
        from: &'r Self,
        way: D::Way,
    ) -> D::Verdict<Frame> {
        // SAFETY: the handler is this hop's, and by the type's invariants its block lives.
        unsafe { (self.handler.frame)(self, packet, walk, from, way) }
    }

    /// Runs the block's handler of batches.
    #[inline]
    pub(crate) fn call_batch<'r>(
        &'r self,
        batch: &mut D::Batch,
        walk: &'r D::Walk<'r>,
        from: &'r Self,
        way: D::Way,
    ) {
        // SAFETY: the handler is this hop's, and by the type's invariants its block lives.
        unsafe { (self.others().batch)(self, batch, walk, from, way) };
    }

    /// Runs the block's handler of what it has waited for.
    pub(crate) fn call_due<'r>(
        &'r self,
        due: Due,
        walk: &'r D::Walk<'r>,
        from: &'r Self,
        way: D::Way,
    ) -> Option<D::Verdict<Skb>> {
        // SAFETY: the handler is this hop's, and by the type's invariants its block lives.
        unsafe { (self.others().due)(self, due, walk, from, way) }
    }

    /// The block itself.
    ///
    /// # Safety
    ///
    /// It is a `Cased<D, B>`.
    #[inline(always)]
    unsafe fn block<B: PacketHandler<D>>(&self) -> &B {
        // SAFETY: it is of this type, as the caller says, and by the type's invariants it lives; blocks are `Sync`.
        unsafe { &self.handler.data.cast::<Cased<D, B>>().as_ref().block }
    }

    #[inline(always)]
    fn others(&self) -> Others<D> {
        // SAFETY: by the type's invariants the block lives, and its `Cased` begins with these handlers.
        unsafe { self.handler.data.cast().read() }
    }

    /// The block's counters of the CPU the caller runs on.
    #[inline]
    pub(crate) fn counters(&self, cpu: ThisCpu) -> &D::Counters {
        // SAFETY: by the type's invariants the counters live.
        unsafe { PerCpu::this_of(self.counters, cpu) }
    }

    /// What stands behind the first port of a direction.
    #[inline(always)]
    pub(crate) fn next(&self, direction: Direction) -> Option<&Self> {
        // SAFETY: a direction, of two variants, is 0 or 1, and the array has two elements.
        let first = unsafe { self.first.get_unchecked(direction as usize) };
        // SAFETY: by the type's invariants the bank is one of the graph, which packets cannot outlive, and who reads
        // this hop may read it.
        unsafe { (*first.as_ref().get()).as_ref() }
    }

    /// Whether the first port of a direction is bound.
    #[inline]
    pub(crate) fn is_bound(&self, direction: Direction) -> bool {
        self.bound & (1 << direction as u8) != 0
    }

    /// What stands behind port `index` of a direction.
    #[inline]
    pub(crate) fn port(&self, direction: Direction, index: u32) -> Option<&Self> {
        if index == 0 {
            return self.next(direction);
        }
        let all = self.all.as_ref()?.ports.get(direction as usize)?;
        let slot = all.get(index as usize)?;
        // SAFETY: the type's invariants say that slots outlive the hops that lead to them.
        let bank = unsafe { slot.as_ref() }.banks.get(usize::from(self.bank))?;
        // SAFETY: who reads this hop may read this bank of other slots, too.
        unsafe { (*bank.get()).as_ref() }
    }

    /// How many ports of a direction are bound.
    #[inline]
    pub(crate) fn ports(&self, direction: Direction) -> u32 {
        match &self.all {
            Some(all) => all
                .ports
                .get(direction as usize)
                .map_or(0, |all| all.len() as u32),
            None => u32::from(self.is_bound(direction)),
        }
    }

    /// Its own slot, where its block wants to know that.
    #[inline]
    pub(crate) fn own<'r>(&'r self) -> Option<&'r Slot<D>> {
        // SAFETY: by the type's invariants the slot is the graph's, which packets cannot outlive.
        self.all.as_ref().map(|all| unsafe { all.own.as_ref() })
    }

    /// The IDP it stands behind.
    pub(crate) fn idp(&self) -> Idp {
        self.idp
    }

    /// Whether packets of a device or a socket enter the graph here, in a version without probes, and what becomes
    /// of those that no block takes.
    #[inline]
    pub(crate) fn entrance(&self) -> Option<D::Unclaimed> {
        self.entrance
    }

    /// The same in a version with probes.
    pub(crate) fn probed(&self) -> Option<D::Unclaimed> {
        self.probed
    }
}

/// What stands behind an IDP.
#[repr(transparent)]
pub(crate) struct Slot<D: Datapath> {
    pub(super) banks: [Bank<D>; 2],
}

// SAFETY: readers only read the live bank, and the one writer only writes the standby bank; see
// `Wiring`.
unsafe impl<D: Datapath> Sync for Slot<D> {}
// SAFETY: the pointers inside are to things that any CPU may use.
unsafe impl<D: Datapath> Send for Slot<D> {}

impl<D: Datapath> Slot<D> {
    /// What a packet that goes by `version` reads here.
    #[inline]
    pub(crate) fn hop<'r>(&'r self, version: Version<'r>) -> Option<&'r Hop<D>> {
        // SAFETY: by the invariants of `Wiring`, which alone writes to slots, no packet reads a bank that it writes to.
        unsafe { version.read(&self.banks) }.as_ref()
    }
}

/// Where the packets of a device enter: a slot for who outlives no graph.
///
/// # Invariants
///
/// The slot is one of a graph that outlives the value.
pub(crate) struct Entrance<D: Datapath>(NonNull<Slot<D>>);

impl<D: Datapath> Entrance<D> {
    /// # Safety
    ///
    /// The slot is one of a graph that outlives the value.
    pub(super) unsafe fn new(slot: NonNull<Slot<D>>) -> Self {
        // INVARIANT: by the contract.
        Self(slot)
    }

    /// The slot.
    pub(super) fn as_ptr(&self) -> NonNull<Slot<D>> {
        self.0
    }
}
