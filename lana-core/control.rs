// SPDX-License-Identifier: GPL-2.0

//! The operations of the netlink family, as `Documentation/netlink/specs/lana.yaml` defines them.
//!
//! All run in process context and may sleep. The kernel has checked the rights and the form of
//! the attributes, by the tables that are generated from the specification.

use crate::{
    block::{Options, Process},
    builder,
    error::Failure,
    fail,
    graph::State,
    name::{Name, Shown},
    registry::Entry,
    stats::DropReason,
    sys::{
        bindings,
        genl::{Dump, Message, Request},
    },
    vlink,
};
use core::fmt;
use kernel::{prelude::*, str::Formatter};

pub(crate) fn fb_new(request: &Request<'_>) -> Result<(), Failure> {
    let at = bindings::LANA_A_FB_NAME;
    let name = request.str(at)?;
    let name =
        Name::new(name).map_err(|bad| fail!(EINVAL, "name '{}' {}", Shown(name), bad).at(at))?;
    let kind = builder::find(request.str(bindings::LANA_A_FB_TYPE)?)?;
    request.graph()?.add(name, kind)
}

pub(crate) fn fb_del(request: &Request<'_>) -> Result<(), Failure> {
    let at = bindings::LANA_A_FB_NAME;
    let name = request.str(at)?;
    request.graph()?.remove(name).map_err(|e| e.at(at))
}

pub(crate) fn fb_set(request: &Request<'_>) -> Result<(), Failure> {
    let name = request.str(bindings::LANA_A_FB_NAME)?;
    let at = bindings::LANA_A_FB_OPTION;
    let (key, value) = request.option(at)?;
    request.graph()?.set(name, key, value).map_err(|e| e.at(at))
}

pub(crate) fn bind(request: &Request<'_>) -> Result<(), Failure> {
    let (upper, lower) = binding(request)?;
    request.graph()?.bind(upper, lower)
}

pub(crate) fn unbind(request: &Request<'_>) -> Result<(), Failure> {
    let (upper, lower) = binding(request)?;
    request.graph()?.unbind(upper, lower)
}

fn binding<'a>(request: &'a Request<'_>) -> Result<(&'a [u8], &'a [u8]), Failure> {
    Ok((
        request.str(bindings::LANA_A_BINDING_UPPER)?,
        request.str(bindings::LANA_A_BINDING_LOWER)?,
    ))
}

pub(crate) fn subscribe(request: &Request<'_>) -> Result<(), Failure> {
    let (subscriber, publisher) = subscription(request)?;
    request.graph()?.subscribe(subscriber, publisher)
}

pub(crate) fn unsubscribe(request: &Request<'_>) -> Result<(), Failure> {
    let (subscriber, publisher) = subscription(request)?;
    request.graph()?.unsubscribe(subscriber, publisher)
}

fn subscription<'a>(request: &'a Request<'_>) -> Result<(&'a [u8], &'a [u8]), Failure> {
    Ok((
        request.str(bindings::LANA_A_SUBSCRIPTION_SUBSCRIBER)?,
        request.str(bindings::LANA_A_SUBSCRIPTION_PUBLISHER)?,
    ))
}

pub(crate) fn vlink_hook(request: &Request<'_>) -> Result<(), Failure> {
    let (subsystem, ifname) = device(request)?;
    vlink::hook(request.graph()?, subsystem, ifname)
}

pub(crate) fn vlink_unhook(request: &Request<'_>) -> Result<(), Failure> {
    let (subsystem, ifname) = device(request)?;
    vlink::unhook(request.graph()?, subsystem, ifname)
}

fn device<'a>(request: &'a Request<'_>) -> Result<(&'a [u8], &'a [u8]), Failure> {
    Ok((
        request.str(bindings::LANA_A_VLINK_SUBSYSTEM)?,
        request.str(bindings::LANA_A_VLINK_IFNAME)?,
    ))
}

