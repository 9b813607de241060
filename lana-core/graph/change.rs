// SPDX-License-Identifier: GPL-2.0

//! A change of a graph: any number of operations that take effect together, or not at all.
//!
//! Each operation checks and stages; nobody sees anything of it. [`Change::commit`] prepares what
//! can fail (the wiring's standby banks, files), and then does what cannot: one store makes the
//! change for all packets, and the graph's lock, held throughout, makes it for people. A change
//! that is dropped instead leaves all as it was.

mod commit;
pub(crate) mod devices;
mod ports;
mod probes;
mod search;

use self::devices::Programs;
use super::{
    block::{no_option, Args},
    notifier::{About, Event, Kind},
    object::{self, BlockRef},
    registry::{Face, Instance, Past},
    types::Use,
    Graph, State,
};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
        port::Direction,
    },
    fail,
    packet::probe::Probes,
    sys::{
        bindings,
        compat::EOPNOTSUPP,
        context::Process,
        netdev::{Device, DeviceHandle, DeviceName, Rtnl},
        slot::Idp,
        sock::{Socket, SocketHandle},
    },
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{lock::mutex::MutexGuard, Arc},
};

const INGRESS: usize = Direction::Ingress as usize;
const EGRESS: usize = Direction::Egress as usize;

/// What a block is to stand for.
enum Stands<'a> {
    Nothing,
    Device(&'a DeviceHandle, DeviceName),
    Socket(Socket, SocketHandle),
}

/// A change in the making.
pub(crate) struct Change<'g> {
    graph: &'g Graph,
    /// There until the end.
    state: Option<MutexGuard<'g, State>>,
    /// Held for operations on devices. Taken before the graph's lock and given back after it.
    rtnl: Option<Rtnl>,
    defers_files: bool,
    last_try: bool,
    events: KVVec<Event>,
    /// The virtual devices that were made, and go if the change is not made.
    coming: KVec<Device>,
    /// Those that go when it is.
    going: KVec<Device>,
    /// Those that drivers run already, for the devices that are to be hooked by their frames.
    programs: Programs,
    /// The probes that the next version is to have, where these change.
    probes: Option<Option<Arc<Probes>>>,
    /// What blocks were before it, once it is made. Blocks may take long to end.
    past: Past,
}

impl<'g> Change<'g> {
    /// Locks the graph for a change. Sleeps.
    pub(crate) fn new(graph: &'g Graph, rtnl: Option<Rtnl>) -> Self {
        Self::of(graph, graph.lock(), rtnl)
    }

    /// The same for one that hooks devices by their frames. Sleeps.
    pub(crate) fn with_programs(graph: &'g Graph, rtnl: Option<Rtnl>, programs: Programs) -> Self {
        let mut change = Self::new(graph, rtnl);
        change.programs = programs;
        change
    }

    /// A change of a graph that is locked.
    pub(crate) fn of(graph: &'g Graph, state: MutexGuard<'g, State>, rtnl: Option<Rtnl>) -> Self {
        Self {
            graph,
            state: Some(state),
            rtnl,
            defers_files: false,
            last_try: false,
            events: KVVec::new(),
            coming: KVec::new(),
            going: KVec::new(),
            programs: Programs::default(),
            probes: None,
            past: Past::new(),
        }
    }

    /// Leaves files that are to go to [`Graph::chores`]: for a change that does not wait for user space.
    pub(crate) fn deferring_files(mut self) -> Self {
        self.defers_files = true;
        self
    }

    /// Does not have blocks asked again that have no memory to hear of their ports.
    pub(crate) fn last_try(mut self) -> Self {
        self.last_try = true;
        self
    }

    /// The IDP of a block.
    pub(crate) fn place(&self, name: &[u8]) -> Result<Idp, Failure> {
        let state = self.state.as_deref().ok_or(EINVAL)?;
        Ok(state.registry.find(name)?.0)
    }

