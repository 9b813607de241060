// SPDX-License-Identifier: GPL-2.0

//! The wiring as it is changed, in both banks of the slots that packets read: [`super::slot`].
//!
//! A change, of however many slots, is drafted in their standby banks, which nobody reads, and
//! published by the one store that flips the version, or reverted. The bank that was live is then left
//! alone until its last reader has ended, and brought up to date before the next change is drafted.

use super::{
    context::{cond_resched, Process},
    hold::HoldOwner,
    percpu::PerCpu,
    rcu::Snapshot,
    slot::{BlockRef, Datapath, Entrance, First, Hop, Idp, More, Ports, Slot},
    version::LiveVersion,
};
use core::{cell::UnsafeCell, ptr::NonNull};
use kernel::{prelude::*, sync::Arc};

/// What is to stand behind an IDP: a block known as an `O`, which belongs to an `I`.
pub(crate) struct Draft<'a, D: Datapath, O: ?Sized + 'static, I> {
    pub(crate) block: &'a BlockRef<D, O>,
    pub(crate) counters: &'a Arc<PerCpu<D::Counters>>,
    pub(crate) instance: &'a Arc<I>,
    /// The IDPs that the ports are bound to, by direction.
    pub(crate) ports: [&'a [Idp]; 2],
    pub(crate) entrance: Option<D::Unclaimed>,
    /// Whether the version has probes.
    pub(crate) probed: bool,
    /// Whether the block wants to know its slot.
    pub(crate) holds: bool,
}

/// Keeps what a bank's hop points to.
struct Owner<D: Datapath, O: ?Sized + 'static, I> {
    block: Arc<O>,
    counters: Arc<PerCpu<D::Counters>>,
    /// Where the hop leads to, to be worked out for the other bank.
    first: First<D>,
    // After the block: its type's module is kept by it.
    instance: Arc<I>,
}

impl<D: Datapath, O: ?Sized + 'static, I> Clone for Owner<D, O, I> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
            counters: self.counters.clone(),
            first: self.first,
            instance: self.instance.clone(),
        }
    }
}

/// A slot, with the owners of what is in its banks.
struct OwnedSlot<D: Datapath, O: ?Sized + 'static, I> {
    slot: KBox<Slot<D>>,
    owners: [Option<Owner<D, O, I>>; 2],
}

/// The writer's side of the wiring. There is one for a graph, in the graph's lock.
///
/// # Invariants
///
/// When `since` is none, no packet reads the standby banks. They are written to only then. When `written` is empty, too,
/// and `written_beside` false, both banks of all slots say the same, each of the hops in its own bank. Slots are not
/// given back before the graph is.
pub(crate) struct Wiring<D: Datapath, O: ?Sized + 'static, I> {
    /// By IDP. Behind the first one stands nothing, ever: ports that are not bound lead there.
    slots: KVVec<OwnedSlot<D, O, I>>,
    /// The IDPs of the slots whose banks differ.
    written: KVVec<Idp>,
    /// Whether those of what belongs to the versions differ.
    written_beside: bool,
    /// When the last change was published, unless it has been brought over to both banks since.
    since: Option<Snapshot>,
}

impl<D: Datapath, O: ?Sized + 'static, I> Default for Wiring<D, O, I> {
    fn default() -> Self {
        Self {
            slots: KVVec::new(),
            written: KVVec::new(),
            written_beside: false,
            since: None,
        }
    }
}

