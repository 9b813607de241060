// SPDX-License-Identifier: GPL-2.0

//! A graph, one a network namespace. What changes it is a [`Change`]. The graph's lock is held
//! throughout one; packets do not know it.

pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod notifier;
pub(crate) mod object;
pub(crate) mod registry;
pub(crate) mod types;

use self::{
    change::Change,
    notifier::{Events, Kind},
    object::Object,
    registry::{Files, Instance, Registry},
};
use crate::{
    packet::{
        entrance::Ppe,
        probe::Probes,
        stats::{Alarm, EngineStats, EngineTotals},
    },
    sys::{
        bindings,
        context::{cond_resched, Process},
        hook,
        net::{self, Net, PerNet},
        proc,
        slot::Idp,
        wiring,
    },
};
use kernel::{
    prelude::*,
    sync::{lock::mutex::MutexGuard, new_mutex, Arc, Mutex},
};

/// The graph of a namespace.
#[pin_data]
pub(crate) struct Graph {
    ppe: Ppe,
    #[pin]
    state: Mutex<State>,
}

/// The wiring of a graph.
type Wiring = wiring::Wiring<Ppe, dyn Object, Instance>;

/// What the graph's lock protects.
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) wiring: Wiring,
    pub(crate) events: Events,
    pub(crate) proc: Option<proc::Tree>,
    /// The IDPs of blocks that watch their ports, in order; and of some that were to be.
    pub(crate) watchers: KVVec<Idp>,
    /// Files that are to be removed by [`PerNet::chores`].
    pub(crate) stale: Files,
    /// What looks at packets.
    pub(crate) probes: Option<Arc<Probes>>,
    /// Counts the changes.
    pub(crate) generation: u32,
    /// Counts the sockets, for their names.
    pub(crate) sockets: u32,
}

impl State {
    /// What the engine has done on a CPU, which has these counters of its own. Sleeps.
    pub(crate) fn engine_totals(&self, cpu: u32, engine: &EngineStats) -> EngineTotals {
        let process = Process::new();
        let mut totals = EngineTotals::of(engine);
        for (idp, face) in self.registry.iter() {
            if idp % 256 == 0 {
                cond_resched(&process);
            }
            if let Some(block) = face.instance.stats().of(cpu) {
                totals.add(block);
            }
        }
        totals
    }
}

impl Graph {
    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        self.ppe.net()
    }

    /// What packets read of it.
    pub(crate) fn ppe(&self) -> &Ppe {
        &self.ppe
    }

    /// Ends the probe for a socket. Sleeps.
    pub(crate) fn close_probe(&self, portid: u32) {
        // Sockets of all kinds are closed, and are not to wait for a graph that is being changed.
        if !self.ppe.close_probe(portid) {
            return;
        }
        let mut change = Change::new(self, None);
        if change.end_probes().and_then(|()| change.commit()).is_err() {
            // It sees nothing any more, and goes later.
            self.net().chores(true);
        }
    }

    /// Locks the graph, as it is without the blocks of what has gone. Sleeps. RTNL, where it is needed, is
    /// taken first.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock();
        if !self.net().any_gone() {
            return state;
        }
        // Devices and sockets have gone meanwhile, which nobody was asked for: so do their blocks, with
        // their bindings and subscriptions. All that have gone share one change, and its grace periods.
        let mut change = Change::of(self, state, None).deferring_files();
        self.net().remove_gone(|idps| {
            for idp in idps {
                change.gone(idp)?;
            }
            change.commit()
        });
        self.state.lock()
    }
}

impl PerNet for Graph {
    /// Makes an empty graph, with its files in procfs. Sleeps.
    fn new(net: Net) -> Result<Pin<KBox<Self>>> {
        let ppe = Ppe::new(net)?;
        let graph = KBox::pin_init(
            pin_init!(Self {
                ppe,
                state <- new_mutex!(
                    State {
                        registry: Registry::new(),
                        wiring: Wiring::default(),
                        events: Events::default(),
                        proc: None,
                        watchers: KVVec::new(),
                        stale: KVVec::new(),
                        probes: None,
                        generation: 1,
                        sockets: 0,
                    },
                    "lana::Graph::state"
                ),
            }? Error),
            GFP_KERNEL,
        )?;
        let tree = proc::Tree::new(graph.ppe.net())?;
        graph.state.lock().proc = Some(tree);
        Ok(graph)
    }

    /// Does what was put off: removes the blocks of what has gone, and their files; and has blocks hear
    /// of their ports, where there was no memory for that. Sleeps, for as long as user space likes.
    fn chores(&self) {
        let mut change = Change::new(self, None).last_try();
        if change.end_probes().and_then(|()| change.commit()).is_err() {
            self.net().chores(true);
        }
        let mut files = core::mem::take(&mut self.lock().stale);
        for (_, file) in files.iter_mut() {
            *file = None;
        }
        self.lock().registry.gone(&files);
    }

    /// Packets were dropped by the limits that end loops, or blocks have something to tell: tells of it. Sleeps.
    fn alarm(&self) {
        let State {
            registry, events, ..
        } = &mut *self.lock();
        for alarm in Alarm::ALL {
            let (total, idp) = EngineStats::alarmed(self.ppe.stats(), alarm);
            events.tell_alarm(self.net(), registry, alarm, total, idp);
        }
        events.tell_notices(self.net(), registry);
    }

    /// The namespace goes, and its devices have gone: ends procfs and removes all. Sleeps.
    fn clear(&self) {
        let mut state = self.state.lock();
        state.wiring.settle(self.ppe.live());
        let registry = core::mem::replace(&mut state.registry, Registry::new());
        let wiring = core::mem::take(&mut state.wiring);
        let stale = core::mem::take(&mut state.stale);
        let tree = state.proc.take();
        // Removing files waits for their handlers, and those lock the graph. The files of the
        // blocks are below the tree, so they go first.
        drop(state);
        drop((registry, stale));
        drop(tree);
        drop(wiring);
    }
}

net::per_net!(Graph);

impl hook::DeviceEvents for Graph {
    /// Something has happened to a hooked device: tells of it, and has the blocks hear of it that
    /// watch their ports. Sleeps.
    fn device_event(&self, kind: u32, idp: Idp) {
        let kind = match kind {
            bindings::LANA_EVENT_KIND_DEVICE_UP => Some(Kind::DeviceUp),
            bindings::LANA_EVENT_KIND_DEVICE_DOWN => Some(Kind::DeviceDown),
            bindings::LANA_EVENT_KIND_XDP_REPLACED => Some(Kind::XdpReplaced),
            bindings::LANA_EVENT_KIND_DEVICE_RENAMED => Some(Kind::DeviceRenamed),
            _ => None,
        };
        if let Some(kind) = kind {
            let State {
                registry, events, ..
            } = &mut *self.lock();
            events.tell_device(self.net(), registry, kind, idp);
        }
        if Change::new(self, None).commit().is_err() {
            self.net().chores(true);
        }
    }
}

hook::device_events!(Ppe, Graph);