    fn state(&mut self) -> Result<&mut State> {
        self.state.as_deref_mut().ok_or(EINVAL)
    }

    /// Makes a block. Sleeps.
    pub(crate) fn add(&mut self, name: Name, kind: Use) -> Result<(), Failure> {
        let at = bindings::LANA_A_FB_NAME;
        self.enter(name, kind, Stands::Nothing, None)
            .map_err(|e| e.at(at))?;
        Ok(())
    }

    fn enter(
        &mut self,
        name: Name,
        kind: Use,
        stands: Stands<'_>,
        at: Option<Idp>,
    ) -> Result<Idp, Failure> {
        let (mut args, about, socket) = match stands {
            Stands::Nothing => (Args::new(None, None), None, None),
            Stands::Device(handle, name) => {
                let about = Some(About::Device(name));
                (Args::new(Some(handle.clone()), None), about, None)
            }
            Stands::Socket(socket, handle) => (Args::new(None, Some(handle)), None, Some(socket)),
        };
        let block = kind.make(&mut args)?;
        let holds = core::mem::take(&mut args.holds);
        for owner in &holds {
            owner.open(self.graph.ppe());
        }
        let instance = Instance::new(name, kind, holds)?;
        let face = Face {
            block,
            ports: [KVec::new(), KVec::new()],
            publishers: KVec::new(),
            subscribers: KVec::new(),
            hook: None,
            socket,
            instance,
        };
        let state = self.state()?;
        let idp = state.registry.add(name, face, at)?;
        state.wiring.reserve(idp)?;
        self.tell(Kind::Added, idp, None, about)?;
        Ok(idp)
    }

