// SPDX-License-Identifier: GPL-2.0

//! The blocks of a graph: name to IDP, IDP to block, and what each is bound and subscribed to.
//!
//! A change is staged: what a block is to be from then on stands beside what it is, until all
//! changes are committed together or all rolled back. Who has the graph's lock and is not in the
//! middle of a change sees nothing staged.

use super::{
    object::BlockRef,
    types::{Type, Use},
    Graph,
};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
    },
    fail,
    packet::{
        entrance::Ppe,
        stats::{BlockStats, BlockTotals},
    },
    sys::{
        context::{cond_resched, Process},
        hold::HoldOwner,
        hook::Hook,
        netdev::Rtnl,
        percpu::PerCpu,
        proc,
        slot::Idp,
        sock::Socket,
    },
};
use core::cell::Cell;
use kernel::{prelude::*, rbtree::RBTree, sync::Arc};

/// A block by its name, whichever IDP it stands behind: its type and its counters.
pub(crate) struct Instance {
    name: Name,
    stats: Arc<PerCpu<BlockStats>>,
    /// Keep what the block holds open. They go before the type's module may.
    holds: Holds,
    kind: Use,
}

/// The queues of held packets that a block has.
pub(crate) type Holds = KVec<Arc<HoldOwner<Ppe>>>;

impl Instance {
    /// Makes what belongs to a block of this name. Sleeps.
    pub(crate) fn new(name: Name, kind: Use, holds: Holds) -> Result<Arc<Self>> {
        let stats = Arc::new(PerCpu::new(&Process::new())?, GFP_KERNEL)?;
        let instance = Self {
            name,
            stats,
            holds,
            kind,
        };
        Ok(Arc::new(instance, GFP_KERNEL)?)
    }

    /// The same by another name, and with the queues of another one, whose block's state it may have. Sleeps.
    pub(crate) fn like(&self, name: Name, other: Option<&Self>) -> Result<Arc<Self>> {
        let kind = Use::new(self.kind.kind()).ok_or(ENODEV)?;
        let mut holds: Holds = KVec::new();
        let others = other.into_iter().flat_map(|other| other.holds.iter());
        for owner in Iterator::chain(self.holds.iter(), others) {
            let known = holds.iter().any(|other| Arc::ptr_eq(other, owner));
            if !known && !owner.hold().is_idle() {
                holds.push(owner.clone(), GFP_KERNEL)?;
            }
        }
        let instance = Self {
            name,
            stats: self.stats.clone(),
            holds,
            kind,
        };
        Ok(Arc::new(instance, GFP_KERNEL)?)
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }
    pub(crate) fn holds(&self) -> &[Arc<HoldOwner<Ppe>>] {
        &self.holds
    }
    pub(crate) fn stats(&self) -> &Arc<PerCpu<BlockStats>> {
        &self.stats
    }
    pub(crate) fn totals(&self) -> BlockTotals {
        BlockTotals::of(&self.stats)
    }
    pub(crate) fn kind(&self) -> &Type {
        self.kind.kind()
    }
}

/// The blocks that the ports of one direction are bound to, by the numbers of the ports.
pub(crate) type Peers = KVec<Idp>;

/// What there is at an IDP: a block, and what only the control side changes.
pub(crate) struct Face {
    pub(crate) block: BlockRef,
    /// The blocks that the ports are bound to, by direction.
    pub(crate) ports: [Peers; 2],
    /// The blocks whose events this one gets by an explicit subscription.
    pub(crate) publishers: KVec<Idp>,
    /// The blocks that get this one's events by an explicit subscription.
    pub(crate) subscribers: KVec<Idp>,
    /// The device that the block stands for.
    pub(crate) hook: Option<Arc<Hook>>,
    /// The socket that it stands for.
    pub(crate) socket: Option<Socket>,
    // Last: its type's module keeps the block's code.
    pub(crate) instance: Arc<Instance>,
}

impl Face {
    fn copy(&self) -> Result<Self> {
        fn list(of: &KVec<Idp>) -> Result<KVec<Idp>> {
            let mut list = KVec::with_capacity(of.len(), GFP_KERNEL)?;
            list.extend_from_slice(of, GFP_KERNEL)?;
            Ok(list)
        }
        let [ingress, egress] = &self.ports;
        Ok(Self {
            block: self.block.clone(),
            ports: [list(ingress)?, list(egress)?],
            publishers: list(&self.publishers)?,
            subscribers: list(&self.subscribers)?,
            hook: self.hook.clone(),
            socket: self.socket.clone(),
            instance: self.instance.clone(),
        })
    }

