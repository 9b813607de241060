// SPDX-License-Identifier: GPL-2.0

//! A change of a graph: any number of operations that take effect together, or not at all.
//!
//! Each operation checks and stages; nobody sees anything of it. [`Change::commit`] prepares what
//! can fail (the wiring's standby banks, files), and then does what cannot: one store makes the
//! change for all packets, and the graph's lock, held throughout, makes it for people. A change
//! that is dropped instead leaves all as it was.

use crate::{
    block::{self, no_option, Args, Mode, Peer, Process},
    builder::{Made, Use},
    engine::Direction,
    error::Failure,
    fail,
    graph::{Graph, State},
    name::{Name, Shown},
    notifier::{About, Event, Kind},
    registry::{Face, Files, Idp, Instance, Registry},
    sys::{
        bindings,
        compat::{ELOOP, EOPNOTSUPP},
        netdev::{Device, DeviceHandle, DeviceName, Held, Hook, Rtnl},
        proc,
        slot::{Draft, Entrance},
        sock::{Socket, SocketHandle},
        vdev::{Id, Unregistered},
    },
};
use core::fmt;
use kernel::{
    prelude::*,
    str::CString,
    sync::{lock::mutex::MutexGuard, Arc},
};

const INGRESS: usize = Direction::Ingress as usize;
const EGRESS: usize = Direction::Egress as usize;

/// Which device an operation is about.
pub(crate) enum Which<'a> {
    /// That of a name, or of an alternative one.
    Name(&'a [u8]),
    /// That of a number.
    Index(u32),
    /// That which a block stands for.
    Block(&'a [u8]),
}

/// Names that sockets have before they are given others begin so; no device's name has a colon.
const SOCKET_PREFIX: &str = "socket:";

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
}

