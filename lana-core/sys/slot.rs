// SPDX-License-Identifier: GPL-2.0

//! The wiring as packets read it: a slot an IDP, two banks a slot, one version a graph.
//!
//! A slot is what stands behind an IDP. It stays where it is for as long as the graph does, so
//! ports hold the addresses of slots, and a hop costs one dependent load. What a hop reads, the
//! [`Hop`], is there twice. The graph's version says which of the two banks is live; a packet
//! reads the version once and goes by that bank to its end. [`super::wiring`] writes them.

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
use core::{cell::UnsafeCell, ptr, ptr::NonNull};
use kernel::{prelude::*, sync::Arc};
use pin_init::Zeroable;

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

/// What handles packets in a datapath.
pub(crate) trait PacketHandler<D: Datapath>: Sync + 'static {
    /// Handles a packet.
    fn handle(&self, packet: Skb, cx: &mut D::Context<'_>) -> D::Verdict<Skb>;

    /// Handles a packet for which no skb is made yet.
    fn handle_frame(&self, packet: Frame, cx: &mut D::Context<'_>) -> D::Verdict<Frame>;

    /// Handles packets that are there together.
    fn handle_batch(&self, batch: &mut D::Batch, cx: &mut D::Context<'_>);

    /// Handles what it has waited for: the answer to a packet.
    fn handle_due(&self, due: Due, cx: &mut D::Context<'_>) -> Option<D::Verdict<Skb>>;
}

/// A handler of a `P`, with the type of its block erased, which is the one at `hop`. All arguments fit into registers. The
/// context is made of them behind the call, where the block's code is known: what that has no use for costs nothing.
type Handle<D, P, R> = for<'r> unsafe fn(
    hop: &'r Hop<D>,
    packet: P,
    walk: &'r <D as Datapath>::Walk<'r>,
    from: &'r Hop<D>,
    way: <D as Datapath>::Way,
) -> R;

/// That of a packet.
type HandleOne<D, P> = Handle<D, P, <D as Datapath>::Verdict<P>>;

/// The same for packets that are there together.
type HandleBatch<D> = for<'r> unsafe fn(
    hop: &'r Hop<D>,
    batch: &mut <D as Datapath>::Batch,
    walk: &'r <D as Datapath>::Walk<'r>,
    from: &'r Hop<D>,
    way: <D as Datapath>::Way,
);

/// The same for what the block has waited for.
type HandleDue<D> = Handle<D, Due, Option<<D as Datapath>::Verdict<Skb>>>;

/// The handlers that are called once for many packets, or rarely: a [`Hop`] has no room for them.
struct Others<D: Datapath> {
    batch: HandleBatch<D>,
    due: HandleDue<D>,
}

impl<D: Datapath> Clone for Others<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Datapath> Copy for Others<D> {}

/// A block, behind some of its handlers.
#[repr(C)]
pub(crate) struct Cased<D: Datapath, B> {
    others: Others<D>,
    block: B,
}

impl<D: Datapath, B> Cased<D, B> {
    /// The block.
    #[inline]
    pub(crate) fn block(&self) -> &B {
        &self.block
    }
}

/// A block's packet handlers.
///
/// # Invariants
///
/// `data` is a [`Cased`] block. The handlers may be called with a hop to it for as long as that lives.
struct Handler<D: Datapath> {
    one: HandleOne<D, Skb>,
    frame: HandleOne<D, Frame>,
    data: NonNull<()>,
}

impl<D: Datapath> Clone for Handler<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Datapath> Copy for Handler<D> {}

impl<D: Datapath> Handler<D> {
    /// The handlers of a block.
    fn of<B: PacketHandler<D>>(cased: &Cased<D, B>) -> Self {
        /// # Safety
        ///
        /// At `hop` is a live `Cased<D, B>`.
        unsafe fn one<'r, D: Datapath, B: PacketHandler<D>>(
            hop: &'r Hop<D>,
            packet: Skb,
            walk: &'r D::Walk<'r>,
            from: &'r Hop<D>,
            way: D::Way,
        ) -> D::Verdict<Skb> {
            // SAFETY: as the caller says.
            let block = unsafe { hop.block::<B>() };
            block.handle(packet, &mut D::context(walk, from, hop, way))
        }
        /// # Safety
        ///
        /// At `hop` is a live `Cased<D, B>`.
        unsafe fn frame<'r, D: Datapath, B: PacketHandler<D>>(
            hop: &'r Hop<D>,
            packet: Frame,
            walk: &'r D::Walk<'r>,
            from: &'r Hop<D>,
            way: D::Way,
        ) -> D::Verdict<Frame> {
            // SAFETY: as the caller says.
            let block = unsafe { hop.block::<B>() };
            block.handle_frame(packet, &mut D::context(walk, from, hop, way))
        }
        // INVARIANT: both take what `data` points to.
        Self {
            one: one::<D, B>,
            frame: frame::<D, B>,
            data: NonNull::from(cased).cast(),
        }
    }
}

