// SPDX-License-Identifier: GPL-2.0

//! A hash that nobody outside can foresee: SipHash by a random key.

use super::bindings;
use crate::base::siphash;

/// The key of a hash.
#[derive(Clone)]
pub struct HashKey([u64; 2]);

impl HashKey {
    /// A key of its own. Any context.
    pub fn random() -> Self {
        let mut key = [0u64; 2];
        // SAFETY: the array is that long.
        unsafe { bindings::get_random_bytes((&raw mut key).cast(), size_of_val(&key)) };
        Self(key)
    }

    /// The hash of some words. Any context.
    #[inline]
    pub fn hash(&self, words: &[u64]) -> u64 {
        siphash::hash(self.0, words)
    }
}
