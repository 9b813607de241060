// SPDX-License-Identifier: GPL-2.0

//! A packet that is compiled: its bytes, and a list of what changes from frame to frame.

use crate::checksum::Sum;
use std::time::Duration;

/// A packet, ready to be sent.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// Its bytes, those that change among them.
    pub bytes: Vec<u8>,
    /// What changes, in the order in which it is written.
    pub patches: Vec<Patch>,
    /// The CPUs that send it: all if none are named.
    pub cpus: Option<(u32, u32)>,
    /// How long after the one before it was captured.
    pub gap: Duration,
}

impl Template {
    /// Whether this CPU sends it.
    pub fn is_for(&self, cpu: u32) -> bool {
        self.cpus
            .is_none_or(|(first, last)| (first..=last).contains(&cpu))
    }
}

/// Something that changes from frame to frame.
#[derive(Debug, Clone)]
pub enum Patch {
    /// A field counts.
    Count {
        /// Which.
        place: Place,
        /// How.
        counter: Counter,
    },
    /// Bytes are random.
    Bytes {
        /// From where.
        offset: usize,
        /// How many.
        length: usize,
    },
    /// A field is random, within bounds.
    Random {
        /// Which.
        place: Place,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A checksum over what was written before.
    Sum(Sum),
}

impl Patch {
    /// The bytes that it writes: from, and up to.
    pub fn written(&self) -> (usize, usize) {
        match self {
            Patch::Count { place, .. } | Patch::Random { place, .. } => {
                (place.offset, place.offset + place.bytes)
            }
            Patch::Bytes { offset, length } => (*offset, offset + length),
            Patch::Sum(sum) => (sum.at, sum.at + 2),
        }
    }
}

/// Where a number lies in a frame: some bits of a window of whole bytes, the most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first byte of the window.
    pub offset: usize,
    /// Bytes of the window, at most 8.
    pub bytes: usize,
    /// How many bits of the window lie behind the number.
    pub shift: u32,
    /// Bits of the number, at most 32.
    pub bits: u32,
}

impl Place {
    /// The bits from `bit` on, counted from the beginning of the frame.
    pub fn of(bit: usize, bits: usize) -> Self {
        let (first, end) = (bit / 8, (bit + bits).div_ceil(8));
        Place {
            offset: first,
            bytes: end - first,
            shift: u32::try_from(end * 8 - bit - bits).unwrap_or_default(),
            bits: u32::try_from(bits).unwrap_or_default(),
        }
    }

    /// The greatest number that fits.
    pub fn greatest(self) -> u64 {
        1_u64
            .checked_shl(self.bits)
            .map_or(u64::MAX, |next| next - 1)
    }

    /// The number that is there.
    pub fn read(self, frame: &[u8]) -> u64 {
        let window = frame.get(self.offset..self.offset + self.bytes);
        let whole = window.unwrap_or_default().iter();
        let whole = whole.fold(0, |whole, byte| whole << 8 | u64::from(*byte));
        whole >> self.shift & self.greatest()
    }

    /// Writes a number, of which what does not fit is left out.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a byte of a number")]
    pub fn write(self, frame: &mut [u8], value: u64) {
        let Some(window) = frame.get_mut(self.offset..self.offset + self.bytes) else {
            return;
        };
        if let ([byte], 8) = (&mut *window, self.bits) {
            *byte = value as u8;
            return;
        }
        let mask = self.greatest() << self.shift;
        let value = value << self.shift & mask;
        for (place, byte) in window.iter_mut().rev().enumerate() {
            let (mask, value) = ((mask >> (8 * place)) as u8, (value >> (8 * place)) as u8);
            *byte = *byte & !mask | value;
        }
    }
}

/// A value that counts between two bounds, both included, and turns around at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The least.
    pub min: u64,
    /// How many values there are.
    pub span: u64,
    /// The distance of the next value from the least.
    pub next: u64,
    /// What is added, modulo the span.
    pub step: u64,
}

impl Counter {
    /// From `first` on, between `min` and `max`, which are numbers of at most 32 bits.
    pub fn new(first: u64, (min, max): (u64, u64), step: u64, down: bool) -> Self {
        let span = max.saturating_sub(min).saturating_add(1);
        let step = step % span;
        let step = if down { (span - step) % span } else { step };
        Counter {
            min,
            span,
            next: first.saturating_sub(min) % span,
            step,
        }
    }

    /// The next value.
    #[inline]
    pub fn count(&mut self) -> u64 {
        let now = self.next;
        self.next = now + self.step;
        if self.next >= self.span {
            self.next -= self.span;
        }
        self.min + now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_and_written_within_bytes() {
        let mut frame = [0xff; 4];
        let place = Place::of(12, 10);
        assert_eq!((place.offset, place.bytes, place.shift), (1, 2, 2));
        place.write(&mut frame, 0x155);
        assert_eq!(frame, [0xff, 0xf5, 0x57, 0xff]);
        assert_eq!(place.read(&frame), 0x155);
        Place::of(0, 32).write(&mut frame, 0x0102_0304);
        assert_eq!(frame, [1, 2, 3, 4]);
        // Out of the frame: nothing.
        Place::of(30, 8).write(&mut frame, 7);
        assert_eq!(frame, [1, 2, 3, 4]);
    }

    #[test]
    fn counters_turn_around() {
        let take = |mut counter: Counter| (0..5).map(|_| counter.count()).collect::<Vec<_>>();
        assert_eq!(take(Counter::new(5, (5, 7), 1, false)), [5, 6, 7, 5, 6]);
        assert_eq!(take(Counter::new(7, (5, 7), 2, true)), [7, 5, 6, 7, 5]);
        assert_eq!(
            take(Counter::new(254, (0, 255), 255, false)),
            [254, 253, 252, 251, 250]
        );
        assert_eq!(take(Counter::new(3, (3, 3), 9, false)), [3; 5]);
    }
}