/// A reference to a block, known as an `O`, with its packet handlers.
///
/// # Invariants
///
/// `handler` is that of the block, in the allocation of `block`.
pub(crate) struct BlockRef<D: Datapath, O: ?Sized + 'static> {
    pub(super) block: Arc<O>,
    handler: Handler<D>,
}

// SAFETY: the handlers point to the block, which may be used on any CPU as an `O` may.
unsafe impl<D: Datapath, O: ?Sized + Send + Sync + 'static> Send for BlockRef<D, O> {}
// SAFETY: they only lead to shared references to the block, and `PacketHandler`s are `Sync`.
unsafe impl<D: Datapath, O: ?Sized + Send + Sync + 'static> Sync for BlockRef<D, O> {}

impl<D: Datapath, O: ?Sized + 'static> Clone for BlockRef<D, O> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
            handler: self.handler,
        }
    }
}

impl<D: Datapath, O: ?Sized + 'static> BlockRef<D, O> {
    /// Gives a block an allocation of its own. `erase` makes it an `O`. Sleeps.
    pub(crate) fn new<B: PacketHandler<D>>(
        block: B,
        erase: impl FnOnce(Arc<Cased<D, B>>) -> Arc<O>,
    ) -> Result<Self> {
        /// # Safety
        ///
        /// At `hop` is a live `Cased<D, B>`.
        unsafe fn batch<'r, D: Datapath, B: PacketHandler<D>>(
            hop: &'r Hop<D>,
            batch: &mut D::Batch,
            walk: &'r D::Walk<'r>,
            from: &'r Hop<D>,
            way: D::Way,
        ) {
            // SAFETY: as the caller says.
            let block = unsafe { hop.block::<B>() };
            block.handle_batch(batch, &mut D::context(walk, from, hop, way));
        }
        /// # Safety
        ///
        /// At `hop` is a live `Cased<D, B>`.
        unsafe fn due<'r, D: Datapath, B: PacketHandler<D>>(
            hop: &'r Hop<D>,
            due: Due,
            walk: &'r D::Walk<'r>,
            from: &'r Hop<D>,
            way: D::Way,
        ) -> Option<D::Verdict<Skb>> {
            // SAFETY: as the caller says.
            let block = unsafe { hop.block::<B>() };
            block.handle_due(due, &mut D::context(walk, from, hop, way))
        }
        let others = Others {
            batch: batch::<D, B>,
            due: due::<D, B>,
        };
        let cased = Cased { others, block };
        let block = Arc::new(cased, GFP_KERNEL)?;
        let handler = Handler::of(&*block);
        let block = erase(block);
        if !ptr::addr_eq(ptr::from_ref(&*block), handler.data.as_ptr()) {
            return Err(EINVAL);
        }
        // INVARIANT: it is the same allocation.
        Ok(Self { block, handler })
    }

    /// Whether both are the same block.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.block, &other.block)
    }

    /// The block.
    pub(crate) fn object(&self) -> &O {
        &self.block
    }
}

/// What one hop of a packet reads, in one cache line.
///
/// # Invariants
///
/// The handler's block and the counters live as long as this value is in a bank:
/// [`super::wiring`] keeps their owners beside it. The slots are those of the same graph.
#[repr(C, align(64))]
pub(crate) struct Hop<D: Datapath> {
    handler: Handler<D>,
    counters: NonNull<D::Counters>,
    /// The first port of each direction, or what leads nowhere: so a hop has one thing to look at.
    first: [NonNull<Slot<D>>; 2],
    /// All of both, where one of them has more than one, or where the block wants to know its own slot.
    all: Option<AllPorts<D>>,
    idp: Idp,
    /// The directions whose first ports are bound, a bit each.
    bound: u8,
    /// As `entrance`, and in its place in a version with probes: so who looks at that need not ask for probes.
    probed: Option<D::Unclaimed>,
    /// What the block's device receives, or its socket sends, enters the graph here; and what
    /// becomes of what no block takes. The last one: it also says whether there is a hop at all.
    entrance: Option<D::Unclaimed>,
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

impl<D: Datapath> Clone for Hop<D> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler,
            counters: self.counters,
            first: self.first,
            all: self.all.clone(),
            idp: self.idp,
            bound: self.bound,
            entrance: self.entrance,
            probed: self.probed,
        }
    }
}

