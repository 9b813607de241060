// SPDX-License-Identifier: GPL-2.0

//! The operations of the netlink family, as `Documentation/netlink/specs/lana.yaml` defines them.
//!
//! All run in process context and may sleep. The kernel has checked the rights and the form of
//! the attributes, by the tables that are generated from the specification.

use super::{probes, values};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
        option::{OptionSpec, Values},
    },
    fail,
    graph::{
        block::Maker,
        change::{
            devices::{Programs, Which},
            Change,
        },
        registry::Face,
        types::{self, Type, Use},
        Graph, State,
    },
    sys::{
        bindings,
        compat::EOPNOTSUPP,
        genl::{
            self,
            dump::Dump,
            message::Message,
            request::{Operation, Request},
        },
        netdev::Rtnl,
        reason::DropReason,
        slot::Idp,
        vdev::Id,
    },
};
use core::fmt;
use kernel::{prelude::*, str::CString};

/// What the family's operations do.
struct Control;

impl genl::Operations for Control {
    type Graph = Graph;

    /// A change: one operation, or a transaction of any number. All take effect together, or none.
    fn change(request: &Request<'_>) -> Result<(), Failure> {
        let graph: &Graph = request.graph()?;
        // Types first: user space may have to load their modules, so no lock may be held.
        let mut types = Types::default();
        let mut rtnl = false;
        request.each_operation(|operation| {
            rtnl |= matches!(
                operation.kind,
                bindings::LANA_A_OP_VLINK_HOOK
                    | bindings::LANA_A_OP_VLINK_UNHOOK
                    | bindings::LANA_A_OP_VLINK_NEW
                    | bindings::LANA_A_OP_VLINK_DEL
            );
            types.load(operation)
        })?;
        let rtnl = rtnl.then(Rtnl::lock);
        // Drivers have locks of their own, which come before a graph's.
        let mut programs = Programs::default();
        if let Some(rtnl) = &rtnl {
            request.each_operation(|operation| {
                let xdp = operation.attrs.has(bindings::LANA_A_VLINK_XDP);
                match operation.kind {
                    bindings::LANA_A_OP_VLINK_HOOK if xdp => {
                        programs.attach(graph.net(), rtnl, &device(operation, false)?)
                    }
                    _ => Ok(()),
                }
            })?;
        }
        let mut change = Change::with_programs(graph, rtnl, programs);
        let mut setter = values::Setter::default();
        request.each_operation(|operation| perform(&mut change, operation, &types, &mut setter))?;
        let made = setter.check().and_then(|()| change.commit());
        // It is not one operation's fault, but that of what they come to.
        made.inspect_err(|failure| request.note(failure))
    }

    fn fb_get(request: &Request<'_>) -> Result<(), Failure> {
        let at = bindings::LANA_A_FB_NAME;
        let attrs = request.attrs();
        let name = attrs.str(at)?;
        let graph: &Graph = request.graph()?;
        let admin = request.is_admin();
        let reply = |whole| {
            request.reply(bindings::LANA_CMD_FB_GET, |msg| {
                let state = graph.lock();
                let (idp, face) = state.registry.find(name).map_err(|e| e.at(at))?;
                Ok(put_fb(msg, &state, idp, face, whole, admin)?)
            })
        };
        match reply(true) {
            Err(failure) if failure.error == EMSGSIZE => reply(false),
            done => done,
        }
        .inspect_err(|failure| attrs.note(failure))
    }

    fn probe(request: &Request<'_>) -> Result<(), Failure> {
        probes::probe(request).inspect_err(|failure| request.attrs().note(failure))
    }

    fn probe_closed(graph: &Graph, portid: u32) {
        graph.close_probe(portid);
    }

    /// All blocks, in the order of their IDPs; the cursor is the next IDP to look at. One that is
    /// made or removed meanwhile may be in or not, all others are in once.
    fn fb_get_dump(dump: &mut Dump<'_>) -> Result {
        let (graph, admin) = (dump.graph::<Graph>()?, dump.is_admin());
        loop {
            let state = graph.lock();
            let from = u32::try_from(dump.cursor()).unwrap_or(u32::MAX).max(1);
            let Some((idp, face)) = state.registry.first_from(from) else {
                return Ok(());
            };
            dump.set_generation(state.generation);
            let cmd = bindings::LANA_CMD_FB_GET;
            if !dump.message(cmd, |msg| put_fb(msg, &state, idp, face, true, admin))? {
                if !dump.is_empty() {
                    return Ok(());
                }
                // What fits in no message of a dump goes without its lists; fb-get by name has them.
                if !dump.message(cmd, |msg| put_fb(msg, &state, idp, face, false, admin))? {
                    return Err(EMSGSIZE);
                }
            }
            dump.set_cursor(u64::from(idp).wrapping_add(1));
        }
    }