    /// Removes a block that nothing is bound or subscribed to. Its own subscriptions end. Sleeps.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Result<(), Failure> {
        let at = bindings::LANA_A_FB_NAME;
        let state = self.state()?;
        let (idp, face) = state.registry.find(name).map_err(|e| e.at(at))?;
        if let Some(hook) = &face.hook {
            let (block, device) = (face.instance.name(), hook.ifname());
            let verb = match face.instance.kind().is_virtual() {
                true => "rm",
                false => "unhook",
            };
            let by = match device.as_bytes() == block.as_str().as_bytes() {
                true => "",
                false => "--block ",
            };
            return Err(fail!(
                EBUSY,
                "{} is a device: vlink {} {} {}{}",
                block,
                hook.subsystem(),
                verb,
                by,
                block
            )
            .at(at));
        }
        if face.socket.is_some() {
            let name = face.instance.name();
            return Err(fail!(EBUSY, "'{}' is a socket, and goes with it", name).at(at));
        }
        state.check_free(face).map_err(|e| e.at(at))?;
        self.leave(idp)
    }

    fn leave(&mut self, idp: Idp) -> Result<(), Failure> {
        self.tell(Kind::Removed, idp, None, None)?;
        let registry = &mut self.state()?.registry;
        let publishers = core::mem::take(&mut registry.stage(idp)?.publishers);
        for publisher in publishers {
            registry
                .stage(publisher)?
                .subscribers
                .retain(|subscriber| *subscriber != idp);
        }
        Ok(registry.remove(idp)?)
    }

    /// Sets an option of a block. Sleeps.
    pub(crate) fn set(&mut self, name: &[u8], key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let registry = &mut self.state()?.registry;
        let (idp, face) = registry
            .find(name)
            .map_err(|e| e.at(bindings::LANA_A_FB_NAME))?;
        let at = bindings::LANA_A_FB_OPTION;
        let key = core::str::from_utf8(key)
            .map_err(|_| fail!(EINVAL, "option '{}' is not text", Shown(key)).at(at))?;
        let kind = face.instance.kind();
        if !kind.options().iter().any(|option| option.is(key)) {
            return Err(no_option(kind.name().as_str(), kind.options(), key).at(at));
        }
        let block = face.block.object().set(key, value, &Process::new());
        let block = block.and_then(shown).map_err(|e| e.at(at))?;
        registry.stage(idp)?.block = block;
        let about = About::Option(CString::try_from_fmt(fmt!("{key}"))?);
        self.tell(Kind::OptionSet, idp, None, Some(about))
    }

    /// Sets the option of a block that its file in procfs stands for. Sleeps.
    pub(crate) fn write(&mut self, name: &Name, value: &[u8]) -> Result<(), Failure> {
        let name = name.as_str().as_bytes();
        let (_, face) = self.state()?.registry.find(name)?;
        let key = face.instance.kind().file_option().ok_or(EPERM)?;
        self.set(name, key.as_bytes(), value)
    }

    /// Puts `upper` on top of `lower`. Sleeps.
    pub(crate) fn bind(&mut self, upper: &[u8], lower: &[u8]) -> Result<(), Failure> {
        let at = [
            bindings::LANA_A_BINDING_UPPER,
            bindings::LANA_A_BINDING_LOWER,
        ];
        let registry = &mut self.state()?.registry;
        let (up, a) = registry.find(upper).map_err(|e| e.at(at[0]))?;
        let (low, b) = registry.find(lower).map_err(|e| e.at(at[1]))?;
        if up == low {
            let name = a.instance.name();
            return Err(fail!(EINVAL, "cannot bind '{}' to itself", name).at(at[1]));
        }
        if a.ports[EGRESS].contains(&low) {
            let (a, b) = (a.instance.name(), b.instance.name());
            return Err(fail!(EEXIST, "'{}' is bound to '{}' already", a, b));
        }
        let state = self.state()?;
        state.check_room(up, EGRESS).map_err(|e| e.at(at[0]))?;
        state.check_room(low, INGRESS).map_err(|e| e.at(at[1]))?;
        state.check_loop(up, low)?;
        let registry = &mut state.registry;
        registry.stage(up)?.ports[EGRESS].push(low, GFP_KERNEL)?;
        registry.stage(low)?.ports[INGRESS].push(up, GFP_KERNEL)?;
        self.tell(Kind::Bound, up, Some(low), None)
    }

    /// Takes `upper` off `lower`. Sleeps.
    pub(crate) fn unbind(&mut self, upper: &[u8], lower: &[u8]) -> Result<(), Failure> {
        let at = [
            bindings::LANA_A_BINDING_UPPER,
            bindings::LANA_A_BINDING_LOWER,
        ];
        let registry = &self.state()?.registry;
        let (up, a) = registry.find(upper).map_err(|e| e.at(at[0]))?;
        let (low, b) = registry.find(lower).map_err(|e| e.at(at[1]))?;
        if !a.ports[EGRESS].contains(&low) {
            let (a, b) = (a.instance.name(), b.instance.name());
            return Err(fail!(ENOENT, "'{}' is not bound to '{}'", a, b));
        }
        self.part(up, low)
    }

    fn part(&mut self, up: Idp, low: Idp) -> Result<(), Failure> {
        let registry = &mut self.state()?.registry;
        registry.stage(up)?.ports[EGRESS].retain(|peer| *peer != low);
        registry.stage(low)?.ports[INGRESS].retain(|peer| *peer != up);
        self.tell(Kind::Unbound, up, Some(low), None)
    }

    /// Lets `subscriber` get the events of `publisher`. Sleeps.
    pub(crate) fn subscribe(&mut self, subscriber: &[u8], publisher: &[u8]) -> Result<(), Failure> {
        let (sub, publ, is) = self.subscription(subscriber, publisher)?;
        let registry = &mut self.state()?.registry;
        if is {
            return Err(fail!(
                EEXIST,
                "'{}' is subscribed to '{}' already",
                Shown(subscriber),
                Shown(publisher)
            ));
        }
        registry.stage(sub)?.publishers.push(publ, GFP_KERNEL)?;
        registry.stage(publ)?.subscribers.push(sub, GFP_KERNEL)?;
        self.tell(Kind::Subscribed, sub, Some(publ), None)
    }

    /// Takes a subscription back. Sleeps.
    pub(crate) fn unsubscribe(
        &mut self,
        subscriber: &[u8],
        publisher: &[u8],
    ) -> Result<(), Failure> {
        let (sub, publ, is) = self.subscription(subscriber, publisher)?;
        let registry = &mut self.state()?.registry;
        if !is {
            return Err(fail!(
                ENOENT,
                "'{}' is not subscribed to '{}'",
                Shown(subscriber),
                Shown(publisher)
            ));
        }
        registry.stage(sub)?.publishers.retain(|idp| *idp != publ);
        registry.stage(publ)?.subscribers.retain(|idp| *idp != sub);
        self.tell(Kind::Unsubscribed, sub, Some(publ), None)
    }

    /// The two blocks of a subscription, and whether there is one.
    fn subscription(&mut self, a: &[u8], b: &[u8]) -> Result<(Idp, Idp, bool), Failure> {
        let at = [
            bindings::LANA_A_SUBSCRIPTION_SUBSCRIBER,
            bindings::LANA_A_SUBSCRIPTION_PUBLISHER,
        ];
        let registry = &self.state()?.registry;
        let (sub, face) = registry.find(a).map_err(|e| e.at(at[0]))?;
        let (publ, _) = registry.find(b).map_err(|e| e.at(at[1]))?;
        if sub == publ {
            let name = face.instance.name();
            return Err(fail!(EINVAL, "cannot subscribe '{}' to itself", name).at(at[1]));
        }
        Ok((sub, publ, face.publishers.contains(&publ)))
    }

    /// Lets `new` take the place of `old`: its IDP, and with that its ports and subscriptions; and
    /// its state, unless that is to be dropped. `old` gets the place of `new`. Sleeps.
    pub(crate) fn replace(
        &mut self,
        old: &[u8],
        new: &[u8],
        drop_state: bool,
    ) -> Result<(), Failure> {
        let at = [
            bindings::LANA_A_REPLACEMENT_OLD,
            bindings::LANA_A_REPLACEMENT_NEW,
        ];
        let state = self.state()?;
        let (a, old) = state.registry.find(old).map_err(|e| e.at(at[0]))?;
        let (b, new) = state.registry.find(new).map_err(|e| e.at(at[1]))?;
        let names = [*old.instance.name(), *new.instance.name()];
        if a == b {
            return Err(fail!(EINVAL, "cannot replace '{}' by itself", names[0]).at(at[1]));
        }
        for (face, at) in [(old, at[0]), (new, at[1])] {
            if let Some(what) = face.stands_for() {
                let name = face.instance.name();
                return Err(fail!(EBUSY, "'{}' stands for a {}", name, what).at(at));
            }
        }
        state.check_free(new).map_err(|e| e.at(at[1]))?;
        let room = new.instance.kind().ports();
        for ((ports, room), word) in old.ports.iter().zip(room).zip(["ingress", "egress"]) {
            if ports.len() > room as usize {
                return Err(fail!(
                    EBUSY,
                    "'{}' has {} {} ports, '{}' uses {}",
                    names[1],
                    room,
                    word,
                    names[0],
                    ports.len()
                )
                .at(at[1]));
            }
        }
        let mut blocks = [old.block.clone(), new.block.clone()];
        let mut state_moves = false;
        if !drop_state {
            let process = Process::new();
            let objects = [old.block.object(), new.block.object()];
            let next = objects[1].take_over(objects[0], &process);
            if let Some(next) = next
                .and_then(|next| next.map(shown).transpose())
                .map_err(|e| e.at(at[1]))?
            {
                blocks[1] = next;
                // Of one type, the old one gets the state of the new one in turn: so no two have
                // the same.
                if old.instance.kind().serial() == new.instance.kind().serial() {
                    state_moves = true;
                    if let Some(next) = objects[0].take_over(objects[1], &process)? {
                        blocks[0] = next;
                    }
                }
            }
        }
        let [block_old, block_new] = blocks;
        let mut instances = [old.instance.clone(), new.instance.clone()];
        if state_moves && old.instance.kind().holds() {
            // Each has the queues of the other in its state now.
            instances = [
                old.instance.like(names[0], Some(&new.instance))?,
                new.instance.like(names[1], Some(&old.instance))?,
            ];
        }
        let registry = &mut state.registry;
        registry.rename(names[1], Some(a))?;
        registry.rename(names[0], Some(b))?;
        let [old, new] = instances;
        let face = registry.stage(a)?;
        (face.instance, face.block) = (new, block_new);
        let face = registry.stage(b)?;
        (face.instance, face.block) = (old, block_old);
        self.tell(Kind::Replaced, a, Some(b), None)
    }

    /// Gives a block another name. Sleeps.
    pub(crate) fn rename(&mut self, idp: Idp, name: Name) -> Result<(), Failure> {
        let registry = &mut self.state()?.registry;
        let instance = &registry.face(idp).ok_or(ENOENT)?.instance;
        let old = *instance.name();
        if old == name {
            return Ok(());
        }
        registry.check_name(&name)?;
        let instance = instance.like(name, None)?;
        registry.rename(old, None)?;
        registry.rename(name, Some(idp))?;
        registry.stage(idp)?.instance = instance;
        let about = About::Option(CString::try_from_fmt(fmt!("{}", old.as_str()))?);
        self.tell(Kind::Renamed, idp, None, Some(about))
    }

    /// Notes an event, to be told when the change has been made.
    fn tell(
        &mut self,
        kind: Kind,
        idp: Idp,
        peer: Option<Idp>,
        about: Option<About>,
    ) -> Result<(), Failure> {
        let event = Event::new(&self.state()?.registry, kind, idp, peer, about)?;
        Ok(self.events.push(event, GFP_KERNEL)?)
    }
}