pub(crate) fn fb_get(request: &Request<'_>) -> Result<(), Failure> {
    let at = bindings::LANA_A_FB_NAME;
    let name = request.str(at)?;
    let graph = request.graph()?;
    request.reply(bindings::LANA_CMD_FB_GET, |msg| {
        let state = graph.lock();
        let entry = state.registry.find(name).map_err(|e| e.at(at))?;
        Ok(put_fb(msg, &state, entry, true)?)
    })
}

/// All blocks, in the order of their IDPs; the cursor is the next IDP to look at. One that is
/// made or removed meanwhile may be in or not, all others are in once.
pub(crate) fn fb_get_dump(dump: &mut Dump<'_>) -> Result {
    let graph = dump.graph()?;
    loop {
        let state = graph.lock();
        let from = u32::try_from(dump.cursor()).unwrap_or(u32::MAX).max(1);
        let Some(entry) = state.registry.first_from(from) else {
            return Ok(());
        };
        let cmd = bindings::LANA_CMD_FB_GET;
        if !dump.message(cmd, |msg| put_fb(msg, &state, entry, true))? {
            if !dump.is_empty() {
                return Ok(());
            }
            // What fits in no message of a dump goes without its lists; fb-get by name has them.
            if !dump.message(cmd, |msg| put_fb(msg, &state, entry, false))? {
                return Err(EMSGSIZE);
            }
        }
        dump.set_cursor(u64::from(entry.instance.idp()) + 1);
    }
}

fn put_fb(msg: &mut Message, state: &State, entry: &Entry, whole: bool) -> Result {
    let instance = &entry.instance;
    msg.put_str(bindings::LANA_A_FB_NAME, instance.name().as_str())?;
    msg.put_str(bindings::LANA_A_FB_TYPE, instance.kind().name().as_str())?;
    msg.put_u32(bindings::LANA_A_FB_IDP, instance.idp())?;
    msg.put_u32(bindings::LANA_A_FB_REFCNT, entry.refcnt())?;
    if let Some(hook) = &entry.hook {
        msg.put_str(bindings::LANA_A_FB_IFNAME, hook.device().name().as_str())?;
    }
    let totals = instance.totals();
    msg.nest(bindings::LANA_A_FB_STATS, |msg| {
        msg.put_uint(bindings::LANA_A_STATS_PACKETS, totals.packets)?;
        msg.put_uint(bindings::LANA_A_STATS_BYTES, totals.bytes)?;
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
        return Ok(());
    }
    for (direction, ports) in (0..).zip(&entry.ports) {
        for (index, peer) in (0..).zip(ports) {
            msg.nest(bindings::LANA_A_FB_PORT, |msg| {
                msg.put_u32(bindings::LANA_A_PORT_DIRECTION, direction)?;
                msg.put_u32(bindings::LANA_A_PORT_INDEX, index)?;
                msg.put_u32(bindings::LANA_A_PORT_PEER, peer.idp())?;
                msg.put_str(bindings::LANA_A_PORT_PEER_NAME, peer.name().as_str())
            })?;
        }
    }
    for publisher in &entry.publishers {
        if state.registry.get(*publisher).is_some() {
            msg.put_u32(bindings::LANA_A_FB_PUBLISHER, *publisher)?;
        }
    }
    put_options(msg, entry)
}

/// Shows options, the ones that are not too long for it.
struct PutOptions<'a> {
    msg: &'a mut Message,
    result: Result,
}

/// The longest value of an option that is shown; a longer one is read from procfs.
const SHOWN_MAX: usize = 1024;

impl Options for PutOptions<'_> {
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>) {
        let mut put = || -> Result {
            let mut bytes = KVec::from_elem(0, SHOWN_MAX, GFP_KERNEL)?;
            let mut text = Formatter::new(&mut bytes);
            if fmt::Write::write_fmt(&mut text, value).is_err() {
                return Ok(());
            }
            let len = text.bytes_written();
            let value = bytes.get(..len).unwrap_or_default();
            self.msg.nest(bindings::LANA_A_FB_OPTION, |msg| {
                msg.put_str(bindings::LANA_A_OPTION_KEY, key)?;
                msg.put_text(bindings::LANA_A_OPTION_VALUE, value)
            })
        };
        let result = put();
        self.result = self.result.and(result);
    }
}