impl<'g> Change<'g> {
    /// Locks the graph for a change. Sleeps.
    pub(crate) fn new(graph: &'g Graph, rtnl: Option<Rtnl>) -> Self {
        Self::of(graph, graph.lock(), rtnl)
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
        let made = kind.make(&mut args)?;
        let instance = Instance::new(name, kind)?;
        let face = Face {
            made,
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
        let made = face.made.object().set(key, value, &Process::new());
        let made = made.and_then(shown).map_err(|e| e.at(at))?;
        registry.stage(idp)?.made = made;
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
        let mut made = [old.made.clone(), new.made.clone()];
        if !drop_state {
            let process = Process::new();
            let objects = [old.made.object(), new.made.object()];
            let next = objects[1].take_over(objects[0], &process);
            if let Some(next) = next
                .and_then(|next| next.map(shown).transpose())
                .map_err(|e| e.at(at[1]))?
            {
                made[1] = next;
                // Of one type, the old one gets the state of the new one in turn: so no two have
                // the same.
                if old.instance.kind().serial() == new.instance.kind().serial() {
                    if let Some(next) = objects[0].take_over(objects[1], &process)? {
                        made[0] = next;
                    }
                }
            }
        }
        let [made_old, made_new] = made;
        let instances = [old.instance.clone(), new.instance.clone()];
        let registry = &mut state.registry;
        registry.rename(names[1], Some(a))?;
        registry.rename(names[0], Some(b))?;
        let [old, new] = instances;
        let place = registry.stage(a)?;
        (place.instance, place.made) = (new, made_new);
        let place = registry.stage(b)?;
        (place.instance, place.made) = (old, made_old);
        self.tell(Kind::Replaced, a, Some(b), None)
    }

    fn device(&self, which: &Which<'_>) -> Result<Device, Failure> {
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        match which {
            Which::Name(name) => Device::find(rtnl, self.graph, name)
                .map_err(|e| e.at(bindings::LANA_A_VLINK_IFNAME)),
            Which::Index(index) => Device::find_index(rtnl, self.graph, *index)
                .map_err(|e| e.at(bindings::LANA_A_VLINK_IFINDEX)),
            Which::Block(name) => {
                let at = bindings::LANA_A_VLINK_FB;
                let registry = &self.state.as_deref().ok_or(EINVAL)?.registry;
                let (_, face) = registry.find(name).map_err(|e| e.at(at))?;
                let hook = face.hook.as_ref().ok_or_else(|| {
                    fail!(ENODEV, "'{}' stands for no device", face.instance.name()).at(at)
                })?;
                hook.device().ok_or_else(|| {
                    fail!(ENODEV, "the device of '{}' has gone", face.instance.name()).at(at)
                })
            }
        }
    }

    /// Makes a block for a device, of its name unless another one is given, which takes what the
    /// device receives once the change is committed. Wants RTNL. Sleeps.
    pub(crate) fn hook(
        &mut self,
        which: &Which<'_>,
        name: Option<Name>,
        kind: Use,
    ) -> Result<(), Failure> {
        self.hook_device(self.device(which)?, name, kind)
    }

    fn hook_device(
        &mut self,
        device: Device,
        name: Option<Name>,
        kind: Use,
    ) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_IFNAME;
        let subsystem = kind.kind().vlink().ok_or(EINVAL)?;
        let (graph, rtnl) = (self.graph, self.rtnl.as_ref().ok_or(EINVAL)?);
        let shown = device.name();
        let hooked = device.hooked(rtnl);
        let registry = &self.state()?.registry;
        // Unhooked by an operation before, of the same change, it stays as it is.
        let again = hooked
            .filter(|&(by, _)| by == subsystem)
            .and_then(|(_, idp)| Some((registry.leaving_hook(idp)?, idp)));
        if let (Some((_, idp)), None) = (hooked, &again) {
            let block = registry.face(idp).map_or(&shown, |f| f.instance.name());
            return Err(fail!(EBUSY, "{} is hooked already, by block '{}'", shown, block).at(at));
        }
        let name = match name {
            Some(name) => name,
            None => device.block_name().map_err(|e| e.at(at))?,
        };
        let ifname = device.ifname();
        let idp;
        let hook = match again {
            Some((hook, place)) => {
                let stands = Stands::Device(hook.handle(), ifname);
                let entered = self.enter(name, kind, stands, Some(place));
                idp = entered.map_err(|e| e.at(at))?;
                hook
            }
            None => {
                let held = Held::new(&device)?;
                let stands = Stands::Device(held.handle(), ifname);
                let entered = self.enter(name, kind, stands, None);
                idp = entered.map_err(|e| e.at(at))?;
                let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
                let wiring = &self.state.as_deref().ok_or(EINVAL)?.wiring;
                let entrance = wiring.entrance(idp)?;
                let hook = Hook::new(rtnl, &device, held, graph, idp, entrance, subsystem);
                Arc::new(hook.map_err(|e| e.at(at))?, GFP_KERNEL)?
            }
        };
        self.state()?.registry.stage(idp)?.hook = Some(hook);
        Ok(())
    }

    /// Gives a device back and removes its block, which nothing may be bound to. Wants RTNL.
    /// Sleeps.
    pub(crate) fn unhook(&mut self, which: &Which<'_>, subsystem: &[u8]) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_IFNAME;
        let device = self.device(which)?;
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        let hooked = device
            .hooked(rtnl)
            .filter(|(by, _)| by.as_bytes() == subsystem);
        let state = self.state()?;
        let hooked = hooked.and_then(|(_, idp)| Some((idp, state.registry.face(idp)?)));
        let Some((idp, face)) = hooked else {
            let (name, by) = (device.name(), Shown(subsystem));
            return Err(fail!(ENOENT, "{} is not hooked by '{}'", name, by).at(at));
        };
        if face.instance.kind().is_virtual() {
            let (name, by) = (device.name(), Shown(subsystem));
            return Err(fail!(EBUSY, "{} is virtual: vlink {} rm {}", name, by, name).at(at));
        }
        state.check_free(face).map_err(|e| e.at(at))?;
        self.leave(idp)
    }