    fn option_get_dump(dump: &mut Dump<'_>) -> Result {
        values::dump(dump)
    }

    /// The cursor is the number of the type that was out last.
    fn type_get_dump(dump: &mut Dump<'_>) -> Result {
        let mut result = Ok(());
        types::for_each(dump.cursor(), |kind| {
            let done = dump.message(bindings::LANA_CMD_TYPE_GET, |msg| {
                let [ingress, egress] = kind.ports();
                msg.put_str(bindings::LANA_A_TYPE_NAME, kind.name().as_str())?;
                msg.put_u32(bindings::LANA_A_TYPE_MODE, kind.mode() as u32)?;
                let module = kind.owner().name().to_bytes();
                msg.put_text(bindings::LANA_A_TYPE_MODULE, module)?;
                msg.put_u32(bindings::LANA_A_TYPE_INSTANCES, kind.instances())?;
                msg.put_u32(bindings::LANA_A_TYPE_INGRESS_PORTS, ingress)?;
                msg.put_u32(bindings::LANA_A_TYPE_EGRESS_PORTS, egress)?;
                if let Some(vlink) = kind.vlink() {
                    msg.put_str(bindings::LANA_A_TYPE_VLINK, vlink)?;
                }
                match kind.maker() {
                    Maker::VirtualDevice(_) => msg.put_flag(bindings::LANA_A_TYPE_VIRTUAL)?,
                    Maker::Socket => msg.put_flag(bindings::LANA_A_TYPE_SOCKET)?,
                    _ => {}
                }
                kind.options()
                    .iter()
                    .try_for_each(|option| put_option(msg, option))
            });
            match done {
                Ok(true) => dump.set_cursor(kind.serial()),
                Ok(false) => return false,
                Err(e) => result = Err(e),
            }
            result.is_ok()
        });
        result
    }

    /// The cursor is the next CPU to look at.
    fn ppe_get_dump(dump: &mut Dump<'_>) -> Result {
        let graph: &Graph = dump.graph()?;
        for (cpu, stats) in graph.ppe().stats().iter() {
            if u64::from(cpu) < dump.cursor() {
                continue;
            }
            let totals = graph.lock().engine_totals(cpu, stats);
            let done = dump.message(bindings::LANA_CMD_PPE_GET, |msg| {
                msg.put_u32(bindings::LANA_A_PPE_CPU, cpu)?;
                msg.put_uint(bindings::LANA_A_PPE_PACKETS, totals.packets)?;
                msg.put_uint(bindings::LANA_A_PPE_BYTES, totals.bytes)?;
                msg.put_uint(bindings::LANA_A_PPE_CALLS, totals.calls)?;
                msg.put_uint(bindings::LANA_A_PPE_DROPS, totals.drops)?;
                msg.put_u32(bindings::LANA_A_PPE_BACKLOG, stats.backlog.get() as u32)?;
                let max = stats.backlog_max.get() as u32;
                msg.put_u32(bindings::LANA_A_PPE_BACKLOG_MAX, max)?;
                msg.put_uint(bindings::LANA_A_PPE_UNCLAIMED, stats.unclaimed.get())
            })?;
            if !done {
                break;
            }
            dump.set_cursor(u64::from(cpu).wrapping_add(1));
        }
        Ok(())
    }

