// SPDX-License-Identifier: GPL-2.0

//! The flows of packets: what the block has for each CPU.

use crate::{
    netflow::{
        config::Config,
        exporter::Tally,
        key::{read, Keys, Masks, Place, Seen, Why},
        memory::{Chunk, Sizes},
        record::{Flow, Times},
        sampling::Sampler,
        table::{Counted, Rules, Table},
    },
    HashKey,
};
use anyhow::{Context, Result};
use lana::prelude::Direction;
use serde::Serialize;

/// Records that are looked at in one go.
const LOOKED_AT: u32 = 1024;
/// Flows that are taken at once.
const TAKEN: usize = 128;

/// What has been counted.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    /// Of IP.
    pub(crate) bytes: u64,
    pub(crate) flows: u64,
    /// Packets that sampling did not choose.
    pub(crate) unsampled: u64,
    /// Packets that are not of IP.
    pub(crate) other: u64,
    pub(crate) malformed: u64,
    /// Those for which the table had no room.
    pub(crate) lost_packets: u64,
    pub(crate) lost_bytes: u64,
}

/// Flows.
pub(crate) struct Flows {
    pub(crate) masks: Masks,
    config: Config,
    times: Times,
    table: Table,
    /// How many chunks of records may still be made.
    chunks: u32,
    key: Keys,
    sampler: Sampler,
    counts: Counts,
}

impl Flows {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let sizes = Sizes::of(u32::try_from(config.flows.0)?, 1);
        let key = HashKey::random();
        Ok(Self {
            masks: Masks::new(config.spec()),
            config,
            times: config.times(),
            table: Table::new(&sizes).context("no memory")?,
            chunks: sizes.chunks,
            sampler: Sampler::new(key.hash(&[])),
            key: Keys::new(&key),
            counts: Counts::default(),
        })
    }

    /// Counts a packet of `len` bytes, of which these are the first, that came at a time in milliseconds.
    pub(crate) fn count(&mut self, bytes: &[u8], len: usize, place: &Place, now: u32) {
        let direction = if place.egress {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        if !self.config.direction.include(direction) {
            return;
        }
        let counts = &mut self.counts;
        let mut seen = Seen::NONE;
        match read(bytes, len, place, &self.masks, &mut seen) {
            Ok(()) => (),
            Err(Why::Other) => return counts.other += 1,
            Err(_) => return counts.malformed += 1,
        }
        let hash = seen.hash(&self.key, &self.masks);
        let (packets, bytes) = (u64::from(seen.packets), u64::from(seen.bytes));
        if let Some(sampling) = self.config.sampling {
            if !self.sampler.takes(sampling, hash) {
                counts.unsampled += packets;
                return;
            }
        }
        let rules = Rules {
            masks: &self.masks,
            times: &self.times,
            now,
            output: 0,
        };
        let (chunks, biflow) = (&mut self.chunks, self.masks.spec.biflow);
        let more = || {
            *chunks = chunks.checked_sub(1)?;
            Chunk::new(biflow)
        };
        counts.packets += packets;
        counts.bytes += bytes;
        if self.table.count(&seen, hash, &rules, more) == Counted::Lost {
            counts.lost_packets += packets;
            counts.lost_bytes += bytes;
        }
    }

    /// Whether many flows wait to be taken.
    pub(crate) fn is_due(&self) -> bool {
        self.table.waiting() as usize >= TAKEN
    }

    /// Ends flows that are over, or all.
    pub(crate) fn sweep(&mut self, now: u32, all: bool) {
        let mut from = Some(0);
        while let Some(at) = from {
            from = self.table.sweep(at, LOOKED_AT, (now, &self.times), all);
        }
        while self.table.give_back().is_some() {
            self.chunks += 1;
        }
    }

    /// Takes some of the flows that have ended.
    pub(crate) fn take(&mut self) -> Vec<Flow> {
        let mut flows = Vec::with_capacity(TAKEN);
        self.table.take(&mut flows);
        flows
    }

    /// Packets that belong to no flow.
    pub(crate) fn ignored(&self) -> u64 {
        self.counts.other + self.counts.malformed
    }

    /// What had no room.
    pub(crate) fn lost(&self) -> Tally {
        Tally {
            flows: 0,
            packets: self.counts.lost_packets,
            bytes: self.counts.lost_bytes,
        }
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            flows: self.table.begun,
            ..self.counts
        }
    }
}
