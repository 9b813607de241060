// SPDX-License-Identifier: GPL-2.0

//! A graph, one a network namespace. What changes it is a [`Change`]. The graph's lock is held
//! throughout one; packets do not know it.

use crate::{
    block::Process,
    change::Change,
    error::Failure,
    notifier::{Events, Kind},
    registry::{Idp, Registry},
    stats::{Alarm, EngineStats},
    sys::{
        net::Net,
        netdev::Rtnl,
        percpu::PerCpu,
        proc,
        slot::{Live, Wiring},
    },
};
use kernel::{
    prelude::*,
    sync::{lock::mutex::MutexGuard, new_mutex, Mutex},
    time::{delay::fsleep, Delta},
};

/// The graph of a namespace.
#[pin_data]
pub(crate) struct Graph {
    net: Net,
    live: Live,
    stats: PerCpu<EngineStats>,
    #[pin]
    state: Mutex<State>,
}

/// What the graph's lock protects.
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) wiring: Wiring,
    pub(crate) events: Events,
    pub(crate) proc: Option<proc::Tree>,
    /// The IDPs of blocks that watch their ports, in order; and of some that were to be.
    pub(crate) watchers: KVVec<Idp>,
    /// Counts the changes.
    pub(crate) generation: u32,
    /// Counts the sockets, for their names.
    pub(crate) sockets: u32,
}

impl Graph {
    /// Makes an empty graph, with its files in procfs. Sleeps.
    pub(crate) fn new(net: Net) -> Result<Pin<KBox<Self>>> {
        let stats = PerCpu::new(&Process::new())?;
        let graph = KBox::pin_init(
            pin_init!(Self {
                net,
                live: Live::new(),
                stats,
                state <- new_mutex!(
                    State {
                        registry: Registry::new(),
                        wiring: Wiring::default(),
                        events: Events::default(),
                        proc: None,
                        watchers: KVVec::new(),
                        generation: 1,
                        sockets: 0,
                    },
                    "lana::Graph::state"
                ),
            }? Error),
            GFP_KERNEL,
        )?;
        let tree = proc::Tree::new(&graph)?;
        graph.state.lock().proc = Some(tree);
        Ok(graph)
    }

    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// The version that packets go by.
    #[inline]
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The engine's counters.
    #[inline]
    pub(crate) fn stats(&self) -> &PerCpu<EngineStats> {
        &self.stats
    }

    /// Locks the graph. Sleeps. RTNL, where it is needed, is taken first.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What a block stands for goes: so do the block, its bindings and its subscriptions. Sleeps, and
    /// does not give up: what fails for lack of memory is tried again, as a device or a socket that
    /// goes cannot be told to stay. RTNL is for a device.
    pub(crate) fn gone(&self, rtnl: impl Fn() -> Option<Rtnl>, idp: Idp) {
        self.insist(|| {
            let mut change = Change::new(self, rtnl());
            change.gone(idp)?;
            change.commit()
        });
    }

    fn insist(&self, change: impl Fn() -> Result<(), Failure>) {
        while change().is_err_and(|failure| failure.error == ENOMEM) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Something has happened to a hooked device: tells of it, and has the blocks hear of it that
    /// watch their ports. Sleeps, and does not give up.
    pub(crate) fn device_event(&self, kind: Option<Kind>, idp: Idp) {
        if let Some(kind) = kind {
            let State {
                registry, events, ..
            } = &mut *self.lock();
            events.tell_device(&self.net, registry, kind, idp);
        }
        self.insist(|| Change::new(self, None).commit());
    }

    /// Packets were dropped by the limits that end loops: tells of it. Sleeps.
    pub(crate) fn alarm(&self) {
        let State {
            registry, events, ..
        } = &mut *self.lock();
        for alarm in Alarm::ALL {
            let (total, idp) = EngineStats::alarmed(&self.stats, alarm);
            events.tell_alarm(&self.net, registry, alarm, total, idp);
        }
    }

    /// The namespace goes, and its devices have gone: ends procfs and removes all. Sleeps.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.wiring.settle(&self.live);
        let registry = core::mem::replace(&mut state.registry, Registry::new());
        let wiring = core::mem::take(&mut state.wiring);
        let tree = state.proc.take();
        // Removing files waits for their handlers, and those lock the graph. The files of the
        // blocks are below the tree, so they go first.
        drop(state);
        drop(registry);
        drop(tree);
        drop(wiring);
    }
}