    /// The cursor is the next IDP to look at.
    fn vlink_get_dump(dump: &mut Dump<'_>) -> Result {
        let graph: &Graph = dump.graph()?;
        let state = graph.lock();
        dump.set_generation(state.generation);
        for (idp, face) in state.registry.iter() {
            let Some(hook) = &face.hook else { continue };
            let Some(device) = hook.device() else {
                continue;
            };
            if u64::from(idp) < dump.cursor() {
                continue;
            }
            let done = dump.message(bindings::LANA_CMD_VLINK_GET, |msg| {
                msg.put_str(bindings::LANA_A_VLINK_SUBSYSTEM, hook.subsystem())?;
                let name = device.ifname();
                msg.put_text(bindings::LANA_A_VLINK_IFNAME, name.as_bytes())?;
                let block = face.instance.name().as_str();
                msg.put_str(bindings::LANA_A_VLINK_FB, block)?;
                msg.put_u32(bindings::LANA_A_VLINK_IFINDEX, device.index())?;
                msg.put_u32(bindings::LANA_A_VLINK_IDP, idp)?;
                if hook.takes_frames() {
                    msg.put_flag(bindings::LANA_A_VLINK_XDP)?;
                }
                if hook.is_displaced() {
                    msg.put_flag(bindings::LANA_A_VLINK_XDP_REPLACED)?;
                }
                match device.carrier() {
                    Some((carrier, id)) => {
                        let name = carrier.ifname();
                        msg.put_text(bindings::LANA_A_VLINK_CARRIER, name.as_bytes())?;
                        msg.put_u32(bindings::LANA_A_VLINK_ID, id.into())
                    }
                    None => Ok(()),
                }
            })?;
            if !done {
                break;
            }
            dump.set_cursor(u64::from(idp).wrapping_add(1));
        }
        Ok(())
    }
}

genl::operations!(Control);

fn perform<'a>(
    change: &mut Change<'_>,
    operation: &Operation<'a>,
    types: &Types,
    setter: &mut values::Setter<'a>,
) -> Result<(), Failure> {
    let str = |attr| operation.attrs.str(attr);
    if operation.kind != bindings::LANA_A_OP_FB_SET {
        setter.check()?;
    }
    match operation.kind {
        bindings::LANA_A_OP_FB_NEW => {
            let name = name(operation, bindings::LANA_A_FB_NAME)?;
            change.add(name, types.find(str(bindings::LANA_A_FB_TYPE)?)?)
        }
        bindings::LANA_A_OP_FB_DEL => change.remove(str(bindings::LANA_A_FB_NAME)?),
        bindings::LANA_A_OP_FB_SET => setter.set(change, operation),
        bindings::LANA_A_OP_BIND => change.bind(
            str(bindings::LANA_A_BINDING_UPPER)?,
            str(bindings::LANA_A_BINDING_LOWER)?,
        ),
        bindings::LANA_A_OP_UNBIND => change.unbind(
            str(bindings::LANA_A_BINDING_UPPER)?,
            str(bindings::LANA_A_BINDING_LOWER)?,
        ),
        bindings::LANA_A_OP_SUBSCRIBE => change.subscribe(
            str(bindings::LANA_A_SUBSCRIPTION_SUBSCRIBER)?,
            str(bindings::LANA_A_SUBSCRIPTION_PUBLISHER)?,
        ),
        bindings::LANA_A_OP_UNSUBSCRIBE => change.unsubscribe(
            str(bindings::LANA_A_SUBSCRIPTION_SUBSCRIBER)?,
            str(bindings::LANA_A_SUBSCRIPTION_PUBLISHER)?,
        ),
        bindings::LANA_A_OP_REPLACE => change.replace(
            str(bindings::LANA_A_REPLACEMENT_OLD)?,
            str(bindings::LANA_A_REPLACEMENT_NEW)?,
            operation.attrs.has(bindings::LANA_A_REPLACEMENT_DROP_STATE),
        ),
        bindings::LANA_A_OP_VLINK_HOOK => {
            let kind = types.find_vlink(str(bindings::LANA_A_VLINK_SUBSYSTEM)?, false)?;
            let xdp = operation.attrs.has(bindings::LANA_A_VLINK_XDP);
            change.hook(&device(operation, false)?, optional(operation)?, kind, xdp)
        }
        bindings::LANA_A_OP_VLINK_NEW => change.add_device(
            str(bindings::LANA_A_VLINK_IFNAME)?,
            str(bindings::LANA_A_VLINK_CARRIER)?,
            // The policy says that it is one.
            operation
                .attrs
                .u32(bindings::LANA_A_VLINK_ID)
                .map(|id| id as Id),
            optional(operation)?,
            types.find_vlink(str(bindings::LANA_A_VLINK_SUBSYSTEM)?, true)?,
        ),
        bindings::LANA_A_OP_VLINK_DEL => change.remove_device(
            &device(operation, true)?,
            str(bindings::LANA_A_VLINK_SUBSYSTEM)?,
        ),
        bindings::LANA_A_OP_VLINK_UNHOOK => change.unhook(
            &device(operation, true)?,
            str(bindings::LANA_A_VLINK_SUBSYSTEM)?,
        ),
        _ => Err(fail!(EOPNOTSUPP, "no such operation")),
    }
}

