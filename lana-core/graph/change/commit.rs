// SPDX-License-Identifier: GPL-2.0

//! A change takes effect, or is given up.

use super::{devices::Programs, ports, Change, EGRESS, INGRESS};
use crate::{
    base::error::Failure,
    fail,
    graph::{
        notifier::Kind,
        registry::{Files, Registry},
        State,
    },
    packet::{hold::Place, stats::EngineTotals},
    sys::{
        context::{cond_resched, Process},
        netdev::Device,
        proc,
        wiring::Draft,
    },
};
use kernel::{prelude::*, sync::Arc};

impl Change<'_> {
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
        if ports::watch(registry, watchers)? && !self.last_try {
            graph.net().chores(true);
        }
        if registry.touched().is_empty() && self.going.is_empty() && self.probes.is_none() {
            return Ok(());
        }
        let probes = self.probes.as_ref().unwrap_or(&state.probes);
        let probed = probes.is_some();
        let mut retired = false;
        for &idp in registry.touched() {
            let face = registry.face(idp);
            retired |= face.is_none();
            if let Some(face) = face.filter(|face| face.block.object().batch()) {
                if face.hook.as_ref().is_some_and(|hook| hook.takes_frames()) {
                    let name = face.instance.name();
                    return Err(fail!(
                        EINVAL,
                        "'{name}': batch=on is for skbs, not with --xdp"
                    ));
                }
            }
            let draft = face.map(|face| Draft {
                instance: &face.instance,
                block: &face.block,
                counters: face.instance.stats(),
                ports: [&face.ports[INGRESS], &face.ports[EGRESS]],
                entrance: face.stands_for().map(|_| face.block.object().unclaimed()),
                probed,
                holds: face.instance.kind().holds(),
            });
            wiring.draft(graph.ppe().live(), idp, draft)?;
        }
        if self.probes.is_some() {
            wiring.draft_beside(graph.ppe().live(), probes.clone());
        }
        if let Some(tree) = &state.proc {
            registry.make_files(|name| proc::File::new(tree, graph, name))?;
        }
        if self.defers_files {
            state.stale.reserve(registry.renamed().len(), GFP_KERNEL)?;
        }
        self.past.reserve(registry.touched().len(), GFP_KERNEL)?;

        // Nothing fails from here on.
        wiring.publish(graph.ppe().live());
        for &idp in registry.touched() {
            if let Some(face) = registry.face(idp) {
                if let Some(hook) = &face.hook {
                    hook.set_batch(face.block.object().batch());
                }
                if let Some(slot) = wiring.place(idp).filter(|_| face.instance.kind().holds()) {
                    let ppe = graph.ppe();
                    face.block.object().placed(&Place { ppe, slot });
                }
                for owner in face.instance.holds() {
                    wiring.changed(idp, owner);
                }
            }
        }
        let probes_changed = self.probes.is_some();
        if let Some(probes) = self.probes.take() {
            state.probes = probes;
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
        registry.mark_counters(state.generation);
        retired |= registry.gone_counters(state.generation).next().is_some();
        watchers.retain(|idp| registry.face(*idp).is_some_and(ports::watches));
        for event in &self.events {
            state.events.tell(graph.net(), registry, event);
        }
        ports::tell_uses(graph.net(), registry, &mut state.events);
        log(registry);
        // All devices that were unhooked wait together, for what those wait for that were removed.
        if let Some(rtnl) = &self.rtnl {
            if registry.detach(rtnl) {
                wiring.prolong();
            }
        }
        // What has been set or removed is to be gone when the request has ended.
        if retired
            || probes_changed
            || self
                .events
                .iter()
                .any(|event| event.kind() == Kind::OptionSet)
        {
            wiring.settle(graph.ppe().live());
        }
        for counters in registry.gone_counters(state.generation) {
            EngineTotals::keep(graph.ppe().stats(), counters);
        }
        registry.forget(&mut self.past);
        let going = core::mem::take(&mut self.going);
        self.end(files, going);
        Ok(())
    }

    /// Gives the locks back, ends blocks, and removes virtual devices and files.
    fn end(&mut self, mut files: Files, devices: KVec<Device>) {
        self.state = None;
        // No reference to a device may be left when RTNL is given back: that waits for them.
        self.coming = KVec::new();
        self.going = KVec::new();
        // Those that no hook has taken over: with RTNL held, and no graph locked.
        self.programs = Programs::default();
        // What a block holds of a device that goes is not to be waited for, either.
        if devices.is_empty() {
            self.rtnl = None;
        }
        let process = Process::new();
        for face in core::mem::take(&mut self.past) {
            drop(face);
            cond_resched(&process);
        }
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

/// Says in the kernel's log which devices are hooked now, and which are not any more: who is cut off looks there.
fn log(registry: &Registry) {
    for &idp in registry.touched() {
        let hooks = [registry.before(idp), registry.face(idp)].map(|face| {
            let face = face.filter(|face| !face.instance.kind().is_virtual())?;
            face.hook.as_ref()
        });
        let same = match hooks {
            [Some(before), Some(now)] => Arc::ptr_eq(before, now),
            _ => false,
        };
        if same {
            continue;
        }
        for (hook, what) in hooks.into_iter().zip(["unhooked", "hooked"]) {
            let Some(hook) = hook else { continue };
            let entrance = match hook.takes_frames() {
                true => "XDP",
                false => "its receive handler",
            };
            let (device, by) = (hook.ifname(), hook.subsystem());
            let device =
                core::str::from_utf8(device.as_bytes()).unwrap_or("a device whose name is no text");
            pr_info!("{device}: {what}, by {by} at {entrance}\n");
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // Not committed: nothing has happened.
        if let Some(state) = self.state.as_deref_mut() {
            state.wiring.revert(self.graph.ppe().live());
            let files = state.registry.end(false);
            let coming = core::mem::take(&mut self.coming);
            self.end(files, coming);
        }
    }
}
