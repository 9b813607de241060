// SPDX-License-Identifier: GPL-2.0

//! The sessions' memory, and hash tables of numbers over it. Memory is had as it is needed, up to the number of entries
//! that the table was made for.

use super::{push, room, List};

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// So many entries are allocated at once.
const CHUNK: u32 = 64;

/// What can be in a slab: it has two links.
pub(crate) trait Node: Copy {
    /// What stands in entries that were never used.
    const EMPTY: Self;
    fn links(&self) -> &[u32; 2];
    fn links_mut(&mut self) -> &mut [u32; 2];
}

/// Entries by number.
pub(crate) struct Slab<T> {
    chunks: List<List<T>>,
    free: u32,
}

impl<T: Node> Slab<T> {
    /// How many chunks so many entries need.
    pub(crate) fn chunks(entries: u32) -> usize {
        entries.div_ceil(CHUNK) as usize
    }

    /// A slab whose list of chunks has room for some already.
    pub(crate) fn new(chunks: List<List<T>>) -> Self {
        Self { chunks, free: NONE }
    }

    /// Takes a list with room for more chunks, and gives back the one before.
    pub(crate) fn grow(&mut self, mut chunks: List<List<T>>) -> List<List<T>> {
        if chunks.capacity() <= self.chunks.capacity() {
            return chunks;
        }
        core::mem::swap(&mut self.chunks, &mut chunks);
        for chunk in &mut chunks {
            let chunk = core::mem::take(chunk);
            if !push(&mut self.chunks, chunk) {
                // There is room.
                break;
            }
        }
        chunks
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let chunk = self.chunks.get((index / CHUNK) as usize)?;
        chunk.get((index % CHUNK) as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let chunk = self.chunks.get_mut((index / CHUNK) as usize)?;
        chunk.get_mut((index % CHUNK) as usize)
    }

    /// All numbers that can be in use are less.
    pub(crate) fn end(&self) -> u32 {
        (self.chunks.len() as u32).saturating_mul(CHUNK)
    }

    /// A number for an entry, which is written there; none without memory.
    pub(crate) fn put(&mut self, entry: T) -> Option<u32> {
        if self.free == NONE && !self.add_chunk() {
            return None;
        }
        let index = self.free;
        let place = self.get_mut(index)?;
        let [next, _] = *place.links();
        *place = entry;
        self.free = next;
        Some(index)
    }

    /// The number may be given to another one.
    pub(crate) fn remove(&mut self, index: u32) {
        let free = self.free;
        if let Some(place) = self.get_mut(index) {
            *place = T::EMPTY;
            *place.links_mut() = [free, NONE];
            self.free = index;
        }
    }

    #[cold]
    fn add_chunk(&mut self) -> bool {
        if self.chunks.len() >= self.chunks.capacity() {
            return false;
        }
        let first = self.end();
        let Some(mut chunk) = room(CHUNK as usize) else {
            return false;
        };
        for number in 1..=CHUNK {
            let mut entry = T::EMPTY;
            let next = match number {
                CHUNK => NONE,
                number => first.wrapping_add(number),
            };
            *entry.links_mut() = [next, NONE];
            if !push(&mut chunk, entry) {
                return false;
            }
        }
        if !push(&mut self.chunks, chunk) {
            return false;
        }
        self.free = first;
        true
    }
}

/// A hash table of the entries of a slab, chained by one of their links.
pub(crate) struct Index {
    heads: List<u32>,
    link: usize,
}

impl Index {
    /// How many heads a table for so many entries has.
    pub(crate) fn heads(entries: u32) -> usize {
        (entries as usize).clamp(64, 1 << 20).next_power_of_two()
    }

    /// A table of these heads, whose number is a power of two, and each of which is [`NONE`].
    pub(crate) fn new(heads: List<u32>, link: usize) -> Self {
        Self { heads, link }
    }

    /// How many heads there are.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Takes other heads, and gives back those before. Nothing is in the table then.
    pub(crate) fn replace(&mut self, heads: List<u32>) -> List<u32> {
        core::mem::replace(&mut self.heads, heads)
    }

    #[inline]
    fn head(&self, hash: u64) -> usize {
        hash as usize & self.heads.len().wrapping_sub(1)
    }

    /// The first entry of that hash that is the one.
    #[inline]
    pub(crate) fn find<T: Node>(
        &self,
        slab: &Slab<T>,
        hash: u64,
        is: impl Fn(&T) -> bool,
    ) -> Option<u32> {
        let mut index = *self.heads.get(self.head(hash))?;
        while let Some(entry) = slab.get(index) {
            if is(entry) {
                return Some(index);
            }
            index = *entry.links().get(self.link)?;
        }
        None
    }

    pub(crate) fn insert<T: Node>(&mut self, slab: &mut Slab<T>, hash: u64, index: u32) {
        let head = self.head(hash);
        let (Some(entry), Some(head)) = (slab.get_mut(index), self.heads.get_mut(head)) else {
            return;
        };
        if let Some(link) = entry.links_mut().get_mut(self.link) {
            *link = core::mem::replace(head, index);
        }
    }

    pub(crate) fn remove<T: Node>(&mut self, slab: &mut Slab<T>, hash: u64, index: u32) {
        let link = self.link;
        let next_of = |slab: &Slab<T>, index| {
            let entry = slab.get(index);
            entry
                .and_then(|entry| entry.links().get(link).copied())
                .unwrap_or(NONE)
        };
        let next = next_of(slab, index);
        let head = self.head(hash);
        let Some(head) = self.heads.get_mut(head) else {
            return;
        };
        if *head == index {
            *head = next;
            return;
        }
        let mut at = *head;
        while at != NONE {
            let behind = next_of(slab, at);
            if behind == index {
                let entry = slab.get_mut(at);
                if let Some(link) = entry.and_then(|entry| entry.links_mut().get_mut(link)) {
                    *link = next;
                }
                return;
            }
            at = behind;
        }
    }
}
