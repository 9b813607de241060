// SPDX-License-Identifier: GPL-2.0

//! How many packets went from a host to another one by a port, and how much of them TCP had sent before.

use super::{flow::Hosts, segment::Carried, List};

/// A packet by a port, as it is noted.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(crate) seat: u8,
    pub(crate) bytes: u32,
    pub(crate) carried: Carried,
    /// Nanoseconds.
    pub(crate) now: u64,
}

/// What went from one host to another by a port; or from anybody to a host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Record {
    key: u64,
    /// Nobody, where it is from anybody.
    pub(crate) hosts: Option<Hosts>,
    pub(crate) seat: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) carried: Carried,
    /// When the last packet went.
    seen: u64,
}

/// So many bytes tell how well a destination is reached.
pub(crate) const ENOUGH: u64 = 64 << 10;
/// Of so many bytes to a destination the older ones count half.
const PLENTY: u64 = 4 << 20;

/// Records of which one that was not seen for long makes room for another one.
pub(crate) struct Shard(List<Record>);

impl Shard {
    /// How many records are in one.
    pub(crate) const RECORDS: usize = 16;

    pub(crate) fn new(records: List<Record>) -> Self {
        Self(records)
    }

    /// Which of so many a key is in.
    pub(crate) fn of(key: u64, shards: usize) -> usize {
        ((u128::from(key).wrapping_mul(shards as u128)) >> 64) as usize
    }

    /// Notes a packet. Says whether another record had to be forgotten for it.
    pub(crate) fn note(&mut self, key: u64, hosts: Option<Hosts>, note: &Note) -> bool {
        let mut forgets = false;
        let mut at = self.0.iter().position(|record| record.key == key);
        if at.is_none() {
            let oldest = self.0.iter().enumerate();
            at = oldest
                .min_by_key(|(_, record)| record.seen)
                .map(|(at, _)| at);
            if let Some(record) = at.and_then(|at| self.0.get_mut(at)) {
                forgets = record.key != 0;
                *record = Record {
                    key,
                    hosts,
                    seat: note.seat,
                    ..Record::default()
                };
            }
        }
        if let Some(record) = at.and_then(|at| self.0.get_mut(at)) {
            record.packets = record.packets.wrapping_add(1);
            record.bytes = record.bytes.wrapping_add(note.bytes.into());
            record.carried = record.carried.and(note.carried);
            record.seen = note.now;
            if record.hosts.is_none() && record.carried.data > PLENTY {
                record.carried.data >>= 1;
                record.carried.retransmitted >>= 1;
            }
        }
        forgets
    }

    /// How a key has fared, if that is known well enough, and not older than `expiry` nanoseconds.
    pub(crate) fn past(&self, key: u64, now: u64, expiry: u64) -> Option<Carried> {
        let record = self.0.iter().find(|record| record.key == key)?;
        let is_known = record.carried.data >= ENOUGH && now.saturating_sub(record.seen) < expiry;
        is_known.then_some(record.carried)
    }

    /// All records of pairs of hosts.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(|record| record.hosts.is_some())
    }

    /// A seat is another port's now.
    pub(crate) fn clear(&mut self, seat: u8) {
        for record in self.0.iter_mut().filter(|record| record.seat == seat) {
            *record = Record::default();
        }
    }
}
