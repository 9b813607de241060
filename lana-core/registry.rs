// SPDX-License-Identifier: GPL-2.0

//! The blocks of a graph: name to IDP, IDP to block, and what each is bound and subscribed to.

use crate::{
    block::{Args, Object},
    builder::{Type, Use},
    error::Failure,
    fail,
    name::{Name, Shown},
    stats::{BlockStats, BlockTotals},
    sys::{
        netdev::Hook,
        percpu::PerCpu,
        proc,
        slot::{Handler, Hop, Slot},
    },
};
use kernel::{
    prelude::*,
    rbtree::RBTree,
    sync::{Arc, UniqueArc},
};

/// Information dispatch point: the number by which a block is addressed. 0 is none.
pub(crate) type Idp = u32;

/// A functional block: the object with all that the engine and the tools keep about it.
pub(crate) struct Instance {
    name: Name,
    idp: Idp,
    slot: Slot,
    handler: Handler,
    stats: PerCpu<BlockStats>,
    object: Arc<dyn Object>,
    // Last: the object's code is the module's, which this keeps loaded.
    kind: Use,
}

impl Instance {
    /// Makes a block of a type. Nothing is bound to it. Sleeps.
    fn new(name: Name, idp: Idp, kind: Use, args: &mut Args) -> Result<Arc<Self>> {
        let (object, handler) = kind.make(args)?;
        let mut new = UniqueArc::new(
            Self {
                name,
                idp,
                slot: Slot::new(),
                handler,
                stats: PerCpu::new()?,
                object,
                kind,
            },
            GFP_KERNEL,
        )?;
        let hops = [Hop::new(&new, [&[], &[]])?, Hop::new(&new, [&[], &[]])?];
        new.slot.init(hops);
        Ok(new.into())
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }
    pub(crate) fn idp(&self) -> Idp {
        self.idp
    }
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }
    pub(crate) fn handler(&self) -> Handler {
        self.handler
    }
    pub(crate) fn stats(&self) -> &PerCpu<BlockStats> {
        &self.stats
    }
    pub(crate) fn totals(&self) -> BlockTotals {
        BlockTotals::of(&self.stats)
    }
    pub(crate) fn object(&self) -> &dyn Object {
        &*self.object
    }
    pub(crate) fn kind(&self) -> &Type {
        self.kind.kind()
    }
}

/// The blocks that the ports of one direction are bound to, by the numbers of the ports.
pub(crate) type Peers = KVec<Arc<Instance>>;

/// A block as the registry keeps it, with what only the control side changes.
pub(crate) struct Entry {
    // Teardown is in this order: first no packets come from the device and no user of the file
    // is left, then the block may go.
    pub(crate) hook: Option<Hook>,
    pub(crate) file: Option<proc::File>,
    /// The blocks that the ports are bound to, by direction.
    pub(crate) ports: [Peers; 2],
    /// The blocks whose events this one gets by an explicit subscription.
    pub(crate) publishers: KVec<Idp>,
    /// The blocks that get this one's events by an explicit subscription.
    pub(crate) subscribers: KVec<Idp>,
    pub(crate) instance: Arc<Instance>,
    /// It is being removed: requests do not find it any more.
    pub(crate) going: bool,
}

impl Entry {
    /// All blocks that are bound to this one, those above first.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.ports.iter().flatten()
    }

    /// The blocks that get this one's events: those it is bound to, and its subscribers; each once.
    pub(crate) fn listeners<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> impl Iterator<Item = &'a Instance> {
        let bound = self.peers().map(|peer| &**peer);
        let subscribed = self
            .subscribers
            .iter()
            .filter(|&&idp| !self.is_bound_to(idp))
            .filter_map(|&idp| registry.get(idp))
            .map(|entry| &*entry.instance);
        Iterator::chain(bound, subscribed)
    }

    /// Whether a block is among those.
    pub(crate) fn is_heard_by(&self, idp: Idp) -> bool {
        self.is_bound_to(idp) || self.subscribers.contains(&idp)
    }

    fn is_bound_to(&self, idp: Idp) -> bool {
        self.peers().any(|peer| peer.idp() == idp)
    }

    /// One for being registered, one for each port and each subscription that points here.
    pub(crate) fn refcnt(&self) -> u32 {
        let refs = self.peers().count() + self.subscribers.len();
        u32::try_from(refs).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// The blocks of a graph.
pub(crate) struct Registry {
    by_idp: RBTree<Idp, Entry>,
    by_name: RBTree<Name, Idp>,
    /// IDPs that were given back, and the one after the highest ever given.
    free: KVec<Idp>,
    next: Idp,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            by_idp: RBTree::new(),
            by_name: RBTree::new(),
            free: KVec::new(),
            next: 1,
        }
    }

    /// Makes a block and enters it, under the IDP that was given back last or else a new one. Sleeps.
    pub(crate) fn add(
        &mut self,
        name: Name,
        kind: Use,
        args: &mut Args,
    ) -> Result<&mut Entry, Failure> {
        if self.by_name.get(&name).is_some() {
            return Err(fail!(EEXIST, "'{}' exists already", name));
        }
        let idp = *self.free.last().unwrap_or(&self.next);
        let next = self.next.checked_add(1).ok_or(ENOSPC)?;
        let instance = Instance::new(name, idp, kind, args)?;
        let entry = Entry {
            hook: None,
            file: None,
            ports: [KVec::new(), KVec::new()],
            publishers: KVec::new(),
            subscribers: KVec::new(),
            instance,
            going: false,
        };
        self.by_name.try_create_and_insert(name, idp, GFP_KERNEL)?;
        if let Err(e) = self.by_idp.try_create_and_insert(idp, entry, GFP_KERNEL) {
            self.by_name.remove(&name);
            return Err(e.into());
        }
        if self.free.pop().is_none() {
            self.next = next;
        }
        self.by_idp.get_mut(&idp).ok_or_else(|| ENOENT.into())
    }

    /// Takes a block out.
    pub(crate) fn remove(&mut self, idp: Idp) -> Option<Entry> {
        let entry = self.by_idp.remove(&idp)?;
        self.by_name.remove(entry.instance.name());
        // Without room the number is not used again, which is no harm.
        let _ = self.free.push(idp, GFP_KERNEL);
        Some(entry)
    }

    pub(crate) fn get(&self, idp: Idp) -> Option<&Entry> {
        self.by_idp.get(&idp)
    }

    pub(crate) fn get_mut(&mut self, idp: Idp) -> Option<&mut Entry> {
        self.by_idp.get_mut(&idp)
    }

    /// The block of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Result<&Entry, Failure> {
        Name::new(name)
            .ok()
            .and_then(|name| self.by_name.get(&name))
            .and_then(|idp| self.by_idp.get(idp))
            .filter(|entry| !entry.going)
            .ok_or_else(|| fail!(ENOENT, "no block '{}'", Shown(name)))
    }

    /// The first block whose IDP is `from` or higher.
    pub(crate) fn first_from(&self, from: Idp) -> Option<&Entry> {
        let idp = *self.by_idp.cursor_lower_bound(&from)?.current().0;
        self.by_idp.get(&idp)
    }

    /// All blocks, in the order of their IDPs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.by_idp.values()
    }

    /// All blocks, in the order of their IDPs.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.by_idp.values_mut()
    }
}