impl<D: Datapath> Hop<D> {
    /// A hop that leads nowhere yet.
    ///
    /// # Safety
    ///
    /// Whoever puts it into a bank keeps the block and the counters for as long. `nowhere` is a slot of the graph that
    /// the hop is for.
    pub(super) unsafe fn new<O: ?Sized>(
        block: &BlockRef<D, O>,
        counters: &PerCpu<D::Counters>,
        nowhere: NonNull<Slot<D>>,
        idp: Idp,
        entrance: Option<D::Unclaimed>,
        probed: bool,
    ) -> Self {
        let (entrance, probed) = match probed {
            true => (None, entrance),
            false => (entrance, None),
        };
        // INVARIANT: by the contract.
        Self {
            handler: block.handler,
            counters: counters.base(),
            first: [nowhere; 2],
            all: None,
            idp,
            bound: 0,
            entrance,
            probed,
        }
    }

    /// Has the ports lead to slots; `all` where a direction has more than one.
    ///
    /// # Safety
    ///
    /// The slots are those of the graph that the hop is for.
    pub(super) unsafe fn bind(
        &mut self,
        first: [Option<NonNull<Slot<D>>>; 2],
        all: Option<AllPorts<D>>,
    ) {
        for ((to, slot), bit) in self.first.iter_mut().zip(first).zip([1, 2]) {
            if let Some(slot) = slot {
                // INVARIANT: by the contract.
                *to = slot;
                self.bound |= bit;
            }
        }
        self.all = all;
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
        // SAFETY: by the type's invariants the block lives.
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
        // SAFETY: by the type's invariants the block lives.
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
        // SAFETY: by the type's invariants the block lives.
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
        // SAFETY: by the type's invariants the block lives.
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
    pub(crate) fn next<'r, const BANK: usize>(
        &'r self,
        version: Version<'r, BANK>,
        direction: Direction,
    ) -> Option<&'r Self> {
        // SAFETY: a direction is 0 or 1.
        let first = unsafe { self.first.get_unchecked(direction as usize) };
        // SAFETY: by the type's invariants the slot is the graph's, which packets cannot outlive.
        unsafe { first.as_ref() }.hop(version)
    }

    /// Whether the first port of a direction is bound.
    #[inline]
    pub(crate) fn is_bound(&self, direction: Direction) -> bool {
        self.bound & (1 << direction as u8) != 0
    }

    /// The slot that port `index` of a direction is bound to.
    #[inline]
    pub(crate) fn port<'r>(&'r self, direction: Direction, index: u32) -> Option<&'r Slot<D>> {
        if index == 0 {
            let slot = self.first.get(direction as usize)?;
            // SAFETY: by the type's invariants the slot is the graph's, which packets cannot outlive.
            let slot = unsafe { slot.as_ref() };
            return Some(slot).filter(|_| self.is_bound(direction));
        }
        let all = self.all.as_ref()?.ports.get(direction as usize)?;
        // SAFETY: the type's invariants say that slots outlive the hops that lead to them.
        all.get(index as usize).map(|slot| unsafe { slot.as_ref() })
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
pub(crate) struct Slot<D: Datapath> {
    pub(super) banks: [UnsafeCell<Option<Hop<D>>>; 2],
}

// SAFETY: readers only read the live bank, and the one writer only writes the standby bank; see
// `Wiring`.
unsafe impl<D: Datapath> Sync for Slot<D> {}
// SAFETY: the pointers inside are to things that any CPU may use.
unsafe impl<D: Datapath> Send for Slot<D> {}

impl<D: Datapath> Slot<D> {
    /// What a packet that goes by `version` reads here.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the compiler checks the constant")]
    pub(crate) fn hop<'r, const BANK: usize>(
        &'r self,
        _version: Version<'r, BANK>,
    ) -> Option<&'r Hop<D>> {
        // SAFETY: the version's bank is not written to while the version exists, by its invariants.
        unsafe { (*self.banks[BANK].get()).as_ref() }
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