    /// Makes a virtual device on a carrier, and the block that stands for it. Wants RTNL. Sleeps.
    pub(crate) fn add_device(
        &mut self,
        ifname: &[u8],
        carrier: &[u8],
        id: Option<Id>,
        name: Option<Name>,
        kind: Use,
    ) -> Result<(), Failure> {
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        let carrier = Device::find(rtnl, self.graph, carrier);
        let carrier = carrier.map_err(|e| e.at(bindings::LANA_A_VLINK_CARRIER))?;
        let device = Unregistered::new(self.graph, ifname);
        let device = device.map_err(|e| e.at(bindings::LANA_A_VLINK_IFNAME))?;
        self.add_virtual(device, carrier, id, name, kind)
    }

    /// The same with a device that is there already, and not registered.
    pub(crate) fn add_virtual(
        &mut self,
        device: Unregistered,
        carrier: Device,
        id: Option<Id>,
        name: Option<Name>,
        kind: Use,
    ) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_CARRIER;
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        let under = carrier.name();
        if !carrier.is_ethernet() {
            return Err(fail!(EOPNOTSUPP, "{} is not an Ethernet device", under).at(at));
        }
        if carrier.is_virtual() {
            return Err(fail!(EOPNOTSUPP, "{} is virtual itself", under).at(at));
        }
        let id = match id {
            Some(id) => match carrier.carried(rtnl, id) {
                Some(by) => {
                    let by = by.name();
                    return Err(fail!(EEXIST, "id {} of {} is taken by {}", id, under, by)
                        .at(bindings::LANA_A_VLINK_ID));
                }
                None => id,
            },
            None => (0..=Id::MAX)
                .find(|&id| carrier.carried(rtnl, id).is_none())
                .ok_or_else(|| fail!(ENOSPC, "{} has no id left", under).at(at))?,
        };
        self.coming.reserve(1, GFP_KERNEL)?;
        let device = device.register(rtnl, &carrier, id).map_err(|e| match e {
            EEXIST => fail!(e, "there is a device of this name").at(bindings::LANA_A_VLINK_IFNAME),
            EINVAL => fail!(e, "no device can have this name").at(bindings::LANA_A_VLINK_IFNAME),
            EBUSY => carrier.taken(rtnl).at(at),
            e => e.into(),
        })?;
        // The room is there.
        let _ = self.coming.push(device.hold(), GFP_KERNEL);
        self.hook_device(device, name, kind)
    }

    /// Removes a virtual device and its block, which nothing may be bound to. Wants RTNL. Sleeps.
    pub(crate) fn remove_device(
        &mut self,
        which: &Which<'_>,
        subsystem: &[u8],
    ) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_IFNAME;
        let device = self.device(which)?;
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        if !device.is_virtual() {
            return Err(fail!(EOPNOTSUPP, "{} is no virtual device", device.name()).at(at));
        }
        if self.going.iter().any(|going| going.is(&device)) {
            return Err(fail!(ENODEV, "{} goes already", device.name()).at(at));
        }
        let hooked = device.hooked(rtnl);
        let state = self.state()?;
        if let Some((by, idp)) = hooked {
            let face = state.registry.face(idp).ok_or(ENOENT)?;
            if by.as_bytes() != subsystem {
                let (name, by) = (device.name(), Shown(by.as_bytes()));
                return Err(fail!(ENOENT, "{} is hooked by '{}'", name, by).at(at));
            }
            state.check_free(face).map_err(|e| e.at(at))?;
            self.leave(idp)?;
        }
        Ok(self.going.push(device, GFP_KERNEL)?)
    }

    /// Makes the block that stands for a socket, under a name that is free. Sleeps.
    pub(crate) fn add_socket(
        &mut self,
        socket: Socket,
        handle: SocketHandle,
        kind: Use,
    ) -> Result<(Idp, Entrance), Failure> {
        let state = self.state()?;
        let name = loop {
            state.sockets = state.sockets.wrapping_add(1);
            let name = CString::try_from_fmt(fmt!("{}{}", SOCKET_PREFIX, state.sockets))?;
            if state.registry.find(name.to_bytes()).is_err() {
                break Name::like(name.to_bytes());
            }
        };
        let idp = self.enter(name, kind, Stands::Socket(socket, handle), None)?;
        Ok((idp, self.state()?.wiring.entrance(idp)?))
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
        let instance = instance.renamed(name)?;
        registry.rename(old, None)?;
        registry.rename(name, Some(idp))?;
        registry.stage(idp)?.instance = instance;
        let about = About::Option(CString::try_from_fmt(fmt!("{}", old.as_str()))?);
        self.tell(Kind::Renamed, idp, None, Some(about))
    }

    /// What a block stands for goes: so do the block, its bindings and its subscriptions. Sleeps.
    pub(crate) fn gone(&mut self, idp: Idp) -> Result<(), Failure> {
        let registry = &mut self.state()?.registry;
        let Some(face) = registry.face(idp) else {
            return Ok(());
        };
        if let Some(hook) = &face.hook {
            let name = hook.ifname();
            self.tell(Kind::DeviceGone, idp, None, Some(About::Device(name)))?;
        }
        loop {
            let face = self.state()?.registry.face(idp).ok_or(ENOENT)?;
            let upper = face.ports[INGRESS].first().map(|&peer| (peer, idp));
            let lower = face.ports[EGRESS].first().map(|&peer| (idp, peer));
            let Some((up, low)) = upper.or(lower) else {
                break;
            };
            if face.hook.is_some() {
                // A program whose device has gone is told; it asks for the graph when this is done.
                let other = if up == idp { low } else { up };
                let other = self.state()?.registry.face(other);
                if let Some(socket) = other.and_then(|face| face.socket.as_ref()) {
                    socket.down();
                }
            }
            self.part(up, low)?;
        }
        let registry = &mut self.state()?.registry;
        for subscriber in core::mem::take(&mut registry.stage(idp)?.subscribers) {
            let publishers = &mut registry.stage(subscriber)?.publishers;
            publishers.retain(|publisher| *publisher != idp);
        }
        self.leave(idp)
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

    /// Makes the change, for all packets at once, and tells of it. When that fails nothing has
    /// changed. Sleeps.
    pub(crate) fn commit(mut self) -> Result<(), Failure> {
        let graph = self.graph;
        let Some(state) = self.state.as_deref_mut() else {
            return Ok(());
        };
        let State {
            registry,
            wiring,
            watchers,
            ..
        } = state;
        if watch(registry, watchers)? && !self.last_try {
            graph.net().chores(true);
        }
        if registry.touched().is_empty() && self.going.is_empty() {
            return Ok(());
        }
        let mut retired = false;
        for &idp in registry.touched() {
            let face = registry.face(idp);
            retired |= face.is_none();
            let draft = face.map(|face| Draft {
                instance: &face.instance,
                made: &face.made,
                ports: [&face.ports[INGRESS], &face.ports[EGRESS]],
                entrance: face.stands_for().map(|_| face.made.object().unclaimed()),
            });
            wiring.draft(graph.live(), idp, draft)?;
        }
        if let Some(tree) = &state.proc {
            registry.make_files(|name| proc::File::new(tree, graph, name))?;
        }
        if self.defers_files {
            state.stale.reserve(registry.renamed().len(), GFP_KERNEL)?;
        }

        // Nothing fails from here on.
        wiring.publish(graph.live());
        for &idp in registry.touched() {
            if let Some(face) = registry.face(idp) {
                if let Some(hook) = &face.hook {
                    hook.set_batch(face.made.object().batch());
                }
            }
        }
        // 0 is for no dump.
        state.generation = state.generation.wrapping_add(1).max(1);
        let mut files = registry.end(true);
        if self.defers_files && !files.is_empty() {
            for file in core::mem::take(&mut files) {
                // The room is there.
                let _ = state.stale.push(file, GFP_KERNEL);
            }
            graph.net().chores(false);
        }
        watchers.retain(|idp| registry.face(*idp).is_some_and(watches));
        for event in &self.events {
            state.events.tell(graph.net(), registry, event);
        }
        // All devices that were unhooked wait together, for what those wait for that were removed.
        if let Some(rtnl) = &self.rtnl {
            if registry.detach(rtnl) {
                wiring.prolong();
            }
        }
        // What has been set or removed is to be gone when the request has ended.
        if retired
            || self
                .events
                .iter()
                .any(|event| event.kind() == Kind::OptionSet)
        {
            wiring.settle(graph.live());
        }
        registry.forget();
        let going = core::mem::take(&mut self.going);
        self.end(files, going);
        Ok(())
    }

    /// Gives the locks back, and removes virtual devices and files.
    fn end(&mut self, mut files: Files, devices: KVec<Device>) {
        self.state = None;
        // No reference to a device may be left when RTNL is given back: that waits for them.
        self.coming = KVec::new();
        self.going = KVec::new();
        if let Some(rtnl) = &self.rtnl {
            Device::unregister(devices, rtnl);
        }
        self.rtnl = None;
        if files.is_empty() {
            return;
        }
        for (_, file) in files.iter_mut() {
            *file = None;
        }
        self.graph.lock().registry.gone(&files);
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // Not committed: nothing has happened.
        if let Some(state) = self.state.as_deref_mut() {
            state.wiring.revert(self.graph.live());
            let files = state.registry.end(false);
            let coming = core::mem::take(&mut self.coming);
            self.end(files, coming);
        }
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

    /// Whether putting `up` on top of `low` would let packets go round in a circle: it would if
    /// `low` is above `up` already. A block that stands for a device or a socket ends all ways.
    ///
    /// Searches upwards from `up` and downwards from `low` by turns, and knows that there is no
    /// circle as soon as one of the two has nowhere left to go: where one end is new, at once,
    /// however large the graph is at the other.
    fn check_loop(&self, up: Idp, low: Idp) -> Result<(), Failure> {
        let registry = &self.registry;
        let mut upwards = Search::new(registry, up, INGRESS)?;
        let mut downwards = Search::new(registry, low, EGRESS)?;
        let mut sure = false;
        loop {
            match upwards.step(registry, low)? {
                Step::On => (),
                Step::End => return Ok(()),
                Step::Found => break,
            }
            if !sure {
                match downwards.step(registry, up)? {
                    Step::On => (),
                    Step::End => return Ok(()),
                    Step::Found => sure = true,
                }
            }
        }
        let path = Path(registry, &upwards, up);
        Err(fail!(ELOOP, "a loop: {}", path).at(bindings::LANA_A_BINDING_LOWER))
    }
}

/// A block, if its configuration can be shown: what cannot be shown could not be saved.
fn shown(made: Made) -> Result<Made, Failure> {
    block::check_options(made.object(), &Process::new())?;
    Ok(made)
}

fn watches(face: &Face) -> bool {
    face.instance.kind().watches_ports()
}

/// Tells the blocks that watch their ports, by and by all that are in `watchers`, what these lead to
/// once the change is made; and stages what they make of it. Sleeps.
///
/// A block can refuse a change that makes it, sets it or puts it on top of another one. Any other is made
/// whatever it answers: then it stays as it is, and the kernel log says why. Says whether one had no
/// memory to answer.
fn watch(registry: &mut Registry, watchers: &mut KVVec<Idp>) -> Result<bool, Failure> {
    for &idp in registry.touched() {
        if registry.face(idp).is_some_and(watches) {
            if let Err(at) = watchers.binary_search(&idp) {
                watchers.reserve(1, GFP_KERNEL)?;
                // The room is there.
                let _ = watchers.insert_within_capacity(at, idp);
            }
        }
    }
    let process = Process::new();
    let mut no_memory = false;
    for &idp in watchers.iter() {
        let Some(face) = registry.face(idp).filter(|face| watches(face)) else {
            continue;
        };
        let mut peers = KVec::with_capacity(face.ports[EGRESS].len(), GFP_KERNEL)?;
        for &port in &face.ports[EGRESS] {
            peers.push(peer(registry, port)?, GFP_KERNEL)?;
        }
        match face.made.object().ports(&peers, &process) {
            Ok(None) => (),
            Ok(Some(made)) => {
                drop(peers);
                registry.stage(idp)?.made = made;
            }
            Err(failure) if registry.gains(idp, EGRESS) => {
                return Err(failure.of(face.instance.name()))
            }
            Err(failure) => {
                pr_warn!(
                    "{} stays as it is, though its ports have changed: {} (error {})\n",
                    face.instance.name().as_str(),
                    failure.words(),
                    failure.error.to_errno()
                );
                no_memory |= failure.error == ENOMEM;
            }
        }
    }
    Ok(no_memory)
}

/// What a port that is bound to a block leads to.
fn peer(registry: &Registry, idp: Idp) -> Result<Peer<'_>, Failure> {
    let face = registry.face(idp).ok_or(ENOENT)?;
    let mut search = Search::new(registry, idp, EGRESS)?;
    while let Step::On = search.step(registry, 0)? {}
    let ends = search
        .reached
        .iter()
        .filter_map(|&(idp, _)| registry.face(idp));
    let hooks = || ends.clone().filter_map(|face| face.hook.as_ref());
    let keeps = |face: &Face| face.socket.is_some() || face.instance.kind().mode() == Mode::Sink;
    let device = hooks().find(|hook| hook.device().is_some_and(|device| device.is_up()));
    Ok(Peer {
        idp,
        name: face.instance.name().as_str(),
        up: device.is_some() || ends.clone().any(keeps),
        speed: device.or(hooks().next()).map_or(0, |hook| hook.speed()),
    })
}

