// SPDX-License-Identifier: GPL-2.0

//! The ways into a graph: what devices receive, and what programs send by sockets.

use super::{
    batch::Batch,
    engine::{self, Context, Hop, Slot, Walk, Way},
    probe::Probes,
    stats::{BlockStats, EngineStats},
    verdict::{Unclaimed, Verdict},
};
use crate::{
    base::port::Direction,
    sys::{
        context::Process,
        frame::Frame,
        hold::Due,
        hook,
        net::Net,
        percpu::{PerCpu, ThisCpu},
        queue::List,
        rcu::{self, Reader},
        reason::DropReason,
        skb::Skb,
        slot::Datapath,
        version::{LiveVersion, Version},
        xdp::Action,
    },
};
use kernel::prelude::*;

/// The packet processing engine of a graph: what packets read of it, other than the slots.
pub(crate) struct Ppe {
    net: Net,
    live: LiveVersion<Probes>,
    stats: PerCpu<EngineStats>,
}

impl Ppe {
    /// That of a namespace. Sleeps.
    pub(crate) fn new(net: Net) -> Result<Self> {
        Ok(Self {
            net,
            live: LiveVersion::new(),
            stats: PerCpu::new(&Process::new())?,
        })
    }

    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// The version that packets go by, for who changes it.
    pub(crate) fn live(&self) -> &LiveVersion<Probes> {
        &self.live
    }

    /// The same for a packet.
    #[inline]
    pub(super) fn version<'r>(&'r self, reader: Reader<'r>) -> Version<'r> {
        self.live.read(reader)
    }

    /// What is at a slot in the version that is live.
    #[inline(always)]
    fn hop<'r>(&'r self, slot: &'r Slot, reader: Reader<'r>) -> Option<&'r Hop> {
        slot.hop(self.version(reader))
    }

    /// Has the probe for a socket see nothing any more. Says whether there was one. Any context.
    pub(crate) fn close_probe(&self, portid: u32) -> bool {
        rcu::read(|reader| {
            let probes = self.live.beside(self.version(reader));
            let mut found = false;
            for probe in probes.into_iter().flat_map(|probes| probes.iter()) {
                if probe.is_of(portid) {
                    probe.close();
                    found = true;
                }
            }
            found
        })
    }

    /// The engine's counters.
    #[inline]
    pub(crate) fn stats(&self) -> &PerCpu<EngineStats> {
        &self.stats
    }
}

impl Datapath for Ppe {
    type Context<'r> = Context<'r>;
    type Walk<'r> = Walk<'r>;
    type Way = Way;
    type Verdict<P> = Verdict<P>;
    type Batch = Batch;
    type Counters = BlockStats;
    type Unclaimed = Unclaimed;
    type Beside = Probes;

    const HOPS: u32 = engine::HOP_LIMIT;

    fn net(&self) -> &Net {
        &self.net
    }

    #[inline(always)]
    fn context<'r>(walk: &'r Walk<'r>, from: &'r Hop, hop: &'r Hop, way: Way) -> Context<'r> {
        Context::new(walk, (from, hop), way)
    }

    #[inline(always)]
    fn receive<'r>(
        &'r self,
        slot: &'r Slot,
        packet: Skb,
        entries: u16,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Option<Skb> {
        let way = Direction::Ingress;
        engine::enter(self, slot, way, packet, entries, reader, cpu).err()
    }

    #[inline(always)]
    fn receive_frame<'r>(
        &'r self,
        slot: &'r Slot,
        frame: Frame,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Action {
        let way = Direction::Ingress;
        let Ok(action) = engine::enter(self, slot, way, frame, 0, reader, cpu);
        action
    }

    /// It enters as an skb.
    fn receive_parts<'r>(
        &'r self,
        slot: &'r Slot,
        frame: Frame,
        entries: u16,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) -> Action {
        let hop = self.hop(slot, reader);
        let Some(hop) = hop.filter(|hop| hop.entrance().or(hop.probed()).is_some()) else {
            return Action::PASS;
        };
        let Some(skb) = frame.to_skb() else {
            hop.counters(cpu).entered(frame.len());
            hop.counters(cpu).dropped(DropReason::NoMemory);
            return Action::DROP;
        };
        hop.counters(cpu).made_skb();
        let way = Direction::Ingress;
        if let Err(skb) = engine::enter(self, slot, way, skb, entries, reader, cpu) {
            skb.up();
        }
        Action::DROP
    }

    #[inline(always)]
    fn receive_batch<'r>(
        &'r self,
        slot: &'r Slot,
        packets: List,
        reader: Reader<'r>,
        cpu: ThisCpu,
    ) {
        let mut batch = Batch::new();
        batch.fill(packets);
        engine::enter_batch(self, slot, &mut batch, reader, cpu);
        // Unhooked in a change that is committed.
        batch.drain(Skb::lost);
    }

    fn resume<'r>(&'r self, slot: &'r Slot, due: Due, reader: Reader<'r>, cpu: ThisCpu) {
        engine::resume(self, slot, due, reader, cpu);
    }

    #[inline(always)]
    fn send<'r>(&'r self, slot: &'r Slot, packet: Skb, reader: Reader<'r>, cpu: ThisCpu) -> bool {
        let hop = self.hop(slot, reader);
        let bound = [Direction::Egress, Direction::Ingress]
            .into_iter()
            .any(|direction| hop.is_some_and(|hop| hop.is_bound(direction)));
        let way = Direction::Egress;
        bound && engine::enter(self, slot, way, packet, 0, reader, cpu).is_ok()
    }
}

hook::entrances!(Ppe);
