// SPDX-License-Identifier: GPL-2.0

//! A hash table of numbers. A bucket is a cache line, which has 15 numbers with 8 bits of the hash each. A number is in the
//! bucket of its hash, or, where that is full, in another one.

use super::{
    filled,
    memory::{Bucket, NONE},
    prefetch, List,
};

/// Where an entry has its number, which is 1 more.
const NUMBER: u32 = 0xff_ffff;

pub(crate) struct Index(List<Bucket>);

impl Index {
    /// None without memory.
    pub(crate) fn new(buckets: u32) -> Option<Self> {
        Some(Self(filled(Bucket::EMPTY, buckets as usize)?))
    }

    /// A bucket by 32 bits of a hash.
    #[inline(always)]
    fn bucket(&self, hash: u32) -> usize {
        (u64::from(hash).wrapping_mul(self.0.len() as u64) >> 32) as usize
    }

    /// The two buckets in which a number can be.
    #[inline(always)]
    fn homes(&self, hash: u32) -> [usize; 2] {
        let other = hash.rotate_left(16).wrapping_mul(0x9e37_79b1);
        [self.bucket(hash), self.bucket(other)]
    }

    fn number(entry: u32) -> u32 {
        (entry & NUMBER).wrapping_sub(1)
    }

    /// Asks for the bucket of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u32) {
        self.0.get(self.bucket(hash)).map(prefetch);
    }

    /// The first number with the same bits of the hash.
    #[inline(always)]
    pub(crate) fn first(&self, hash: u32) -> u32 {
        let bucket = self.0.get(self.bucket(hash));
        let is_alike = |entry: &&u32| **entry >> 24 == hash & 0xff;
        let found = bucket.and_then(|bucket| bucket.entries.iter().find(is_alike));
        found.map_or(NONE, |entry| Self::number(*entry))
    }

    /// The number of this hash that it `is`.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let [home, other] = self.homes(hash);
        let bucket = self.0.get(home)?;
        let tag = hash << 24;
        let search = |bucket: &Bucket| {
            let used = bucket.entries.iter().take_while(|entry| **entry != 0);
            let mut alike = used.filter(|entry| (**entry ^ tag) >> 24 == 0);
            let found = alike.find(|entry| is(Self::number(**entry)));
            found.map(|entry| Self::number(*entry))
        };
        let found = search(bucket);
        if found.is_some() || bucket.elsewhere == 0 {
            return found;
        }
        search(self.0.get(other)?)
    }

    /// All numbers that are where this hash has its first place.
    pub(crate) fn all(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let bucket = self.0.get(self.bucket(hash));
        let entries = bucket.into_iter().flat_map(|bucket| &bucket.entries);
        let used = entries.filter(|entry| **entry != 0);
        used.map(|entry| Self::number(*entry))
    }

    /// Puts a number into the index; false where there is no room.
    pub(crate) fn insert(&mut self, hash: u32, index: u32) -> bool {
        let homes = self.homes(hash);
        let [home, other] = homes;
        let entry = hash << 24 | index.wrapping_add(1) & 0xff_ffff;
        for at in homes {
            let Some(bucket) = self.0.get_mut(at) else {
                return false;
            };
            let Some(place) = bucket.entries.iter_mut().find(|place| **place == 0) else {
                continue;
            };
            *place = entry;
            if at == other && other != home {
                if let Some(bucket) = self.0.get_mut(home) {
                    bucket.elsewhere = bucket.elsewhere.wrapping_add(1);
                }
            }
            return true;
        }
        false
    }

    /// Takes a number out of the index.
    pub(crate) fn remove(&mut self, hash: u32, index: u32) {
        let homes = self.homes(hash);
        let [home, other] = homes;
        let entry = hash << 24 | index.wrapping_add(1) & 0xff_ffff;
        for at in homes {
            let Some(bucket) = self.0.get_mut(at) else {
                return;
            };
            let entries = &mut bucket.entries;
            let last = entries.iter().rposition(|place| *place != 0);
            let last = last
                .and_then(|last| entries.get(last))
                .copied()
                .unwrap_or(0);
            let Some(place) = entries.iter_mut().find(|place| **place == entry) else {
                continue;
            };
            // The last one takes its place.
            *place = last;
            if let Some(place) = entries.iter_mut().rfind(|place| **place != 0) {
                *place = 0;
            }
            if at == other && other != home {
                if let Some(bucket) = self.0.get_mut(home) {
                    bucket.elsewhere = bucket.elsewhere.wrapping_sub(1);
                }
            }
            return;
        }
    }
}