fn put_options(msg: &mut Message, entry: &Entry) -> Result {
    let mut options = PutOptions {
        msg,
        result: Ok(()),
    };
    let process = Process::new();
    entry.instance.object().options(&mut options, &process);
    options.result
}

/// The cursor is the number of the type that was out last.
pub(crate) fn type_get_dump(dump: &mut Dump<'_>) -> Result {
    let mut result = Ok(());
    builder::for_each(dump.cursor(), |kind| {
        let done = dump.message(bindings::LANA_CMD_TYPE_GET, |msg| {
            let [ingress, egress] = kind.ports();
            msg.put_str(bindings::LANA_A_TYPE_NAME, kind.name().as_str())?;
            msg.put_u32(bindings::LANA_A_TYPE_MODE, kind.mode() as u32)?;
            let module = kind.owner().name().to_bytes();
            msg.put_text(bindings::LANA_A_TYPE_MODULE, module)?;
            msg.put_u32(bindings::LANA_A_TYPE_INSTANCES, kind.instances())?;
            msg.put_u32(bindings::LANA_A_TYPE_INGRESS_PORTS, ingress)?;
            msg.put_u32(bindings::LANA_A_TYPE_EGRESS_PORTS, egress)?;
            match kind.vlink() {
                Some(vlink) => msg.put_str(bindings::LANA_A_TYPE_VLINK, vlink),
                None => Ok(()),
            }
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
pub(crate) fn ppe_get_dump(dump: &mut Dump<'_>) -> Result {
    let graph = dump.graph()?;
    for (cpu, stats) in graph.stats().iter() {
        if u64::from(cpu) < dump.cursor() {
            continue;
        }
        let done = dump.message(bindings::LANA_CMD_PPE_GET, |msg| {
            msg.put_u32(bindings::LANA_A_PPE_CPU, cpu)?;
            msg.put_uint(bindings::LANA_A_PPE_PACKETS, stats.packets.get())?;
            msg.put_uint(bindings::LANA_A_PPE_BYTES, stats.bytes.get())?;
            msg.put_uint(bindings::LANA_A_PPE_CALLS, stats.calls.get())?;
            msg.put_uint(bindings::LANA_A_PPE_DROPS, stats.drops.get())?;
            msg.put_u32(bindings::LANA_A_PPE_BACKLOG, stats.backlog.get() as u32)?;
            let max = stats.backlog_max.get() as u32;
            msg.put_u32(bindings::LANA_A_PPE_BACKLOG_MAX, max)
        })?;
        if !done {
            break;
        }
        dump.set_cursor(u64::from(cpu) + 1);
    }
    Ok(())
}

/// The cursor is the next IDP to look at.
pub(crate) fn vlink_get_dump(dump: &mut Dump<'_>) -> Result {
    let graph = dump.graph()?;
    let state = graph.lock();
    for entry in state.registry.iter() {
        let idp = entry.instance.idp();
        let Some(hook) = &entry.hook else { continue };
        if u64::from(idp) < dump.cursor() {
            continue;
        }
        let done = dump.message(bindings::LANA_CMD_VLINK_GET, |msg| {
            msg.put_str(bindings::LANA_A_VLINK_SUBSYSTEM, hook.subsystem())?;
            let name = hook.device().name();
            msg.put_str(bindings::LANA_A_VLINK_IFNAME, name.as_str())?;
            msg.put_u32(bindings::LANA_A_VLINK_IFINDEX, hook.device().index())?;
            msg.put_u32(bindings::LANA_A_VLINK_IDP, idp)
        })?;
        if !done {
            break;
        }
        dump.set_cursor(u64::from(idp) + 1);
    }
    Ok(())
}