/// A search along bindings, in one direction.
struct Search {
    direction: usize,
    mark: u64,
    /// What has been reached, each with the index of what it was reached from.
    reached: KVVec<(Idp, usize)>,
    /// The first of these that has not been looked at.
    next: usize,
}

enum Step {
    On,
    End,
    Found,
}

impl Search {
    fn new(registry: &Registry, from: Idp, direction: usize) -> Result<Self> {
        let mut search = Self {
            direction,
            mark: registry.new_mark(),
            reached: KVVec::new(),
            next: 0,
        };
        search.reach(registry, from, 0)?;
        Ok(search)
    }

    fn reach(&mut self, registry: &Registry, idp: Idp, from: usize) -> Result {
        if !registry.set_mark(idp, self.mark) {
            self.reached.push((idp, from), GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Looks at one more block, and at those next to it.
    fn step(&mut self, registry: &Registry, goal: Idp) -> Result<Step> {
        let Some(&(idp, _)) = self.reached.get(self.next) else {
            return Ok(Step::End);
        };
        let at = self.next;
        self.next = at.wrapping_add(1);
        for index in 0.. {
            let peer = registry
                .face(idp)
                .filter(|face| face.stands_for().is_none())
                .and_then(|face| face.ports.get(self.direction)?.get(index).copied());
            match peer {
                Some(peer) if peer == goal => {
                    self.reached.push((peer, at), GFP_KERNEL)?;
                    return Ok(Step::Found);
                }
                Some(peer) => self.reach(registry, peer, at)?,
                None => break,
            }
        }
        Ok(Step::On)
    }
}

/// The circle that a search upwards has found, each block on top of the next.
struct Path<'a>(&'a Registry, &'a Search, Idp);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(registry, search, top) = self;
        let name = |idp| {
            registry
                .face(idp)
                .map_or("?", |f| f.instance.name().as_str())
        };
        f.write_str(name(*top))?;
        // From the goal, which was reached last, back to where the search began.
        let mut at = search.reached.len().wrapping_sub(1);
        while let Some(&(idp, from)) = search.reached.get(at) {
            write!(f, " on {}", name(idp))?;
            if at == 0 {
                break;
            }
            at = from;
        }
        Ok(())
    }
}