    /// What it stands for, in words: such a block comes and goes with that.
    pub(crate) fn stands_for(&self) -> Option<&'static str> {
        match (&self.hook, &self.socket) {
            (Some(_), _) => Some("device"),
            (_, Some(_)) => Some("socket"),
            _ => None,
        }
    }

    /// All blocks that are bound to this one, those above first.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Idp> + '_ {
        self.ports.iter().flatten().copied()
    }

    /// The blocks that get this one's events: those it is bound to, and its subscribers.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = Idp> + '_ {
        Iterator::chain(self.peers(), self.subscribers.iter().copied())
    }

    /// One for being registered, one for each port and each subscription that points here.
    pub(crate) fn refcnt(&self) -> u32 {
        let refs = self.peers().count().saturating_add(self.subscribers.len());
        u32::try_from(refs).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// An IDP.
#[derive(Default)]
struct Entry {
    now: Option<KBox<Face>>,
    /// While it is staged what is to come, and after a commit what was.
    other: Option<KBox<Face>>,
    staged: bool,
    /// The last search that came by here.
    mark: Cell<u64>,
}

impl Entry {
    fn face(&self) -> Option<&Face> {
        if self.staged {
            self.other.as_deref()
        } else {
            self.now.as_deref()
        }
    }
}

/// A name.
#[derive(Default)]
struct Named {
    now: Option<Idp>,
    next: Option<Idp>,
    staged: bool,
    file: Option<File>,
    /// Its file is being removed.
    going: bool,
}

impl Named {
    fn idp(&self) -> Option<Idp> {
        if self.staged {
            self.next
        } else {
            self.now
        }
    }
}

/// The file of a name.
type File = proc::File<Graph>;

/// Files that are to be removed, with no lock of ours held: who reads one may take as long as user
/// space likes.
pub(crate) type Files = KVVec<(Name, Option<File>)>;

/// What blocks were before a change.
pub(crate) type Past = KVVec<KBox<Face>>;

/// The blocks of a graph.
pub(crate) struct Registry {
    /// By IDP, from 1 on.
    entries: KVVec<Entry>,
    names: RBTree<Name, Named>,
    /// IDPs that nothing stands behind. There is room for all of them.
    free: KVVec<Idp>,
    /// What is staged.
    touched: KVVec<Idp>,
    renamed: KVVec<Name>,
    /// Room for the files of all staged names.
    files: Files,
    marks: Cell<u64>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            entries: KVVec::new(),
            names: RBTree::new(),
            free: KVVec::new(),
            touched: KVVec::new(),
            renamed: KVVec::new(),
            files: KVVec::new(),
            marks: Cell::new(0),
        }
    }

    fn entry(&self, idp: Idp) -> Option<&Entry> {
        self.entries.get((idp as usize).checked_sub(1)?)
    }

    fn entry_mut(&mut self, idp: Idp) -> Option<&mut Entry> {
        self.entries.get_mut((idp as usize).checked_sub(1)?)
    }

    /// What there is at an IDP, or is to be.
    pub(crate) fn face(&self, idp: Idp) -> Option<&Face> {
        self.entry(idp)?.face()
    }

    /// What was at an IDP before the change that has just been committed.
    pub(crate) fn before(&self, idp: Idp) -> Option<&Face> {
        self.entry(idp)?.other.as_deref()
    }

    /// The block of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Result<(Idp, &Face), Failure> {
        Name::new(name)
            .ok()
            .and_then(|name| self.names.get(&name)?.idp())
            .and_then(|idp| Some((idp, self.face(idp)?)))
            .ok_or_else(|| fail!(ENOENT, "no block '{}'", Shown(name)))
    }

    /// The first block whose IDP is `from` or higher.
    pub(crate) fn first_from(&self, from: Idp) -> Option<(Idp, &Face)> {
        self.from(from).next()
    }

    /// All blocks, in the order of their IDPs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Idp, &Face)> {
        self.from(1)
    }

    fn from(&self, from: Idp) -> impl Iterator<Item = (Idp, &Face)> {
        let skip = (from as usize).saturating_sub(1);
        let entries = self.entries.get(skip..).unwrap_or_default();
        Iterator::zip(from.max(1).., entries).filter_map(|(idp, e)| Some((idp, e.face()?)))
    }

    /// A number for a search to mark what it has seen.
    pub(crate) fn new_mark(&self) -> u64 {
        self.marks.set(self.marks.get().wrapping_add(1));
        self.marks.get()
    }

    /// Marks an IDP, and says whether it was marked so already.
    pub(crate) fn set_mark(&self, idp: Idp, mark: u64) -> bool {
        self.entry(idp)
            .is_none_or(|entry| entry.mark.replace(mark) == mark)
    }

    /// Whether a name is free.
    pub(crate) fn check_name(&self, name: &Name) -> Result<(), Failure> {
        match self.names.get(name) {
            Some(named) if named.idp().is_some() => Err(self.taken(name, named)),
            Some(named) if named.going => {
                Err(fail!(EBUSY, "the file of the '{}' before is in use", name))
            }
            _ => Ok(()),
        }
    }

    /// The failure to take a name that a block has, which may stand for a device of another name.
    fn taken(&self, name: &Name, named: &Named) -> Failure {
        let face = named.idp().and_then(|idp| self.face(idp));
        let device = face.and_then(|face| Some(face.hook.as_ref()?.device()?.name()));
        match device.filter(|device| device != name) {
            Some(device) => fail!(
                EEXIST,
                "'{}' exists already: it is the block of {}",
                name,
                device
            ),
            None => fail!(EEXIST, "'{}' exists already", name),
        }
    }

    /// Stages a block under a name that is free: at the IDP that is given, from which a block has
    /// been removed in the same change, or else at the one that was given back last, or a new one.
    pub(crate) fn add(&mut self, name: Name, face: Face, at: Option<Idp>) -> Result<Idp, Failure> {
        self.check_name(&name)?;
        let face = KBox::new(face, GFP_KERNEL)?;
        self.touched.reserve(1, GFP_KERNEL)?;
        let idp = at.or(self.free.last().copied());
        let idp = match idp {
            Some(idp) => idp,
            None => {
                let idp = self.entries.len().wrapping_add(1);
                // Room for all to be given back.
                self.free.reserve(idp, GFP_KERNEL)?;
                self.entries.push(Entry::default(), GFP_KERNEL)?;
                let idp = u32::try_from(idp).map_err(|_| ENOSPC)?;
                let _ = self.free.push(idp, GFP_KERNEL);
                idp
            }
        };
        self.rename(name, Some(idp))?;
        if at.is_none() {
            self.free.pop();
        }
        if let Some(entry) = self.entry_mut(idp) {
            entry.other = Some(face);
            if !core::mem::replace(&mut entry.staged, true) {
                // The room is there.
                let _ = self.touched.push(idp, GFP_KERNEL);
            }
        }
        Ok(idp)
    }

    /// The device of a block whose removal is staged.
    pub(crate) fn leaving_hook(&self, idp: Idp) -> Option<Arc<Hook>> {
        let entry = self.entry(idp).filter(|entry| entry.face().is_none())?;
        entry.now.as_ref()?.hook.clone()
    }

    /// Stages which block a name stands for.
    pub(crate) fn rename(&mut self, name: Name, idp: Option<Idp>) -> Result {
        self.renamed.reserve(1, GFP_KERNEL)?;
        self.files
            .reserve(self.renamed.len().saturating_add(1), GFP_KERNEL)?;
        if self.names.get(&name).is_none() {
            self.names
                .try_create_and_insert(name, Named::default(), GFP_KERNEL)?;
        }
        let Some(named) = self.names.get_mut(&name) else {
            return Err(ENOENT);
        };
        named.next = idp;
        if !core::mem::replace(&mut named.staged, true) {
            self.renamed.push(name, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Stages that a block goes.
    pub(crate) fn remove(&mut self, idp: Idp) -> Result {
        let name = *self.face(idp).ok_or(ENOENT)?.instance.name();
        self.touched.reserve(1, GFP_KERNEL)?;
        self.rename(name, None)?;
        let Some(entry) = self.entry_mut(idp) else {
            return Err(ENOENT);
        };
        entry.other = None;
        if !core::mem::replace(&mut entry.staged, true) {
            self.touched.push(idp, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Stages a change of what there is at an IDP.
    pub(crate) fn stage(&mut self, idp: Idp) -> Result<&mut Face> {
        self.touched.reserve(1, GFP_KERNEL)?;
        let index = (idp as usize).checked_sub(1).ok_or(ENOENT)?;
        let entry = self.entries.get_mut(index).ok_or(ENOENT)?;
        if !entry.staged {
            let copy = entry.now.as_ref().ok_or(ENOENT)?.copy()?;
            entry.other = Some(KBox::new(copy, GFP_KERNEL)?);
            entry.staged = true;
            self.touched.push(idp, GFP_KERNEL)?;
        }
        entry.other.as_deref_mut().ok_or(ENOENT)
    }

    /// The IDPs at which something is staged.
    pub(crate) fn touched(&self) -> &[Idp] {
        &self.touched
    }

    /// The names of which it is staged what they stand for.
    pub(crate) fn renamed(&self) -> &[Name] {
        &self.renamed
    }

    /// Whether what is staged makes a block, sets or replaces it, or binds a port of a direction.
    pub(crate) fn gains(&self, idp: Idp, direction: usize) -> bool {
        let Some(entry) = self.entry(idp).filter(|entry| entry.staged) else {
            return false;
        };
        match (&entry.now, &entry.other) {
            (Some(now), Some(next)) => {
                let old = now.ports.get(direction).map_or(&[][..], |ports| ports);
                let new = next.ports.get(direction).map_or(&[][..], |ports| ports);
                !now.block.is(&next.block) || new.iter().any(|peer| !old.contains(peer))
            }
            (_, next) => next.is_some(),
        }
    }

    /// Has the devices go, after a commit, whose blocks have gone; says whether there are any. What waits
    /// for a grace period after that may forget the blocks.
    pub(crate) fn detach(&self, rtnl: &Rtnl) -> bool {
        let mut any = false;
        for &idp in &self.touched {
            let stays = self.face(idp).is_some_and(|face| face.hook.is_some());
            if let Some(hook) = self.before(idp).and_then(|face| face.hook.as_ref()) {
                if !stays {
                    hook.detach(rtnl);
                    any = true;
                }
            }
        }
        any
    }

    /// Makes the files that the staged names want and do not have.
    pub(crate) fn make_files(&mut self, make: impl Fn(&Name) -> Result<File>) -> Result {
        let Self {
            entries,
            names,
            renamed,
            ..
        } = self;
        for name in renamed.iter() {
            let Some(named) = names.get_mut(name) else {
                continue;
            };
            let entry = named
                .next
                .and_then(|idp| entries.get((idp as usize).checked_sub(1)?));
            let face = entry.and_then(Entry::face);
            if named.file.is_none() && face.is_some_and(|f| f.instance.kind().has_file()) {
                named.file = Some(make(name)?);
            }
        }
        Ok(())
    }

    /// Makes what is staged what is, or else forgets it. Gives the files that are not wanted any
    /// more. Sleeps.
    pub(crate) fn end(&mut self, commit: bool) -> Files {
        let process = Process::new();
        for &idp in self.touched.iter().rev() {
            cond_resched(&process);
            let Some(entry) = self.entries.get_mut((idp as usize).wrapping_sub(1)) else {
                continue;
            };
            entry.staged = false;
            if commit {
                core::mem::swap(&mut entry.now, &mut entry.other);
            } else {
                entry.other = None;
                if entry.now.is_none() {
                    // There is room.
                    let _ = self.free.push(idp, GFP_KERNEL);
                }
            }
        }
        for &name in &core::mem::take(&mut self.renamed) {
            cond_resched(&process);
            let Some(named) = self.names.get_mut(&name) else {
                continue;
            };
            named.staged = false;
            if commit {
                named.now = named.next;
            }
            let face = named
                .now
                .and_then(|idp| self.entries.get((idp as usize).checked_sub(1)?)?.face());
            if !face.is_some_and(|face| face.instance.kind().has_file()) {
                named.going = named.file.is_some();
                // There is room.
                let _ = self.files.push((name, named.file.take()), GFP_KERNEL);
            }
        }
        if !commit {
            self.touched = KVVec::new();
        }
        core::mem::take(&mut self.files)
    }

    /// After a commit: marks the counters that the change has left, by its number.
    pub(crate) fn mark_counters(&self, change: u32) {
        for face in self.touched.iter().filter_map(|&idp| self.face(idp)) {
            BlockStats::mark(face.instance.stats(), change);
        }
    }

    /// Those that it has not, and that were a block's before.
    pub(crate) fn gone_counters(&self, change: u32) -> impl Iterator<Item = &PerCpu<BlockStats>> {
        let before = self.touched.iter().filter_map(|&idp| self.before(idp));
        before
            .map(|face| &**face.instance.stats())
            .filter(move |stats| !BlockStats::is_marked(stats, change))
    }

    /// After a commit, and once no packet can be at what was before: forgets that. It goes to `past`, which has room,
    /// but for what it holds of devices and sockets. Sleeps.
    pub(crate) fn forget(&mut self, past: &mut Past) {
        let process = Process::new();
        for idp in core::mem::take(&mut self.touched) {
            cond_resched(&process);
            let Some(entry) = self.entry_mut(idp) else {
                continue;
            };
            if let Some(mut face) = entry.other.take() {
                (face.hook, face.socket) = (None, None);
                let _ = past.push_within_capacity(face);
            }
            if entry.now.is_none() {
                // There is room.
                let _ = self.free.push(idp, GFP_KERNEL);
            }
        }
    }

    /// The files of these names are removed.
    pub(crate) fn gone(&mut self, files: &Files) {
        for (name, _) in files {
            let Some(named) = self.names.get_mut(name) else {
                continue;
            };
            named.going = false;
            if named.now.is_none() && !named.staged {
                self.names.remove(name);
            }
        }
    }
}
