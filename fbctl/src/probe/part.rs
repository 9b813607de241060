// SPDX-License-Identifier: GPL-2.0

//! Parts of packets' ways. A packet that a block holds goes on in a record of its own: here it gets its number back.

use super::names::Names;
use lana_netlink::spec::ProbeAttrs;
use std::collections::{HashMap, VecDeque};

/// So many packets that are held are remembered.
const REMEMBERED: usize = 4096;

/// What a record tells of a packet: all of its way, or what has come of it since a block let it go on.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) record: &'a ProbeAttrs,
    /// Records that were lost since the one before.
    pub(crate) lost: u64,
    /// The number of the packet, counted from 1.
    pub(crate) number: u64,
    /// For how many nanoseconds it was held before this part, if the part before was shown.
    pub(crate) waited: Option<u64>,
}

impl Part<'_> {
    /// The block that has held it before this part.
    pub(crate) fn released(&self, names: &Names) -> Option<String> {
        self.record.held?;
        Some(names.name(self.record.idp.unwrap_or_default()))
    }
}

/// The packets so far.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    packets: u64,
    /// The number of a packet that is held, and since when, by the number that the kernel has for it.
    held: HashMap<u64, (u64, u64)>,
    /// The same in the order of time.
    order: VecDeque<u64>,
}

impl Parts {
    /// How many packets there were.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Whether more is to come of any.
    pub(crate) fn wait(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether a record goes on with a packet.
    pub(crate) fn know(&self, record: &ProbeAttrs) -> bool {
        record
            .held
            .is_some_and(|held| self.held.contains_key(&held))
    }

    /// The next record.
    pub(crate) fn part<'a>(&mut self, record: &'a ProbeAttrs, lost: u64) -> Part<'a> {
        let time = record.time.unwrap_or_default();
        let before = record.held.and_then(|held| self.held.remove(&held));
        let number = before.map_or_else(
            || {
                self.packets += 1;
                self.packets
            },
            |(number, _)| number,
        );
        for hop in &record.hop {
            let Some(held) = hop.held else { continue };
            let since = time.saturating_add(hop.time.unwrap_or_default());
            self.held.insert(held, (number, since));
            self.order.push_back(held);
            if self.order.len() > REMEMBERED {
                if let Some(oldest) = self.order.pop_front() {
                    self.held.remove(&oldest);
                }
            }
        }
        Part {
            record,
            lost,
            number,
            waited: before.map(|(_, since)| time.saturating_sub(since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::spec::HopAttrs;

    /// A record of a packet that goes on with `held`, and is held again at `holds`.
    fn record(time: u64, held: Option<u64>, holds: &[u64]) -> ProbeAttrs {
        let hop = |held: &u64| HopAttrs {
            time: Some(10),
            held: Some(*held),
            ..HopAttrs::default()
        };
        ProbeAttrs {
            time: Some(time),
            held,
            hop: holds.iter().map(hop).collect(),
            ..ProbeAttrs::default()
        }
    }

    #[test]
    fn what_goes_on_has_its_number_and_others_have_a_new_one() {
        let mut parts = Parts::default();
        let mut next = |time, held, holds: &[u64]| {
            let record = record(time, held, holds);
            let part = parts.part(&record, 0);
            let told = (part.number, part.waited);
            (told, parts.wait())
        };
        assert_eq!(next(1000, None, &[7, 8]), ((1, None), true));
        assert_eq!(next(1500, None, &[]), ((2, None), true));
        assert_eq!(next(2010, Some(7), &[9]), ((1, Some(1000)), true));
        assert_eq!(next(2020, Some(8), &[]), ((1, Some(1010)), true));
        assert_eq!(next(2030, Some(8), &[]), ((3, None), true));
        assert_eq!(next(2040, Some(9), &[]), ((1, Some(20)), false));
        assert_eq!(parts.packets(), 3);
    }

    #[test]
    fn not_all_are_remembered() {
        let mut parts = Parts::default();
        let most = u64::try_from(REMEMBERED).unwrap();
        for number in 0..=most {
            parts.part(&record(0, None, &[number]), 0);
        }
        assert!(!parts.know(&record(0, Some(0), &[])));
        assert!(parts.know(&record(0, Some(1), &[])));
        assert_eq!(parts.held.len(), REMEMBERED);
    }
}