/// The name of a block that is to be made.
fn name(operation: &Operation<'_>, at: u32) -> Result<Name, Failure> {
    let name = operation.attrs.str(at)?;
    Name::new(name).map_err(|bad| fail!(EINVAL, "name '{}' {}", Shown(name), bad).at(at))
}

/// The name of the block that is to stand for a device, where it is not that of the device.
fn optional(operation: &Operation<'_>) -> Result<Option<Name>, Failure> {
    let at = bindings::LANA_A_VLINK_FB;
    let has = operation.attrs.has(at);
    has.then(|| name(operation, at)).transpose()
}

/// Which device an operation is about: by one attribute, which may be its block's where it has one.
fn device<'a>(operation: &Operation<'a>, hooked: bool) -> Result<Which<'a>, Failure> {
    let attrs = &operation.attrs;
    let name = attrs.has(bindings::LANA_A_VLINK_IFNAME);
    let block = hooked && attrs.has(bindings::LANA_A_VLINK_FB);
    match (name, attrs.u32(bindings::LANA_A_VLINK_IFINDEX), block) {
        (false, Some(index), false) => Ok(Which::Index(index)),
        (false, None, true) => attrs.str(bindings::LANA_A_VLINK_FB).map(Which::Block),
        (_, None, false) => attrs.str(bindings::LANA_A_VLINK_IFNAME).map(Which::Name),
        _ => Err(fail!(
            EINVAL,
            "a device by its name, its index or its block"
        )),
    }
}

/// The types that the operations of a request want, each once.
#[derive(Default)]
struct Types(KVec<Use>);

