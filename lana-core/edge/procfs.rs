// SPDX-License-Identifier: GPL-2.0

//! What `/proc/net/lana` shows, and what writing to it does.

use crate::{
    base::{error::Failure, name::Name},
    fail,
    graph::{block::Progress, change::Change, types, Graph},
    sys::{
        context::Process,
        proc::{self, Files},
        slot::Idp,
        sock,
    },
};
use core::fmt;
use kernel::{prelude::*, seq_file::SeqFile, seq_print, uaccess::UserSliceReader};

/// What the files show, and what writing to them does.
struct Procfs;

impl Files for Procfs {
    type Graph = Graph;
    type Writing = Writing;

    /// `ppe`: a line a CPU.
    fn ppe(m: &SeqFile, graph: &Graph) {
        seq_print!(
            m,
            "cpu packets bytes calls drops backlog backlog-max unclaimed\n"
        );
        for (cpu, stats) in graph.ppe().stats().iter() {
            let totals = graph.lock().engine_totals(cpu, stats);
            seq_print!(
                m,
                "{} {} {} {} {} {} {} {}\n",
                cpu,
                totals.packets,
                totals.bytes,
                totals.calls,
                totals.drops,
                stats.backlog.get(),
                stats.backlog_max.get(),
                stats.unclaimed.get()
            );
        }
    }

    /// `vlink`: a line a device, and one for each subsystem that has none here.
    fn vlink(m: &SeqFile, graph: &Graph) {
        seq_print!(m, "subsystem device ifindex idp carrier id\n");
        // For lack of memory one may be listed once more.
        let mut seen = KVec::new();
        for (idp, face) in graph.lock().registry.iter() {
            let Some(hook) = &face.hook else { continue };
            let Some(device) = hook.device() else {
                continue;
            };
            let subsystem = Name::like(hook.subsystem().as_bytes());
            if !seen.contains(&subsystem) {
                let _ = seen.push(subsystem, GFP_KERNEL);
            }
            seq_print!(m, "{} ", subsystem.as_str());
            proc::print_bytes(m, device.ifname().as_bytes());
            seq_print!(m, " {} {} ", device.index(), idp);
            match device.carrier() {
                Some((carrier, id)) => {
                    proc::print_bytes(m, carrier.ifname().as_bytes());
                    seq_print!(m, " {id}\n");
                }
                None => seq_print!(m, "- -\n"),
            }
        }
        types::for_each(0, |kind| {
            let subsystem = kind.vlink().map(|name| Name::like(name.as_bytes()));
            if let Some(subsystem) = subsystem.filter(|name| !seen.contains(name)) {
                seq_print!(m, "{} - - - - -\n", subsystem.as_str());
                let _ = seen.push(subsystem, GFP_KERNEL);
            }
            true
        });
    }

    /// `sockets`: a line a socket; amounts are bytes.
    fn sockets(m: &SeqFile, graph: &Graph) {
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
    fn family(m: &SeqFile, _: &Graph) {
        if let Some(number) = sock::family() {
            seq_print!(m, "{number}\n");
        }
    }

    /// The first block at or after an IDP.
    fn next_fblock(graph: &Graph, from: Idp) -> Option<Idp> {
        let state = graph.lock();
        state.registry.first_from(from).map(|(idp, _)| idp)
    }

    /// A line of `fblocks`: name, type, address, IDP, reference count, and the IDPs of the blocks it
    /// is bound or subscribed to. Nothing when the block has gone meanwhile.
    fn fblock_line(m: &SeqFile, graph: &Graph, idp: Idp) {
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
        proc::print_pointer(m, &**instance);
        seq_print!(m, " {} {} [", idp, face.refcnt());
        let mut gap = "";
        for idp in Iterator::chain(face.peers(), face.publishers.iter().copied()) {
            seq_print!(m, "{}{}", gap, idp);
            gap = " ";
        }
        seq_print!(m, "]\n");
    }

    /// A part of `fblock/<name>`. Where it is an option's value, only who may see that gets it.
    fn fblock(
        m: &SeqFile,
        graph: &Graph,
        name: &Name,
        from: u64,
        admin: bool,
    ) -> Result<Option<u64>> {
        let block = match graph.lock().registry.find(name.as_str().as_bytes()) {
            // With the instance the block's module stays.
            Ok((_, face)) => (face.block.clone(), face.instance.clone()),
            Err(failure) => return Err(failure.error),
        };
        if !admin && block.1.kind().file_option().is_some() {
            return Err(EPERM);
        }
        let object = block.0.object();
        // Running out of room is seen by the file, which asks again with more.
        let next = object.print_part(from, &mut Out(m), &Process::new());
        next.map_err(|_| ENOMEM)
    }

    fn write(
        writing: &mut Writing,
        graph: &Graph,
        name: &Name,
        reader: UserSliceReader,
        at: Option<usize>,
    ) -> Result {
        writing.write(graph, name, reader, at)
    }
    fn close(writing: Writing, graph: &Graph, name: &Name) {
        writing.close(graph, name);
    }
}

proc::procfs!(Procfs);

/// A file that is being read, to be written to.
struct Out<'a>(&'a SeqFile);

