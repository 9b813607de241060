// SPDX-License-Identifier: GPL-2.0

//! A message that is being written: numbers in network order, up to a length.

use super::{append, push, room, List};

/// A message.
pub(crate) struct Message {
    bytes: List<u8>,
    most: usize,
}

impl Message {
    /// An empty one, with room for so many bytes. None without memory.
    pub(crate) fn new(most: usize) -> Option<Self> {
        let bytes = room(most)?;
        Some(Self { bytes, most })
    }

    /// So many bytes are the most from now on; there may be less memory.
    pub(crate) fn limit(&mut self, most: usize) {
        self.most = most.min(self.bytes.capacity());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes can still be added.
    pub(crate) fn left(&self) -> usize {
        self.most.saturating_sub(self.len())
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.left() {
            append(&mut self.bytes, bytes);
        }
    }

    pub(crate) fn put_u8(&mut self, number: u8) {
        if self.left() > 0 {
            push(&mut self.bytes, number);
        }
    }

    pub(crate) fn put_u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    pub(crate) fn put_u32(&mut self, number: u32) {
        self.put(&number.to_be_bytes());
    }

    pub(crate) fn put_u64(&mut self, number: u64) {
        self.put(&number.to_be_bytes());
    }

    /// Zeros up to a multiple of four bytes.
    pub(crate) fn pad(&mut self) {
        while self.len() % 4 != 0 && self.left() > 0 {
            self.put_u8(0);
        }
    }

    /// Writes over what is there already.
    pub(crate) fn set<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let place = self.bytes.get_mut(at..);
        if let Some(place) = place.and_then(|rest| rest.first_chunk_mut()) {
            *place = bytes;
        }
    }
}
