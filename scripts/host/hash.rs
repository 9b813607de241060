// SPDX-License-Identifier: GPL-2.0

//! A hash that nobody outside can foresee, in place of that of the core, whose key is from the kernel.

use crate::siphash;
use std::hash::{BuildHasher, RandomState};

/// The key of a hash.
#[derive(Clone)]
pub struct HashKey(pub u128);

impl HashKey {
    /// A key of its own.
    #[must_use]
    pub fn random() -> Self {
        let half = || u128::from(RandomState::new().hash_one(0));
        Self(half() << 64 | half())
    }

    /// The hash of some words.
    #[must_use]
    pub fn hash(&self, words: &[u64]) -> u64 {
        siphash::hash([(self.0 >> 64) as u64, self.0 as u64], words)
    }
}
