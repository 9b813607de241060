// SPDX-License-Identifier: GPL-2.0

//! Operations on what blocks stand for: devices, virtual devices and sockets.

use super::{Change, Stands, EGRESS, INGRESS};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
    },
    fail,
    graph::{
        notifier::{About, Kind},
        types::Use,
    },
    packet::entrance::Ppe,
    sys::{
        bindings,
        compat::EOPNOTSUPP,
        hook::{Held, Hook},
        net::Net,
        netdev::{Device, Rtnl},
        slot::{Entrance, Idp},
        sock::{Socket, SocketHandle},
        vdev::{Id, Unregistered},
        xdp::Program,
    },
};
use kernel::{prelude::*, str::CString, sync::Arc};

/// Which device an operation is about.
pub(crate) enum Which<'a> {
    /// That of a name, or of an alternative one.
    Name(&'a [u8]),
    /// That of a number.
    Index(u32),
    /// That which a block stands for.
    Block(&'a [u8]),
}

/// The programs that drivers run for the devices that a change hooks by their frames. They are installed before the
/// graph is locked, as drivers have locks of their own, and pass all to the stack until then.
#[derive(Default)]
pub(crate) struct Programs(KVec<Program>);

impl Programs {
    /// Has the driver of a device run one. No graph may be locked. Sleeps.
    pub(crate) fn attach(
        &mut self,
        net: &Net,
        rtnl: &Rtnl,
        which: &Which<'_>,
    ) -> Result<(), Failure> {
        let device = match which {
            Which::Name(name) => Device::find(rtnl, net, name),
            Which::Index(index) => Device::find_index(rtnl, net, *index),
            Which::Block(_) => return Ok(()),
        };
        // What is wrong otherwise is found out in its turn.
        let Ok(device) = device else { return Ok(()) };
        if device.hooked(rtnl).is_some() || self.0.iter().any(|other| other.device().is(&device)) {
            return Ok(());
        }
        let program = Program::attach(rtnl, device);
        let program = program.map_err(|e| e.at(bindings::LANA_A_VLINK_IFNAME))?;
        Ok(self.0.push(program, GFP_KERNEL)?)
    }

    /// That of a device.
    fn find(&self, device: &Device) -> Option<&Program> {
        self.0.iter().find(|program| program.device().is(device))
    }

    /// The hook of a device has its program now.
    fn given(&mut self, device: &Device) {
        let at = self
            .0
            .iter()
            .position(|program| program.device().is(device));
        if let Some(program) = at.and_then(|at| self.0.remove(at).ok()) {
            program.given();
        }
    }
}

/// Names that sockets have before they are given others begin so; no device's name has a colon.
const SOCKET_PREFIX: &str = "socket:";

impl Change<'_> {
    fn device(&self, which: &Which<'_>) -> Result<Device, Failure> {
        let rtnl = self.rtnl.as_ref().ok_or(EINVAL)?;
        match which {
            Which::Name(name) => Device::find(rtnl, self.graph.net(), name)
                .map_err(|e| e.at(bindings::LANA_A_VLINK_IFNAME)),
            Which::Index(index) => Device::find_index(rtnl, self.graph.net(), *index)
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
    /// device receives once the change is committed: its frames, where `xdp` is set, else skbs. Wants RTNL.
    /// Sleeps.
    pub(crate) fn hook(
        &mut self,
        which: &Which<'_>,
        name: Option<Name>,
        kind: Use,
        xdp: bool,
    ) -> Result<(), Failure> {
        self.hook_device(self.device(which)?, name, kind, xdp)
    }

    fn hook_device(
        &mut self,
        device: Device,
        name: Option<Name>,
        kind: Use,
        xdp: bool,
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
        if again
            .as_ref()
            .is_some_and(|(hook, _)| hook.takes_frames() != xdp)
        {
            let text = "unhooked and hooked in one change it stays as it is, with XDP or without";
            return Err(fail!(EBUSY, "{shown}: {text}").at(at));
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
                // No program is dropped here, where the graph is locked.
                let program = xdp.then(|| self.programs.find(&device).ok_or(EINVAL));
                let program = program.transpose()?;
                let who = (subsystem, idp);
                let hook = Hook::new(rtnl, &device, held, graph.ppe(), who, entrance, program);
                let hook = hook.map_err(|e| e.at(at))?;
                if xdp {
                    self.programs.given(&device);
                }
                Arc::new(hook, GFP_KERNEL)?
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
        let carrier = Device::find(rtnl, self.graph.net(), carrier);
        let carrier = carrier.map_err(|e| e.at(bindings::LANA_A_VLINK_CARRIER))?;
        let device = Unregistered::new(self.graph.net(), ifname);
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
        self.hook_device(device, name, kind, false)
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
    ) -> Result<(Idp, Entrance<Ppe>), Failure> {
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
}
