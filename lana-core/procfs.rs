// SPDX-License-Identifier: GPL-2.0

//! What `/proc/net/lana` shows, and what writing to it does.

use crate::{
    block::Process,
    graph::Graph,
    registry::{Idp, Instance},
    sys::proc,
};
use core::fmt;
use kernel::{prelude::*, seq_file::SeqFile, seq_print, uaccess::UserSliceReader};

/// A file that is being read, to be written to.
struct Out<'a>(&'a SeqFile);

impl fmt::Write for Out<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        seq_print!(self.0, "{}", s);
        Ok(())
    }
}

/// `ppe`: a line a CPU.
pub(crate) fn ppe(m: &SeqFile, graph: &Graph) {
    seq_print!(m, "cpu packets bytes calls drops backlog backlog-max\n");
    for (cpu, stats) in graph.stats().iter() {
        seq_print!(
            m,
            "{} {} {} {} {} {} {}\n",
            cpu,
            stats.packets.get(),
            stats.bytes.get(),
            stats.calls.get(),
            stats.drops.get(),
            stats.backlog.get(),
            stats.backlog_max.get()
        );
    }
}

/// `vlink`: a line a device.
pub(crate) fn vlink(m: &SeqFile, graph: &Graph) {
    seq_print!(m, "subsystem device ifindex idp\n");
    for entry in graph.lock().registry.iter() {
        if let Some(hook) = &entry.hook {
            seq_print!(
                m,
                "{} {} {} {}\n",
                hook.subsystem(),
                hook.device().name().as_str(),
                hook.device().index(),
                entry.instance.idp()
            );
        }
    }
}

/// The first block at or after an IDP.
pub(crate) fn next_fblock(graph: &Graph, from: Idp) -> Option<Idp> {
    let state = graph.lock();
    state.registry.first_from(from).map(|e| e.instance.idp())
}

/// A line of `fblocks`: name, type, address, IDP, reference count, and the IDPs of the blocks it
/// is bound or subscribed to. Nothing when the block has gone meanwhile.
pub(crate) fn fblock_line(m: &SeqFile, graph: &Graph, idp: Idp) {
    let state = graph.lock();
    let Some(entry) = state.registry.get(idp) else {
        return;
    };
    let instance = &entry.instance;
    // All blocks that stand for devices are vlinks there.
    let kind = match instance.kind().vlink() {
        Some(_) => "vlink",
        None => instance.kind().name().as_str(),
    };
    seq_print!(m, "{} {} ", instance.name().as_str(), kind);
    proc::print_pointer(m, instance);
    seq_print!(m, " {} {} [", idp, entry.refcnt());
    let mut gap = "";
    let bound = entry.peers().map(|peer| peer.idp());
    for idp in Iterator::chain(bound, entry.publishers.iter().copied()) {
        seq_print!(m, "{}{}", gap, idp);
        gap = " ";
    }
    seq_print!(m, "]\n");
}

/// `fblock/<name>`.
pub(crate) fn fblock(m: &SeqFile, instance: &Instance) {
    // Running out of room is seen by the file, which asks again with more.
    let _ = instance.object().print(&mut Out(m), &Process::new());
}

/// The longest value that can be written: a BPF program of as many instructions as there can be.
const WRITE_MAX: usize = 128 << 10;

/// A write to `fblock/<name>`: the value of the option that the type has for it. False when the
/// graph is locked, to try again. A failure's words go to the kernel log, there being no other way.
pub(crate) fn write(
    graph: &Graph,
    instance: &Instance,
    reader: UserSliceReader,
    len: usize,
) -> Result<bool> {
    let Some(key) = instance.kind().file_option() else {
        return Err(EPERM);
    };
    if len > WRITE_MAX {
        return Err(E2BIG);
    }
    let mut value = KVec::new();
    reader.read_all(&mut value, GFP_KERNEL)?;
    let Some(mut state) = graph.try_lock() else {
        return Ok(false);
    };
    state
        .set(graph, instance, key.as_bytes(), &value)
        .map(|()| true)
        .map_err(|failure| {
            if let Some(text) = failure.text.as_ref() {
                let text = core::str::from_utf8(text.as_bytes()).unwrap_or_default();
                pr_info!("{}: {}\n", instance.name().as_str(), text);
            }
            failure.error
        })
}
