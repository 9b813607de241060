// SPDX-License-Identifier: GPL-2.0

//! Which packets are counted where not all are.

/// The most packets of which one is chosen: version 5 has 14 bits for it.
pub(crate) const MOST: u32 = 16_383;

/// How packets are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The first of so many.
    Deterministic,
    /// A random one of so many.
    Random,
    /// All packets of one of so many flows.
    Hash,
}

/// How packets are chosen, and that it is one of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sampling {
    pub(crate) mode: Mode,
    pub(crate) interval: u32,
}

/// What a CPU remembers to choose by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampler {
    /// How many of the present packets have passed.
    passed: u32,
    /// Which of them is chosen.
    chosen: u32,
    random: u64,
}

impl Sampler {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            passed: 0,
            chosen: 0,
            random: seed | 1,
        }
    }

    /// A number below another one (Marsaglia's xorshift).
    fn below(&mut self, bound: u32) -> u32 {
        let mut random = self.random;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random = random;
        ((random >> 32).wrapping_mul(u64::from(bound)) >> 32) as u32
    }

    /// Whether a packet is chosen whose key has this hash.
    #[inline]
    pub(crate) fn takes(&mut self, sampling: Sampling, hash: u64) -> bool {
        let interval = sampling.interval.max(1);
        if sampling.mode == Mode::Hash {
            // Other bits say where the flow stands in the table.
            return (hash >> 32).wrapping_mul(u64::from(interval)) >> 32 == 0;
        }
        if self.passed == 0 || self.passed >= interval {
            self.passed = 0;
            self.chosen = match sampling.mode {
                Mode::Random => self.below(interval),
                _ => 0,
            };
        }
        let takes = self.passed == self.chosen;
        self.passed = self.passed.wrapping_add(1);
        takes
    }
}
