// SPDX-License-Identifier: GPL-2.0

//! Counters of all blocks, read often: only what is needed of them, and only what has changed is told.

use crate::picture::model::{float, short, Loss};
use lana_netlink::{
    spec::{drop, fb, stats},
    wire::{attributes, DecodeError, Field, Value},
    Connection, Error,
};
use serde::Serialize;
use std::{collections::HashMap, time::Instant};

/// Reasons have small numbers; more than so many are one.
const REASONS: usize = 16;

/// What a block has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    packets: u64,
    drops: [u64; REASONS],
}

/// What a box says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    idp: u32,
    /// Packets a second.
    rate: f64,
    /// The same for people.
    text: String,
    /// What is dropped, if anything is.
    loss: String,
    bad: bool,
}

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counts: HashMap<u32, Count>,
    told: HashMap<u32, Figures>,
    when: Option<Instant>,
}

impl Counters {
    /// Reads them. The figures of the blocks where these are others than before.
    pub(super) fn read(&mut self, lana: &mut Connection) -> Result<Vec<Figures>, Error> {
        let mut counts = HashMap::with_capacity(self.counts.len());
        lana.visit_fbs(None, |attrs| {
            let (idp, count) = count(attrs)?;
            counts.insert(idp, count);
            Ok(())
        })?;
        let now = Instant::now();
        let passed = self
            .when
            .replace(now)
            .map(|then| now.duration_since(then).as_secs_f64());
        Ok(self.compare(counts, passed))
    }

    /// All that is not zero.
    pub(super) fn all(&self) -> Vec<Figures> {
        let mut all: Vec<_> = self.told.values().cloned().collect();
        all.sort_by_key(|figures| figures.idp);
        all
    }

    fn compare(&mut self, counts: HashMap<u32, Count>, passed: Option<f64>) -> Vec<Figures> {
        let mut changed = Vec::new();
        let passed = passed.unwrap_or(f64::INFINITY).max(0.001);
        for (idp, count) in &counts {
            // A block that is new has no rate yet; nor has one that took the IDP of another.
            let old = self.counts.get(idp).unwrap_or(count);
            let figures = Figures::between(*idp, old, count, passed);
            let same = match self.told.get(idp) {
                Some(told) => *told == figures,
                None => figures.is_quiet(),
            };
            if !same {
                changed.push(figures);
            }
        }
        for figures in &changed {
            if figures.is_quiet() {
                self.told.remove(&figures.idp);
            } else {
                self.told.insert(figures.idp, figures.clone());
            }
        }
        self.told.retain(|idp, _| counts.contains_key(idp));
        self.counts = counts;
        changed.sort_by_key(|figures| figures.idp);
        changed
    }
}

impl Figures {
    fn between(idp: u32, old: &Count, new: &Count, passed: f64) -> Self {
        let rate = |old: u64, new: u64| (float(new.saturating_sub(old)) / passed).round();
        let packets = rate(old.packets, new.packets);
        let drops = old.drops.iter().zip(&new.drops).zip(0..);
        let drops = drops.map(|((old, new), reason)| (Value::from(reason), rate(*old, *new)));
        let drops: Vec<_> = drops.filter(|(_, rate)| *rate > 0.0).collect();
        let loss = Loss::of(&drops, "/s");
        let text = if packets > 0.0 {
            format!("{}/s", short(packets))
        } else {
            String::new()
        };
        Figures {
            idp,
            rate: packets,
            text,
            bad: loss.as_ref().is_some_and(|loss| loss.bad),
            loss: loss.map_or_else(String::new, |loss| loss.text),
        }
    }

    fn is_quiet(&self) -> bool {
        self.text.is_empty() && self.loss.is_empty()
    }
}

/// IDP and counters of a block.
fn count(attrs: &[u8]) -> Result<(u32, Count), DecodeError> {
    let (mut idp, mut count) = (0, Count::default());
    for attribute in attributes(attrs) {
        match attribute? {
            (fb::IDP, value) => idp = u32::decode(value)?,
            (fb::STATS, value) => {
                for attribute in attributes(value) {
                    match attribute? {
                        (stats::PACKETS, value) => count.packets = u64::decode(value)?,
                        (stats::DROP, value) => drops(value, &mut count)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok((idp, count))
}

fn drops(attrs: &[u8], count: &mut Count) -> Result<(), DecodeError> {
    let (mut reason, mut packets) = (0, 0);
    for attribute in attributes(attrs) {
        match attribute? {
            (drop::REASON, value) => reason = u32::decode(value)?,
            (drop::PACKETS, value) => packets = u64::decode(value)?,
            _ => {}
        }
    }
    let reason = usize::try_from(reason)
        .unwrap_or(usize::MAX)
        .min(REASONS - 1);
    if let Some(drops) = count.drops.get_mut(reason) {
        *drops += packets;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::{
        spec::{DropAttrs, DropReason, FbAttrs, StatsAttrs},
        wire::{Attributes, Writer},
    };

    fn counts(packets: u64, filtered: u64) -> HashMap<u32, Count> {
        let fb = FbAttrs {
            idp: Some(7),
            stats: Some(StatsAttrs {
                packets: Some(packets),
                drop: vec![DropAttrs {
                    reason: Some(Value::Known(DropReason::Filtered)),
                    packets: Some(filtered),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut writer = Writer::new();
        Attributes::encode(&fb, &mut writer).unwrap();
        [count(&writer.into_bytes()).unwrap()].into()
    }

    #[test]
    fn only_what_changes_is_told() {
        let mut counters = Counters::default();
        assert!(counters.compare(counts(100, 0), None).is_empty());
        assert!(counters.compare(counts(100, 0), Some(0.5)).is_empty());
        let told = counters.compare(counts(1100, 5), Some(0.5));
        let busy = Figures {
            idp: 7,
            rate: 2000.0,
            text: "2k/s".into(),
            loss: "10/s filtered".into(),
            bad: false,
        };
        assert_eq!(told, [busy]);
        assert_eq!(counters.all(), told);
        // As fast as before: there is nothing to tell.
        assert!(counters.compare(counts(2100, 10), Some(0.5)).is_empty());
        let told = counters.compare(counts(2100, 10), Some(0.5));
        assert!(told.len() == 1 && told[0].is_quiet());
        assert!(counters.all().is_empty());
        // A block that took the place of one with larger counters.
        assert!(counters.compare(counts(1, 0), Some(0.5)).is_empty());
    }
}
