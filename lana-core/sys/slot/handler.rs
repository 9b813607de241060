// SPDX-License-Identifier: GPL-2.0

//! The handlers of a block, with its type erased.

use super::{Datapath, Hop};
use crate::sys::{frame::Frame, hold::Due, skb::Skb};
use core::{ptr, ptr::NonNull};
use kernel::{prelude::*, sync::Arc};

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
///
/// # Safety
///
/// The handler is that of `hop`, which has it from its block.
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
pub(super) struct Others<D: Datapath> {
    pub(super) batch: HandleBatch<D>,
    pub(super) due: HandleDue<D>,
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
    pub(super) block: B,
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
pub(super) struct Handler<D: Datapath> {
    pub(super) one: HandleOne<D, Skb>,
    pub(super) frame: HandleOne<D, Frame>,
    pub(super) data: NonNull<()>,
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
            // SAFETY: at `hop` is such a block, as the caller says.
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
            // SAFETY: at `hop` is such a block, as the caller says.
            let block = unsafe { hop.block::<B>() };
            block.handle_frame(packet, &mut D::context(walk, from, hop, way))
        }
        // INVARIANT: both take a hop whose handler this is: its `data` is such a block.
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
    pub(in crate::sys) block: Arc<O>,
    pub(super) handler: Handler<D>,
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
            // SAFETY: at `hop` is such a block, as the caller says.
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
            // SAFETY: at `hop` is such a block, as the caller says.
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
