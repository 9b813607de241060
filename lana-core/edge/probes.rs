// SPDX-License-Identifier: GPL-2.0

//! Probes, as netlink asks for them.

use crate::{
    base::{error::Failure, name::Shown},
    fail,
    graph::{change::Change, Graph},
    packet::probe::{Bounds, Looks, Probe, POINTS},
    sys::{
        bindings,
        bpf::{Insn, Program},
        context::Process,
        genl::request::Request,
        slot::Idp,
    },
};
use kernel::prelude::*;

/// How many bytes of a packet a trace has, if nothing is said.
const TRACED: u32 = 128;
/// How many a trace can have.
const TRACED_MOST: u32 = 2048;
/// How many a capture has.
const CAPTURED: u32 = 65000;
/// How many records there are in a second, if nothing is said.
const RATE: u32 = 10_000;

/// Begins a probe. Sleeps.
pub(super) fn probe(request: &Request<'_>) -> Result<(), Failure> {
    let graph: &Graph = request.graph()?;
    let attrs = request.attrs();
    if attrs.has(bindings::LANA_A_PROBE_LOST) {
        return tell_lost(request, graph);
    }
    let process = Process::new();
    let filter = match attrs.bytes(bindings::LANA_A_PROBE_FILTER) {
        Some(bytes) => Some(filter(bytes, &process)?),
        None => None,
    };
    let portid = request.sender().0;
    let mut change = Change::new(graph, None);
    let looks = looks(request, &change)?;
    let (most, usual) = match looks {
        Looks::Trace { .. } => (TRACED_MOST, TRACED),
        Looks::Capture { .. } => (CAPTURED, CAPTURED),
    };
    let snaplen = attrs.u32(bindings::LANA_A_PROBE_SNAPLEN).unwrap_or(usual);
    let bounds = Bounds {
        limit: attrs.uint(bindings::LANA_A_PROBE_LIMIT).unwrap_or(u64::MAX),
        rate: attrs.u32(bindings::LANA_A_PROBE_RATE).unwrap_or(RATE),
        sample: attrs.u32(bindings::LANA_A_PROBE_SAMPLE).unwrap_or(1),
        snaplen: snaplen.min(most),
    };
    let probe = Probe::new(looks, filter, bounds, request.sender(), &process)?;
    change.probe(probe, portid)?;
    change.commit()
}

/// Answers what the probe of a socket has lost. Sleeps.
fn tell_lost(request: &Request<'_>, graph: &Graph) -> Result<(), Failure> {
    let at = bindings::LANA_A_PROBE_LOST;
    let portid = request.sender().0;
    let lost = {
        let state = graph.lock();
        let mut all = state.probes.iter().flat_map(|probes| probes.iter());
        let probe = all.find(|probe| probe.is_of(portid));
        probe.map(|probe| probe.lost())
    };
    let lost = lost.ok_or_else(|| fail!(ENOENT, "the socket has no probe").at(at))?;
    request.reply(bindings::LANA_CMD_PROBE, |msg| Ok(msg.put_uint(at, lost)?))
}

/// What a request is to look at.
fn looks(request: &Request<'_>, change: &Change<'_>) -> Result<Looks, Failure> {
    let attrs = request.attrs();
    let (from, at) = (bindings::LANA_A_PROBE_FROM, bindings::LANA_A_PROBE_AT);
    if !attrs.has(at) {
        let ends = attrs.u32(bindings::LANA_A_PROBE_ENDS);
        let has = |end| ends.is_none_or(|ends| ends & end != 0);
        let from = match attrs.has(from) {
            true => Some(change.place(attrs.str(from)?).map_err(|e| e.at(from))?),
            false => None,
        };
        return Ok(Looks::Trace {
            from,
            ends: [
                has(bindings::LANA_PROBE_END_OK),
                has(bindings::LANA_PROBE_END_DROPS),
            ],
        });
    }
    if attrs.has(from) {
        return Err(fail!(EINVAL, "a probe traces or captures").at(from));
    }
    let mut places: KVec<Idp> = KVec::new();
    request.each_text(at, |name| {
        if places.len() == POINTS {
            return Err(fail!(
                E2BIG,
                "'{}' is one of more than {} blocks",
                Shown(name),
                POINTS
            )
            .at(at));
        }
        Ok(places.push(change.place(name).map_err(|e| e.at(at))?, GFP_KERNEL)?)
    })?;
    let points = attrs.u32(bindings::LANA_A_PROBE_POINTS);
    Ok(Looks::Capture {
        at: places,
        points: points.unwrap_or(bindings::LANA_PROBE_POINT_IN),
    })
}

/// The program in an attribute.
fn filter(bytes: &[u8], process: &Process) -> Result<Program, Failure> {
    let at = bindings::LANA_A_PROBE_FILTER;
    let mut insns: KVec<Insn> = KVec::new();
    for word in bytes.chunks(size_of::<Insn>()) {
        let &[c0, c1, jt, jf, k0, k1, k2, k3] = word else {
            return Err(fail!(EINVAL, "the filter is no array of instructions").at(at));
        };
        let insn = Insn {
            code: u16::from_ne_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_ne_bytes([k0, k1, k2, k3]),
        };
        insns.push(insn, GFP_KERNEL)?;
    }
    Program::new(&insns, process)
        .map_err(|_| fail!(EINVAL, "the kernel refuses the filter's program").at(at))
}