impl Types {
    /// Finds the type that an operation wants, loaded where it has to be. Sleeps.
    fn load(&mut self, operation: &Operation<'_>) -> Result<(), Failure> {
        // What is missing is found out in its turn.
        let wanted = |attr| operation.attrs.has(attr).then(|| operation.attrs.str(attr));
        let kind = match operation.kind {
            bindings::LANA_A_OP_FB_NEW => match wanted(bindings::LANA_A_FB_TYPE).transpose()? {
                Some(name) if self.find(name).is_err() => types::find(name)?,
                _ => return Ok(()),
            },
            bindings::LANA_A_OP_VLINK_HOOK | bindings::LANA_A_OP_VLINK_NEW => {
                let virtual_ = operation.kind == bindings::LANA_A_OP_VLINK_NEW;
                match wanted(bindings::LANA_A_VLINK_SUBSYSTEM).transpose()? {
                    Some(by) if self.find_vlink(by, virtual_).is_err() => {
                        types::find_vlink(by, virtual_)?
                    }
                    _ => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        Ok(self.0.push(kind, GFP_KERNEL)?)
    }

    fn find(&self, name: &[u8]) -> Result<Use, Failure> {
        self.another(|kind| {
            kind.maker() == Maker::Request && kind.name().as_str().as_bytes() == name
        })
    }

    fn find_vlink(&self, subsystem: &[u8], virtual_: bool) -> Result<Use, Failure> {
        self.another(|kind| {
            kind.vlink().is_some_and(|by| by.as_bytes() == subsystem)
                && kind.is_virtual() == virtual_
        })
    }

    fn another(&self, matches: impl Fn(&Type) -> bool) -> Result<Use, Failure> {
        let found = self.0.iter().find(|found| matches(found.kind()));
        Ok(found
            .and_then(|found| Use::new(found.kind()))
            .ok_or(ENOENT)?)
    }
}

/// A block, without its lists unless it is to be whole, and without its configuration unless who asks
/// is an administrator.
fn put_fb(
    msg: &mut Message,
    state: &State,
    idp: Idp,
    face: &Face,
    whole: bool,
    admin: bool,
) -> Result {
    let instance = &face.instance;
    msg.put_str(bindings::LANA_A_FB_NAME, instance.name().as_str())?;
    msg.put_str(bindings::LANA_A_FB_TYPE, instance.kind().name().as_str())?;
    msg.put_u32(bindings::LANA_A_FB_IDP, idp)?;
    msg.put_u32(bindings::LANA_A_FB_REFCNT, face.refcnt())?;
    if let Some(hook) = &face.hook {
        let name = hook.ifname();
        msg.put_text(bindings::LANA_A_FB_IFNAME, name.as_bytes())?;
    }
    if let Some(socket) = &face.socket {
        msg.put_uint(bindings::LANA_A_FB_INODE, socket.info().inode)?;
    }
    let totals = instance.totals();
    msg.nest(bindings::LANA_A_FB_STATS, |msg| {
        msg.put_uint(bindings::LANA_A_STATS_PACKETS, totals.packets)?;
        msg.put_uint(bindings::LANA_A_STATS_BYTES, totals.bytes)?;
        for (attr, total) in [
            (bindings::LANA_A_STATS_SKBS, totals.skbs),
            (bindings::LANA_A_STATS_ENTERED, totals.entered),
            (bindings::LANA_A_STATS_ENTERED_BYTES, totals.entered_bytes),
        ] {
            if total > 0 {
                msg.put_uint(attr, total)?;
            }
        }
        for (reason, drops) in DropReason::ALL.into_iter().zip(totals.drops) {
            if drops > 0 {
                msg.nest(bindings::LANA_A_STATS_DROP, |msg| {
                    msg.put_u32(bindings::LANA_A_DROP_REASON, reason as u32)?;
                    msg.put_uint(bindings::LANA_A_DROP_PACKETS, drops)
                })?;
            }
        }
        Ok(())
    })?;
    if !whole {
        return msg.put_flag(bindings::LANA_A_FB_PARTIAL);
    }
    for (direction, ports) in (0..).zip(&face.ports) {
        for (index, &peer) in (0..).zip(ports) {
            msg.nest(bindings::LANA_A_FB_PORT, |msg| {
                msg.put_u32(bindings::LANA_A_PORT_DIRECTION, direction)?;
                msg.put_u32(bindings::LANA_A_PORT_INDEX, index)?;
                msg.put_u32(bindings::LANA_A_PORT_PEER, peer)?;
                match state.registry.face(peer) {
                    Some(peer) => {
                        let name = peer.instance.name().as_str();
                        msg.put_str(bindings::LANA_A_PORT_PEER_NAME, name)
                    }
                    None => Ok(()),
                }
            })?;
        }
    }
    for publisher in &face.publishers {
        msg.put_u32(bindings::LANA_A_FB_PUBLISHER, *publisher)?;
    }
    values::put_options(msg, face.block.object(), admin)
}

/// A text that has to be written first.
fn put_written(msg: &mut Message, attr: u32, text: fmt::Arguments<'_>) -> Result {
    let text = CString::try_from_fmt(text)?;
    msg.put_text(attr, text.to_bytes())
}

fn put_option(msg: &mut Message, option: &OptionSpec) -> Result {
    msg.nest(bindings::LANA_A_TYPE_OPTION, |msg| {
        msg.put_str(bindings::LANA_A_TYPE_OPTION_KEY, option.key)?;
        match option.values {
            Values::Words(words) => {
                for word in words {
                    msg.put_str(bindings::LANA_A_TYPE_OPTION_WORD, word)?;
                }
            }
            Values::Range(min, max) => {
                msg.put_uint(bindings::LANA_A_TYPE_OPTION_LOWEST, min)?;
                msg.put_uint(bindings::LANA_A_TYPE_OPTION_HIGHEST, max)?;
            }
            ref form => put_written(
                msg,
                bindings::LANA_A_TYPE_OPTION_FORM,
                format_args!("{form}"),
            )?,
        }
        let default = &option.default;
        put_written(
            msg,
            bindings::LANA_A_TYPE_OPTION_DEFAULT,
            format_args!("{default}"),
        )?;
        msg.put_str(bindings::LANA_A_TYPE_OPTION_DOC, option.doc)
    })
}