impl State {
    /// Whether nothing is bound or subscribed to a block.
    fn check_free(&self, face: &Face) -> Result<(), Failure> {
        let name = face.instance.name();
        let other = |idp: Option<Idp>| Some(self.registry.face(idp?)?.instance.name());
        if let Some(peer) = other(face.peers().next()) {
            return Err(fail!(EBUSY, "'{}' is bound to '{}'", name, peer));
        }
        if let Some(subscriber) = other(face.subscribers.first().copied()) {
            return Err(fail!(EBUSY, "'{}' is subscribed to '{}'", subscriber, name));
        }
        Ok(())
    }

    /// Whether a block has a port left.
    fn check_room(&self, idp: Idp, direction: usize) -> Result<(), Failure> {
        let word = ["ingress", "egress"].get(direction).ok_or(EINVAL)?;
        let face = self.registry.face(idp).ok_or(ENOENT)?;
        let ports = face.ports.get(direction).ok_or(EINVAL)?;
        let room = face.instance.kind().ports();
        if room
            .get(direction)
            .is_some_and(|&room| ports.len() < room as usize)
        {
            return Ok(());
        }
        let name = face.instance.name();
        let peer = ports.last().and_then(|&peer| self.registry.face(peer));
        Err(match peer {
            Some(peer) => {
                let peer = peer.instance.name();
                fail!(EBUSY, "{} of '{}' is bound to '{}'", word, name, peer)
            }
            None => fail!(EOPNOTSUPP, "'{}' has no {} port", name, word),
        })
    }
}

/// A block, if its configuration can be shown: what cannot be shown could not be saved.
fn shown(block: BlockRef) -> Result<BlockRef, Failure> {
    object::check_options(block.object(), &Process::new())?;
    Ok(block)
}
