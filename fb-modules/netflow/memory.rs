// SPDX-License-Identifier: GPL-2.0

//! The memory of flows: buckets of a hash table, and records in chunks.

use super::{
    filled,
    record::{Hot, Rest, Reverse, Wide},
    List,
};

/// No record.
pub(crate) const NONE: u32 = u32::MAX;

/// Records of a chunk.
pub(crate) const CHUNK: u32 = 256;
/// Numbers in a bucket.
pub(crate) const PLACES: usize = 15;
/// How many flows a bucket is for.
const LOAD: u32 = 10;

/// Some numbers, each with 8 bits of a hash, which are not 0: a tag. Places in use come first.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    /// The last one is always 0: that ends those in use.
    pub(crate) tags: [u8; PLACES + 1],
    /// Of 24 bits.
    pub(crate) numbers: [[u8; 3]; PLACES],
    /// How many that belong here are elsewhere, of 24 bits.
    pub(crate) elsewhere: [u8; 3],
}

impl Bucket {
    pub(crate) const EMPTY: Self = Self {
        tags: [0; PLACES + 1],
        numbers: [[0; 3]; PLACES],
        elsewhere: [0; 3],
    };
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// Records, and which of them are free.
pub(crate) struct Chunk {
    pub(crate) hot: List<Hot>,
    pub(crate) wide: List<Wide>,
    pub(crate) rest: List<Rest>,
    /// None where flows have one direction.
    pub(crate) reverse: List<Reverse>,
    /// The first free one.
    pub(crate) free: u32,
    pub(crate) used: u32,
    /// The number of the next chunk that has free ones.
    pub(crate) next: u32,
}

impl Chunk {
    /// None without memory.
    pub(crate) fn new(biflow: bool) -> Option<Self> {
        let count = CHUNK as usize;
        let mut hot = filled(Hot::EMPTY, count)?;
        for (at, hot) in (1..).zip(hot.iter_mut()) {
            hot.link = if at == CHUNK { NONE } else { at };
        }
        Some(Self {
            hot,
            wide: filled([0; 4], count)?,
            rest: filled(Rest::EMPTY, count)?,
            reverse: filled(Reverse::EMPTY, if biflow { count } else { 0 })?,
            free: 0,
            used: 0,
            next: NONE,
        })
    }
}

/// How much memory so many flows on so many CPUs take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Chunks in the pool.
    pub(crate) chunks: u32,
    /// Chunks that a CPU can have of these.
    pub(crate) own: u32,
    /// Buckets of each CPU.
    pub(crate) buckets: u32,
}

impl Sizes {
    pub(crate) fn of(flows: u32, cpus: u32) -> Self {
        // One in 16 can wait to be taken.
        let chunks = |flows: u32| flows.saturating_add(flows.div_ceil(16)).div_ceil(CHUNK);
        // A CPU may have twice its share, or all.
        let share = flows.checked_div(cpus).unwrap_or(flows);
        let share = share.saturating_mul(2).min(flows);
        Self {
            // Each CPU can get one.
            chunks: chunks(flows).max(cpus),
            own: chunks(share),
            buckets: share.div_ceil(LOAD).max(8),
        }
    }

    /// Bytes, of all CPUs.
    pub(crate) fn bytes(&self, cpus: u32, biflow: bool) -> u64 {
        let reverse = if biflow { size_of::<Reverse>() } else { 0 };
        let sizes = [
            size_of::<Hot>(),
            size_of::<Wide>(),
            size_of::<Rest>(),
            reverse,
        ];
        let record = sizes.into_iter().fold(0, usize::saturating_add) as u64;
        let place = size_of::<Option<Chunk>>() as u64;
        let of_all = |count: u32, size: u64| u64::from(count).saturating_mul(size);
        let chunk = record
            .saturating_mul(u64::from(CHUNK))
            .saturating_add(place);
        let own = of_all(self.own, place)
            .saturating_add(of_all(self.buckets, size_of::<Bucket>() as u64));
        of_all(self.chunks, chunk).saturating_add(of_all(cpus, own))
    }
}
