// SPDX-License-Identifier: GPL-2.0

//! The flows of packets: what the block has for each CPU.

use crate::{
    netflow::{
        config::Config,
        exporter::Tally,
        key::{read, Keys, Masks, Place, Why},
        memory::{Chunk, Sizes},
        pipeline::{Done, Pipeline},
        record::{Flow, Times},
        sampling::Sampler,
        table::{Counted, Table},
    },
    HashKey,
};
use anyhow::{Context, Result};
use lana::prelude::Direction;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

impl Counts {
    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.flows += other.flows;
        self.unsampled += other.unsampled;
        self.other += other.other;
        self.malformed += other.malformed;
        self.lost_packets += other.lost_packets;
        self.lost_bytes += other.lost_bytes;
    }

    /// A packet has come to its flow, or found no room.
    fn done(&mut self, done: &Done) {
        if done.counted == Counted::Lost {
            self.lost_packets += u64::from(done.packets);
            self.lost_bytes += u64::from(done.bytes);
        }
    }

    /// All packets.
    pub(crate) fn seen(&self) -> u64 {
        self.packets + self.unsampled + self.other + self.malformed
    }

    /// Packets that belong to no flow.
    pub(crate) fn ignored(&self) -> u64 {
        self.other + self.malformed
    }

    /// What had no room.
    pub(crate) fn lost(&self) -> Tally {
        Tally {
            flows: 0,
            packets: self.lost_packets,
            bytes: self.lost_bytes,
        }
    }
}

/// What several have in common that each keep flows.
#[derive(Clone)]
pub(crate) struct Pool {
    sizes: Sizes,
    left: Arc<Mutex<Left>>,
}

/// What there is in a pool.
struct Left {
    /// How many chunks of records may still be made.
    chunks: u32,
    /// How many have none. Each can get one.
    bare: u32,
}

impl Pool {
    /// For so many.
    pub(crate) fn new(config: &Config, count: u32) -> Result<Self> {
        let sizes = Sizes::of(u32::try_from(config.flows.0)?, count);
        let left = Left {
            chunks: sizes.chunks,
            bare: count,
        };
        let left = Arc::new(Mutex::new(left));
        Ok(Self { sizes, left })
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk, for who has so many.
    #[cold]
    fn take(&self, has: &mut u32, biflow: bool) -> Option<Chunk> {
        let mut left = self.left();
        let kept = if *has == 0 { 0 } else { left.bare };
        if left.chunks <= kept {
            return None;
        }
        left.chunks -= 1;
        left.bare -= u32::from(*has == 0);
        *has += 1;
        Chunk::new(biflow)
    }

    /// Takes one back from who had so many.
    fn give_back(&self, has: &mut u32) {
        let mut left = self.left();
        *has -= 1;
        left.chunks += 1;
        left.bare += u32::from(*has == 0);
    }
}

/// Flows.
pub(crate) struct Flows {
    pub(crate) masks: Masks,
    config: Config,
    times: Times,
    table: Table,
    pipeline: Pipeline,
    pool: Pool,
    /// How many chunks of it there are here.
    chunks: u32,
    key: Keys,
    sampler: Sampler,
    counts: Counts,
}

impl Flows {
    pub(crate) fn new(config: Config, pool: Pool) -> Result<Self> {
        let key = HashKey::random();
        Ok(Self {
            masks: Masks::new(config.spec()),
            config,
            times: config.times(),
            table: Table::new(&pool.sizes).context("no memory")?,
            pipeline: Pipeline::new().context("no memory")?,
            pool,
            chunks: 0,
            sampler: Sampler::new(key.hash(&[])),
            key: Keys::new(&key),
            counts: Counts::default(),
        })
    }

    /// Counts a packet of `len` bytes, of which these are the first, that came at a time in milliseconds. One in the
    /// direction egress leaves by the device `output`.
    #[expect(clippy::cast_possible_truncation, reason = "the table has a part")]
    pub(crate) fn count(&mut self, bytes: &[u8], len: usize, place: &Place, output: u32, now: u32) {
        let direction = if place.egress {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        if !self.config.direction.include(direction) {
            return;
        }
        let rules = (&self.masks, &self.times);
        let (pool, chunks, biflow) = (&self.pool, &mut self.chunks, self.masks.spec.biflow);
        let more = || pool.take(chunks, biflow);
        let done = self.pipeline.make_room(&mut self.table, rules, more);
        let counts = &mut self.counts;
        if let Some(done) = done {
            counts.done(&done);
        }
        let Some(due) = self.pipeline.free() else {
            return;
        };
        match read(bytes, len, place, &self.masks, &mut due.seen) {
            Ok(()) => (),
            Err(Why::Other) => return counts.other += 1,
            Err(_) => return counts.malformed += 1,
        }
        let hash = due.seen.hash(&self.key, &self.masks);
        let (packets, bytes) = (u64::from(due.seen.packets), u64::from(due.seen.bytes));
        if let Some(sampling) = self.config.sampling {
            if !self.sampler.takes(sampling, hash) {
                counts.unsampled += packets;
                return;
            }
        }
        counts.packets += packets;
        counts.bytes += bytes;
        due.hash = hash as u32;
        due.now = now;
        due.output = output;
        self.pipeline.push(&self.table);
    }

    /// Flows have all packets afterwards that have been counted.
    pub(crate) fn settle(&mut self) {
        let rules = (&self.masks, &self.times);
        let (pool, chunks, biflow) = (&self.pool, &mut self.chunks, self.masks.spec.biflow);
        let (table, counts) = (&mut self.table, &mut self.counts);
        while let Some(done) = self
            .pipeline
            .flush(table, rules, || pool.take(chunks, biflow))
        {
            counts.done(&done);
        }
    }

    /// Whether many flows wait to be taken: before there is no room for others.
    pub(crate) fn is_due(&self) -> bool {
        self.table.waiting() as usize >= TAKEN || self.table.has_much()
    }

    /// How long it is from one time that flows are looked for that are over to the next, in milliseconds.
    pub(crate) fn tick(&self) -> u64 {
        let Times {
            active,
            idle,
            closing,
        } = self.times;
        let least = active.min(idle).min(closing.max(100));
        u64::from(least / 4).clamp(20, 1000)
    }

    /// Ends flows that are over, or all.
    pub(crate) fn sweep(&mut self, now: u32, all: bool) {
        self.settle();
        let mut from = Some(0);
        while let Some(at) = from {
            from = self.sweep_some(at, now, all);
        }
    }

    /// The same among some records; the number from which to go on, if there are more.
    pub(crate) fn sweep_some(&mut self, from: u32, now: u32, all: bool) -> Option<u32> {
        self.table.sweep(from, LOOKED_AT, (now, &self.times), all)
    }

    /// Gives back the memory of records that are not needed.
    pub(crate) fn give_back(&mut self) {
        while self.table.give_back().is_some() {
            self.pool.give_back(&mut self.chunks);
        }
    }

    /// Takes some of the flows that have ended.
    pub(crate) fn take(&mut self) -> Vec<Flow> {
        let mut flows = Vec::with_capacity(TAKEN);
        self.table.take(&mut flows);
        flows
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            flows: self.table.begun,
            ..self.counts
        }
    }
}