impl<D: Datapath, O: ?Sized + 'static, I> Wiring<D, O, I> {
    /// Makes slots up to that of `idp`, with nothing behind them. Sleeps.
    pub(crate) fn reserve(&mut self, idp: Idp) -> Result {
        while self.slots.len() <= idp as usize {
            let slot = Slot {
                banks: [const { UnsafeCell::new(None) }; 2],
            };
            let owned = OwnedSlot {
                slot: KBox::new(slot, GFP_KERNEL)?,
                owners: [None, None],
            };
            self.slots.push(owned, GFP_KERNEL)?;
        }
        Ok(())
    }

    fn owned(&self, idp: Idp) -> Option<&OwnedSlot<D, O, I>> {
        self.slots.get(idp as usize).filter(|_| idp != 0)
    }

    /// What stands behind an IDP, for who is told of it.
    pub(crate) fn place(&self, idp: Idp) -> Option<&Slot<D>> {
        Some(&self.owned(idp)?.slot)
    }

    fn slot(&self, idp: Idp) -> Result<NonNull<Slot<D>>> {
        let owned = self.owned(idp).ok_or(ENOENT)?;
        Ok(NonNull::from(&*owned.slot))
    }

    /// The slot of `idp`, for a device or a socket that the graph outlives.
    pub(crate) fn entrance(&self, idp: Idp) -> Result<Entrance<D>> {
        // SAFETY: slots stay as long as the graph does.
        self.slot(idp).map(|slot| unsafe { Entrance::new(slot) })
    }

    /// The change is published that concerns the block at `idp`, which has this hold: see [`HoldOwner::changed`].
    pub(crate) fn changed(&self, idp: Idp, owner: &HoldOwner<D>) {
        if let Ok(slot) = self.slot(idp) {
            // SAFETY: the slot is one of this graph, which its blocks' holds are opened for.
            unsafe { owner.changed(slot) };
        }
    }

    /// Waits until nobody reads the bank that was live before the last change, and brings it up
    /// to date. Sleeps.
    pub(crate) fn settle(&mut self, live: &LiveVersion<D::Beside>) {
        if let Some(since) = self.since.take() {
            since.wait();
            self.copy(live);
        }
    }

    /// Has [`Wiring::settle`] wait for those, too, who have begun to read since the last change.
    pub(crate) fn prolong(&mut self) {
        self.since = self.since.map(|_| Snapshot::now());
    }

    /// Takes back what was drafted. Sleeps.
    pub(crate) fn revert(&mut self, live: &LiveVersion<D::Beside>) {
        if self.since.is_none() {
            self.copy(live);
        }
    }

    /// Makes the standby banks what the live ones are. No packet reads the standby ones.
    /// Sleeps.
    fn copy(&mut self, live: &LiveVersion<D::Beside>) {
        let bank = live.bank();
        let process = Process::new();
        for idp in core::mem::take(&mut self.written) {
            cond_resched(&process);
            let Some(owned) = self.owned(idp) else {
                continue;
            };
            let owner = owned.owners.get(bank).cloned().flatten();
            // SAFETY: nobody writes to the live bank, and its number is 0 or 1.
            let hop = unsafe { &*owned.slot.banks.get_unchecked(bank).get() };
            // SAFETY: it is put there below, with an owner of the same; the slots are those it has been made with.
            let other = |hop: &Hop<D>, owner: &Owner<D, O, I>| unsafe {
                hop.in_bank(owner.first, bank ^ 1)
            };
            let hop = hop
                .as_ref()
                .zip(owner.as_ref())
                .map(|(hop, owner)| other(hop, owner));
            // SAFETY: the bank is the standby one, which no packet reads, by the callers.
            unsafe { self.write(bank ^ 1, idp, hop, owner) };
        }
        if core::mem::take(&mut self.written_beside) {
            // SAFETY: nobody writes to the live bank, and its number is 0 or 1.
            let beside = unsafe { (*live.beside.get_unchecked(bank).get()).clone() };
            // SAFETY: the bank is the standby one, which no packet reads, by the callers.
            unsafe { Self::write_beside(live, bank ^ 1, beside) };
        }
    }

    /// Drafts what belongs to the next version beside its slots. Sleeps as [`Wiring::draft`] does.
    pub(crate) fn draft_beside(
        &mut self,
        live: &LiveVersion<D::Beside>,
        beside: Option<Arc<D::Beside>>,
    ) {
        self.settle(live);
        self.written_beside = true;
        // SAFETY: the banks are settled, so that no packet reads the standby one.
        unsafe { Self::write_beside(live, live.bank() ^ 1, beside) };
    }

    /// # Safety
    ///
    /// No packet reads the bank, and the wiring is that of the version.
    unsafe fn write_beside(
        live: &LiveVersion<D::Beside>,
        bank: usize,
        beside: Option<Arc<D::Beside>>,
    ) {
        if let Some(to) = live.beside.get(bank) {
            // SAFETY: no packet reads the bank, as the caller says, and there is one wiring for a version, borrowed
            // exclusively by those who call this.
            unsafe { *to.get() = beside };
        }
    }

    /// Drafts what stands behind an IDP from the next version on. Sleeps until the readers of the
    /// version before the last one have ended.
    pub(crate) fn draft(
        &mut self,
        live: &LiveVersion<D::Beside>,
        idp: Idp,
        draft: Option<Draft<'_, D, O, I>>,
    ) -> Result {
        self.settle(live);
        let bank = live.bank() ^ 1;
        let (hop, owner) = match draft {
            Some(draft) => {
                let ports = self.ports(idp, &draft)?;
                let owner = Owner {
                    block: draft.block.block.clone(),
                    counters: draft.counters.clone(),
                    first: ports.first,
                    instance: draft.instance.clone(),
                };
                let Draft {
                    block,
                    counters,
                    entrance,
                    probed,
                    ..
                } = draft;
                // SAFETY: it is put into that bank below, with the owner of both; the slots are this graph's.
                let hop = unsafe { Hop::new(block, counters, ports, idp, entrance, probed, bank) };
                (Some(hop), Some(owner))
            }
            None => (None, None),
        };
        self.written.push(idp, GFP_KERNEL)?;
        // SAFETY: the banks are settled, so that no packet reads the standby one.
        unsafe { self.write(bank, idp, hop, owner) };
        Ok(())
    }

    fn ports(&self, idp: Idp, draft: &Draft<'_, D, O, I>) -> Result<Ports<D>> {
        let nowhere = NonNull::from(&*self.slots.first().ok_or(ENOENT)?.slot);
        let (mut first, mut bound) = ([nowhere; 2], 0);
        for ((peers, first), bit) in draft.ports.iter().zip(first.iter_mut()).zip([1, 2]) {
            if let Some(&peer) = peers.first() {
                *first = self.slot(peer)?;
                bound |= bit;
            }
        }
        let mut all = None;
        if draft.holds || draft.ports.iter().any(|peers| peers.len() > 1) {
            let mut lists = [KVec::new(), KVec::new()];
            for (peers, slots) in draft.ports.iter().zip(lists.iter_mut()) {
                for &peer in *peers {
                    slots.push(self.slot(peer)?, GFP_KERNEL)?;
                }
            }
            let more = More {
                ports: lists,
                own: self.slot(idp)?,
            };
            all = Some(Arc::new(more, GFP_KERNEL)?);
        }
        Ok(Ports { first, bound, all })
    }

    /// # Safety
    ///
    /// No packet reads the bank.
    unsafe fn write(
        &mut self,
        bank: usize,
        idp: Idp,
        hop: Option<Hop<D>>,
        owner: Option<Owner<D, O, I>>,
    ) {
        let owned = self.slots.get_mut(idp as usize).filter(|_| idp != 0);
        let Some(owned) = owned else { return };
        if let (Some(to), Some(kept)) = (owned.slot.banks.get(bank), owned.owners.get_mut(bank)) {
            // SAFETY: no packet reads the bank, as the caller says, and the exclusive borrow keeps others
            // from it.
            unsafe { *to.get() = hop };
            // What the hop before this one pointed to goes now.
            *kept = owner;
        }
    }

    /// Makes what was drafted take effect, all at once. Does not fail. Sleeps where nothing was drafted: the other banks
    /// are brought up to date then.
    pub(crate) fn publish(&mut self, live: &LiveVersion<D::Beside>) {
        self.settle(live);
        live.flip();
        self.since = Some(Snapshot::now());
    }
}

// SAFETY: the pointers in the hops are to things that any CPU may use.
unsafe impl<D, O, I> Send for Wiring<D, O, I>
where
    D: Datapath,
    O: ?Sized + Send + Sync + 'static,
    I: Send + Sync,
{
}
