// SPDX-License-Identifier: GPL-2.0

//! What `/proc/net/lana` shows, and what writing to it does.

use crate::{
    block::Process,
    change::Change,
    graph::Graph,
    name::Name,
    registry::Idp,
    sys::{proc, sock},
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
    seq_print!(
        m,
        "cpu packets bytes calls drops backlog backlog-max unclaimed\n"
    );
    for (cpu, stats) in graph.stats().iter() {
        seq_print!(
            m,
            "{} {} {} {} {} {} {} {}\n",
            cpu,
            stats.packets.get(),
            stats.bytes.get(),
            stats.calls.get(),
            stats.drops.get(),
            stats.backlog.get(),
            stats.backlog_max.get(),
            stats.unclaimed.get()
        );
    }
}

/// `vlink`: a line a device.
pub(crate) fn vlink(m: &SeqFile, graph: &Graph) {
    seq_print!(m, "subsystem device ifindex idp carrier id\n");
    for (idp, face) in graph.lock().registry.iter() {
        if let Some(hook) = &face.hook {
            seq_print!(
                m,
                "{} {} {} {}",
                hook.subsystem(),
                hook.device().name().as_str(),
                hook.device().index(),
                idp
            );
            match hook.device().carrier() {
                Some((carrier, id)) => seq_print!(m, " {} {}\n", carrier.name().as_str(), id),
                None => seq_print!(m, " - -\n"),
            }
        }
    }
}

/// `sockets`: a line a socket; amounts are bytes.
pub(crate) fn sockets(m: &SeqFile, graph: &Graph) {
    seq_print!(m, "name idp type rmem rcvbuf wmem ring drops uid inode\n");
    for (idp, face) in graph.lock().registry.iter() {
        if let Some(socket) = &face.socket {
            let info = socket.info();
            seq_print!(
                m,
                "{} {} {} {} {} {} {} {} {} {}\n",
                face.instance.name().as_str(),
                idp,
                info.type_,
                info.rmem,
                info.rcvbuf,
                info.wmem,
                info.ring,
                info.drops,
                info.uid,
                info.inode
            );
        }
    }
}

/// `family`: the number of the address family of sockets; nothing when there is none.
pub(crate) fn family(m: &SeqFile, _: &Graph) {
    if let Some(number) = sock::family() {
        seq_print!(m, "{number}\n");
    }
}

/// The first block at or after an IDP.
pub(crate) fn next_fblock(graph: &Graph, from: Idp) -> Option<Idp> {
    let state = graph.lock();
    state.registry.first_from(from).map(|(idp, _)| idp)
}

/// A line of `fblocks`: name, type, address, IDP, reference count, and the IDPs of the blocks it
/// is bound or subscribed to. Nothing when the block has gone meanwhile.
pub(crate) fn fblock_line(m: &SeqFile, graph: &Graph, idp: Idp) {
    let state = graph.lock();
    let Some(face) = state.registry.face(idp) else {
        return;
    };
    let instance = &face.instance;
    // All blocks that stand for devices are vlinks there.
    let kind = match instance.kind().vlink() {
        Some(_) => "vlink",
        None => instance.kind().name().as_str(),
    };
    seq_print!(m, "{} {} ", instance.name().as_str(), kind);
    proc::print_pointer(m, instance);
    seq_print!(m, " {} {} [", idp, face.refcnt());
    let mut gap = "";
    for idp in Iterator::chain(face.peers(), face.publishers.iter().copied()) {
        seq_print!(m, "{}{}", gap, idp);
        gap = " ";
    }
    seq_print!(m, "]\n");
}

/// `fblock/<name>`.
pub(crate) fn fblock(m: &SeqFile, graph: &Graph, name: &Name) -> Result {
    let block = match graph.lock().registry.find(name.as_str().as_bytes()) {
        // With the instance the block's module stays.
        Ok((_, face)) => (face.made.clone(), face.instance.clone()),
        Err(failure) => return Err(failure.error),
    };
    // Running out of room is seen by the file, which asks again with more.
    let _ = block.0.object().print(&mut Out(m), &Process::new());
    Ok(())
}

/// The longest value that can be written: a BPF program of as many instructions as there can be.
const WRITE_MAX: usize = 128 << 10;

/// A write to `fblock/<name>`: the value of the option that the type has for it. A failure's words
/// go to the kernel log, there being no other way.
pub(crate) fn write(graph: &Graph, name: &Name, reader: UserSliceReader, len: usize) -> Result {
    if len > WRITE_MAX {
        return Err(E2BIG);
    }
    let mut value = KVec::new();
    reader.read_all(&mut value, GFP_KERNEL)?;
    let mut change = Change::new(graph, None);
    change
        .write(name, &value)
        .and_then(|()| change.commit())
        .map_err(|failure| {
            if let Some(text) = failure.text.as_ref() {
                let text = core::str::from_utf8(text.as_bytes()).unwrap_or_default();
                pr_info!("{}: {}\n", name.as_str(), text);
            }
            failure.error
        })
}
