// SPDX-License-Identifier: GPL-2.0

//! The counters of blocks, and what comes between two samples of them.

use lana_netlink::Fb;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// A counter: all of it, and what came in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Count {
    /// All of it.
    pub total: u64,
    /// What came in an interval.
    pub rate: f64,
}

/// By how much what a counter has gained is to be multiplied, to have its rate.
#[derive(Debug, Clone, Copy)]
pub struct Scale(f64);

impl Scale {
    /// For rates in `interval`, from samples that are `passed` apart.
    pub fn new(interval: Duration, passed: Duration) -> Self {
        if passed.is_zero() {
            return Scale(0.0);
        }
        Scale(interval.as_secs_f64() / passed.as_secs_f64())
    }

    /// A counter in two samples.
    #[expect(clippy::cast_precision_loss, reason = "a rate, not a sum")]
    pub fn count(&self, old: Option<u64>, new: u64) -> Count {
        // One that began anew counts from 0: of that time nothing is known.
        let more = old.and_then(|old| new.checked_sub(old)).unwrap_or_default();
        Count {
            total: new,
            rate: more as f64 * self.0,
        }
    }
}

/// The counters of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Its number in the graph.
    pub idp: u32,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Packets that it was given.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that its device has received, if it stands for one.
    pub received: Option<u64>,
    /// Packets dropped, by reason; only those reasons that occurred.
    pub drops: BTreeMap<String, u64>,
}

impl Block {
    /// Packets dropped, for whatever reason.
    pub fn drop_total(&self) -> u64 {
        self.drops.values().copied().fold(0, u64::saturating_add)
    }
}

impl From<Fb> for Block {
    fn from(fb: Fb) -> Self {
        let stats = fb.stats.unwrap_or_default();
        let drops = stats.drop.iter();
        let drops = drops.filter_map(|drop| Some((drop.reason?.to_string(), drop.packets?)));
        Block {
            idp: fb.idp.unwrap_or_default(),
            name: fb.name.unwrap_or_default(),
            kind: fb.r#type.unwrap_or_default(),
            packets: stats.packets.unwrap_or_default(),
            bytes: stats.bytes.unwrap_or_default(),
            received: fb.ifname.map(|_| stats.entered.unwrap_or_default()),
            drops: drops.filter(|(_, packets)| *packets > 0).collect(),
        }
    }
}

/// A block and its rates.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BlockRates {
    /// Its number in the graph.
    #[serde(skip)]
    pub idp: u32,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Packets that it was given.
    pub packets: Count,
    /// Their bytes.
    pub bytes: Count,
    /// Packets that its device has received, and those that it has sent, if it stands for one.
    #[serde(skip)]
    pub device: Option<[Count; 2]>,
    /// Packets that it dropped.
    pub drops: Count,
    /// All of these by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The rates of these.
    #[serde(skip)]
    pub reason_rates: BTreeMap<String, f64>,
}

impl BlockRates {
    /// The rates of all blocks that are in the newer one of two samples.
    pub fn between(old: &[Block], new: &[Block], scale: Scale) -> Vec<BlockRates> {
        // Another block with that number has counters of its own.
        let key = |block: &Block| (block.idp, block.name.clone());
        let known: HashMap<_, _> = old.iter().map(|block| (key(block), block)).collect();
        let rates = |block: &Block| Self::of(known.get(&key(block)).copied(), block, scale);
        new.iter().map(rates).collect()
    }

    fn of(old: Option<&Block>, new: &Block, scale: Scale) -> Self {
        let reason = |(reason, packets): (&String, &u64)| {
            let before = old.map(|old| old.drops.get(reason).copied().unwrap_or_default());
            (reason.clone(), scale.count(before, *packets).rate)
        };
        BlockRates {
            idp: new.idp,
            name: new.name.clone(),
            kind: new.kind.clone(),
            packets: scale.count(old.map(|old| old.packets), new.packets),
            bytes: scale.count(old.map(|old| old.bytes), new.bytes),
            device: new.received.map(|received| {
                let sent = |block: &Block| {
                    let received = block.received.unwrap_or_default();
                    block.packets.saturating_sub(received)
                };
                let before = old.map(|old| old.received.unwrap_or_default());
                [
                    scale.count(before, received),
                    scale.count(old.map(sent), sent(new)),
                ]
            }),
            drops: scale.count(old.map(Block::drop_total), new.drop_total()),
            reasons: new.drops.clone(),
            reason_rates: new.drops.iter().map(reason).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    fn block(idp: u32, name: &str, step: u64) -> Block {
        Block {
            idp,
            name: name.into(),
            kind: "bpf".into(),
            packets: 100 * step,
            bytes: 6400 * step,
            received: None,
            drops: [("filtered".to_owned(), 40 * step), ("device".to_owned(), 1)].into(),
        }
    }

    fn rates(old: &Block, new: &Block, millis: u64) -> BlockRates {
        let scale = Scale::new(Duration::from_secs(1), Duration::from_millis(millis));
        let mut all = BlockRates::between(slice::from_ref(old), slice::from_ref(new), scale);
        all.remove(0)
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn rates_go_by_the_time_that_has_passed() {
        let rates = rates(&block(3, "f", 1), &block(3, "f", 2), 2000);
        near(rates.packets.rate, 50.0);
        assert_eq!(rates.packets.total, 200);
        near(rates.bytes.rate, 3200.0);
        near(rates.drops.rate, 20.0);
        near(rates.reason_rates["filtered"], 20.0);
        near(rates.reason_rates["device"], 0.0);
        assert_eq!(rates.reasons["filtered"], 80);
    }

    #[test]
    fn of_another_block_nothing_is_known() {
        for old in [block(3, "g", 1), block(4, "f", 1), block(3, "f", 9)] {
            let rates = rates(&old, &block(3, "f", 2), 1000);
            near(rates.packets.rate, 0.0);
            near(rates.reason_rates["filtered"], 0.0);
        }
        near(
            rates(&block(3, "f", 1), &block(3, "f", 2), 0).packets.rate,
            0.0,
        );
    }
}