impl fmt::Write for Out<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        proc::print_bytes(self.0, s.as_bytes());
        Ok(())
    }
}

/// The longest text that can be written: a BPF program of as many instructions as there can be.
const WRITE_MAX: usize = 128 << 10;

/// How long a piece must be for the whole text to be judged, unless a line ends in it: a text that
/// comes byte by byte is judged by lines.
const PIECE_MAX: usize = 64;

/// What a program writes to one open file `fblock/<name>`: one value of the option that the type has
/// for it, by any number of calls. It is set as soon as nothing can be added to it, or else when the
/// file is closed; so a part of it never is. That nobody gets the result of closing is why a value
/// that could be set then is tried before.
#[derive(Default)]
struct Writing {
    text: KVVec<u8>,
    state: State,
}

#[derive(Default)]
enum State {
    /// The text is not set.
    #[default]
    Open,
    /// It is.
    Set,
    /// A call has failed with this. So do all that follow.
    Failed(Error),
}

impl Writing {
    /// Takes what is written at a position. The words of a failure go to the kernel log, there being
    /// no other way.
    fn write(
        &mut self,
        graph: &Graph,
        name: &Name,
        reader: UserSliceReader,
        at: Option<usize>,
    ) -> Result {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        self.add(graph, name, reader, at).map_err(|failure| {
            if failure.text.is_some() {
                log(name, &failure);
            }
            self.text = KVVec::new();
            self.state = State::Failed(failure.error);
            failure.error
        })
    }

    fn add(
        &mut self,
        graph: &Graph,
        name: &Name,
        reader: UserSliceReader,
        at: Option<usize>,
    ) -> Result<(), Failure> {
        let begin = self.text.len();
        if at != Some(begin) {
            return Err(fail!(
                EINVAL,
                "a value is written from its begin to its end"
            ));
        }
        if reader.len() > WRITE_MAX.saturating_sub(begin) {
            return Err(fail!(E2BIG, "more than {} bytes were written", WRITE_MAX));
        }
        reader.read_all(&mut self.text, GFP_KERNEL)?;
        let piece = self.text.get(begin..).unwrap_or_default();
        if piece.is_empty() || begin > 0 && piece.len() < PIECE_MAX && !piece.contains(&b'\n') {
            return Ok(());
        }
        match (progress(graph, name, &self.text)?, &self.state) {
            (Progress::Possible, State::Open) => Change::new(graph, None).write(name, &self.text),
            (Progress::Complete, State::Open) => {
                set(graph, name, &self.text)?;
                self.state = State::Set;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Sets what was written, unless that is done. A failure can only be logged.
    fn close(self, graph: &Graph, name: &Name) {
        if self.text.is_empty() || !matches!(self.state, State::Open) {
            return;
        }
        let result = progress(graph, name, &self.text).and_then(|progress| match progress {
            Progress::Partial => Err(fail!(EINVAL, "not set: closed in the middle of a value")),
            _ => set(graph, name, &self.text),
        });
        if let Err(failure) = result {
            // Where the block has gone, nobody waits for it.
            if failure.error != ENOENT {
                log(name, &failure);
            }
        }
    }
}

/// Judges a text by the type that the block of a name has now.
fn progress(graph: &Graph, name: &Name, text: &[u8]) -> Result<Progress, Failure> {
    // With the instance the block's module stays.
    let instance = match graph.lock().registry.find(name.as_str().as_bytes()) {
        Ok((_, face)) => face.instance.clone(),
        Err(failure) => return Err(failure),
    };
    instance.kind().file_option().ok_or(EPERM)?;
    instance.kind().progress(text)
}

fn set(graph: &Graph, name: &Name, text: &[u8]) -> Result<(), Failure> {
    let mut change = Change::new(graph, None);
    change.write(name, text)?;
    change.commit()
}

fn log(name: &Name, failure: &Failure) {
    match &failure.text {
        Some(_) => pr_info!("{}: {}\n", name.as_str(), failure.words()),
        None => pr_info!("{}: not set: {:?}\n", name.as_str(), failure.error),
    }
}
