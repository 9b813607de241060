// SPDX-License-Identifier: GPL-2.0

//! Blocks that watch their ports are told what these lead to.

use super::{
    search::{Search, Step},
    EGRESS,
};
use crate::{
    base::error::Failure,
    graph::{
        block::{Mode, Peer},
        notifier::{Event, Events, Kind},
        registry::{Face, Registry},
    },
    sys::{context::Process, net::Net, slot::Idp},
};
use kernel::prelude::*;

/// Whether a block watches its ports.
pub(super) fn watches(face: &Face) -> bool {
    face.instance.kind().watches_ports()
}

/// Tells the blocks that watch their ports, by and by all that are in `watchers`, what these lead to
/// once the change is made; and stages what they make of it. Sleeps.
///
/// A block can refuse a change that makes it, sets it or puts it on top of another one. Any other is made
/// whatever it answers: then it stays as it is, and the kernel log says why. Says whether one had no
/// memory to answer.
pub(super) fn watch(registry: &mut Registry, watchers: &mut KVVec<Idp>) -> Result<bool, Failure> {
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
        match face.block.object().ports(&peers, &process) {
            Ok(None) => (),
            Ok(Some(block)) => {
                drop(peers);
                registry.stage(idp)?.block = block;
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

/// Tells which ports blocks use since a change that has just been committed, and which they do not use any more. Sleeps.
pub(super) fn tell_uses(net: &Net, registry: &Registry, events: &mut Events) {
    for &idp in registry.touched() {
        let (Some(before), Some(now)) = (registry.before(idp), registry.face(idp)) else {
            continue;
        };
        if !watches(now) {
            continue;
        }
        for (port, &peer) in (0..).zip(&now.ports[EGRESS]) {
            let mut ports = (0..).zip(&before.ports[EGRESS]);
            let was = ports.find(|&(_, &other)| other == peer);
            let was = was.and_then(|(port, _)| before.block.object().uses(port));
            let kind = match (was, now.block.object().uses(port)) {
                (Some(false), Some(true)) => Kind::PortUp,
                (Some(true), Some(false)) => Kind::PortDown,
                _ => continue,
            };
            if let Ok(event) = Event::new(registry, kind, idp, Some(peer), None) {
                events.tell(net, registry, &event);
            }
        }
    }
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
    let first = device.or(hooks().next());
    Ok(Peer {
        idp,
        name: face.instance.name().as_str(),
        up: device.is_some() || ends.clone().any(keeps),
        speed: first.map_or(0, |hook| hook.speed()),
        address: first
            .and_then(|hook| hook.device())
            .map(|device| device.address()),
        mtu: first
            .and_then(|hook| hook.device())
            .map_or(u32::MAX, |device| device.mtu()),
        device_index: first
            .and_then(|hook| hook.device())
            .map(|device| device.index()),
        device: first.map(|hook| hook.handle()),
    })
}
