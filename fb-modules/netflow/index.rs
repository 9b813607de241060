// SPDX-License-Identifier: GPL-2.0

//! A hash table of numbers. A bucket is a cache line, which has 15 numbers of 24 bits, and 8 bits of the hash of each. A number
//! is in the bucket of its hash, or, where that has many, in another one.

use super::{
    filled,
    memory::{Bucket, NONE, PLACES},
    prefetch, List,
};

/// A bucket with so many numbers sends the next one to its other bucket, if that has fewer. A packet whose flow is elsewhere
/// is looked for in two buckets: 0.1 % of the flows in a table half full, 13 % in a full one. With 15, flows were refused
/// before the table was full.
const CROWDED: usize = 13;

pub(crate) struct Index(List<Bucket>);

/// What a bucket has of a hash.
#[inline(always)]
fn tag(hash: u32) -> u8 {
    (hash as u8).max(1)
}

#[inline(always)]
fn wide([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

fn narrow(number: u32) -> [u8; 3] {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}

impl Bucket {
    /// The places with this tag: the highest bit of a byte for each.
    ///
    /// A byte that is not 0 has that bit, or gets it when all others are added: Warren, Hacker's Delight, section 6-1.
    #[inline(always)]
    fn hits(&self, tag: u8) -> u128 {
        const ONES: u128 = u128::MAX / 0xff;
        const HIGHEST: u128 = ONES << 7;
        let same = u64::from(tag).wrapping_mul(ONES as u64);
        let other = u128::from_le_bytes(self.tags) ^ (u128::from(same) << 64 | u128::from(same));
        let carried = (other & !HIGHEST).wrapping_add(!HIGHEST);
        !(carried | other) & HIGHEST
    }

    /// The number at the first of these places.
    #[inline(always)]
    fn number(&self, hits: u128) -> Option<u32> {
        let place = self.numbers.get((hits.trailing_zeros() / 8) as usize);
        place.map(|number| wide(*number))
    }

    /// How many places are in use.
    fn used(&self) -> usize {
        (self.hits(0).trailing_zeros() / 8) as usize
    }

    /// Whether there is such a place.
    fn put(&mut self, at: usize, number: [u8; 3], tag: u8) -> bool {
        let (place, its_tag) = (self.numbers.get_mut(at), self.tags.get_mut(at));
        let Some((place, its_tag)) = place.zip(its_tag) else {
            return false;
        };
        (*place, *its_tag) = (number, tag);
        true
    }

    fn add_elsewhere(&mut self, more: u32) {
        self.elsewhere = narrow(wide(self.elsewhere).wrapping_add(more));
    }
}

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

    /// Asks for the bucket of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u32) {
        self.0.get(self.bucket(hash)).map(prefetch);
    }

    /// The first number with the same bits of the hash.
    #[inline(always)]
    pub(crate) fn first(&self, hash: u32) -> u32 {
        let Some(bucket) = self.0.get(self.bucket(hash)) else {
            return NONE;
        };
        bucket.number(bucket.hits(tag(hash))).unwrap_or(NONE)
    }

    /// The number of this hash that it `is`.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let [home, other] = self.homes(hash);
        let search = |bucket: &Bucket| {
            let mut hits = bucket.hits(tag(hash));
            while let Some(number) = bucket.number(hits) {
                if is(number) {
                    return Some(number);
                }
                hits &= hits.wrapping_sub(1);
            }
            None
        };
        let bucket = self.0.get(home)?;
        let found = search(bucket);
        if found.is_some() || wide(bucket.elsewhere) == 0 {
            return found;
        }
        search(self.0.get(other)?)
    }

    /// All numbers that are where this hash has its first place.
    pub(crate) fn all(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let bucket = self.0.get(self.bucket(hash));
        let numbers = bucket.map(|bucket| bucket.numbers.iter().take(bucket.used()));
        numbers.into_iter().flatten().map(|number| wide(*number))
    }

    /// Puts a number into the index; false where there is no room.
    pub(crate) fn insert(&mut self, hash: u32, index: u32) -> bool {
        let [home, other] = self.homes(hash);
        let used = |at| self.0.get(at).map_or(PLACES, Bucket::used);
        let of_home = used(home);
        // The other one is not in the caches, and seldom needed.
        let of_other = if of_home < CROWDED {
            PLACES
        } else {
            used(other)
        };
        let is_elsewhere = of_other < of_home;
        let (at, used) = if is_elsewhere {
            (other, of_other)
        } else {
            (home, of_home)
        };
        let bucket = self.0.get_mut(at);
        if !bucket.is_some_and(|bucket| bucket.put(used, narrow(index), tag(hash))) {
            return false;
        }
        if let Some(bucket) = self.0.get_mut(home).filter(|_| is_elsewhere) {
            bucket.add_elsewhere(1);
        }
        true
    }

    /// Takes a number out of the index.
    pub(crate) fn remove(&mut self, hash: u32, index: u32) {
        let homes = self.homes(hash);
        let [home, other] = homes;
        for at in homes {
            let Some(bucket) = self.0.get_mut(at) else {
                return;
            };
            let used = bucket.used();
            let mut numbers = bucket.numbers.iter().take(used);
            let Some(place) = numbers.position(|number| wide(*number) == index) else {
                continue;
            };
            // The last one takes its place.
            let last = used.wrapping_sub(1);
            let number = bucket.numbers.get(last).copied();
            let tag = bucket.tags.get_mut(last).map(core::mem::take);
            if let Some((number, tag)) = number.zip(tag).filter(|_| place != last) {
                bucket.put(place, number, tag);
            }
            if at == other && other != home {
                if let Some(bucket) = self.0.get_mut(home) {
                    bucket.add_elsewhere(u32::MAX);
                }
            }
            return;
        }
    }
}
