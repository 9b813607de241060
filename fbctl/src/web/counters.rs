// SPDX-License-Identifier: GPL-2.0

//! Counters of all blocks, read often: only what is needed of them, and only what has changed is told.

use crate::picture::model::{float, is_usual, short};
use lana_netlink::{
    spec::{drop, fb, stats},
    wire::{attributes, DecodeError, Field, Value},
    Connection, Error,
};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

/// Reasons have small numbers; more than so many are one.
const REASONS: usize = 16;
/// Rates are of the last second, to a packet. All times are in seconds.
const SECOND: f64 = 1.0;
/// Within this packet, a longer time decides. What was dropped in it is told as well, so that somebody can see it.
const MEMORY: f64 = 5.0;
/// In less than this, a packet makes a rate that is nonsense.
const FIRST: f64 = 0.5;

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

/// What was read lately.
#[derive(Debug, Default)]
pub(super) struct Counters {
    begin: Option<Instant>,
    /// What was read last, in a room that is used again.
    fresh: Vec<(u32, Count)>,
    blocks: HashMap<u32, Block>,
    /// When it was read: as many times as there are in the memory, and one before it.
    times: VecDeque<f64>,
    /// How often.
    readings: u64,
}

/// A block.
#[derive(Debug)]
struct Block {
    count: Count,
    /// The first reading, and the number of the last one.
    since: f64,
    seen: u64,
    /// What was added to its counters in the time that is remembered: nothing while it is quiet.
    steps: VecDeque<Step>,
    told: Option<Figures>,
}

/// What was added to the counters of a block between two readings.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// The later one.
    at: f64,
    packets: u64,
    drops: u64,
    /// A bit for each reason.
    reasons: u16,
}

/// The time that is looked at.
#[derive(Debug, Clone, Copy)]
struct Times {
    now: f64,
    /// The readings that the last second and the memory begin with.
    second: f64,
    memory: f64,
}

impl Counters {
    /// Reads them. The figures of the blocks where these are others than before.
    pub(super) fn read(&mut self, lana: &mut Connection) -> Result<Vec<Figures>, Error> {
        let now = self.begin.get_or_insert_with(Instant::now).elapsed();
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        lana.visit_fbs(None, |attrs| {
            fresh.push(count(attrs)?);
            Ok(())
        })?;
        let changed = self.compare(&fresh, now.as_secs_f64());
        self.fresh = fresh;
        Ok(changed)
    }

    /// All that is not zero.
    pub(super) fn all(&self) -> Vec<Figures> {
        let told = self.blocks.values().filter_map(|block| block.told.clone());
        let mut all: Vec<_> = told.collect();
        all.sort_by_key(|figures| figures.idp);
        all
    }

    fn compare(&mut self, fresh: &[(u32, Count)], now: f64) -> Vec<Figures> {
        self.readings += 1;
        let times = self.pass(now);
        let mut changed = Vec::new();
        for (idp, count) in fresh {
            let block = self
                .blocks
                .entry(*idp)
                .or_insert_with(|| Block::new(count, now));
            block.seen = self.readings;
            if let Some(figures) = block.read(*idp, count, times) {
                changed.push(figures);
            }
        }
        if self.blocks.len() > fresh.len() {
            let last = self.readings;
            self.blocks.retain(|_, block| block.seen == last);
        }
        changed.sort_by_key(|figures| figures.idp);
        changed
    }

    /// Another reading.
    fn pass(&mut self, now: f64) -> Times {
        // The last one that is old enough.
        let since = |times: &VecDeque<f64>, age: f64| {
            let old = times.iter().rposition(|then| now - then >= age);
            old.unwrap_or(0)
        };
        self.times.drain(..since(&self.times, MEMORY));
        let at = |number: usize| self.times.get(number).copied().unwrap_or(now);
        let (second, memory) = (at(since(&self.times, SECOND)), at(0));
        self.times.push_back(now);
        Times {
            now,
            second,
            memory,
        }
    }
}

impl Block {
    fn new(count: &Count, now: f64) -> Self {
        Block {
            count: *count,
            since: now,
            seen: 0,
            steps: VecDeque::new(),
            told: None,
        }
    }

    /// What there is to tell, if it is not what was told.
    fn read(&mut self, idp: u32, count: &Count, times: Times) -> Option<Figures> {
        match Step::between(&self.count, count, times.now) {
            Some(step) if step.packets == 0 && step.drops == 0 => {}
            Some(step) => {
                self.count = *count;
                self.steps.push_back(step);
            }
            // They were reset, or are of another block that took the IDP.
            None => {
                let told = self.told.take();
                *self = Block {
                    seen: self.seen,
                    told,
                    ..Block::new(count, times.now)
                };
            }
        }
        while self
            .steps
            .front()
            .is_some_and(|step| step.at <= times.memory)
        {
            self.steps.pop_front();
        }
        if self.steps.is_empty() {
            // Most of them are quiet.
            self.told.take()?;
            return Some(Figures::quiet(idp));
        }
        if times.now - self.since < FIRST {
            return None;
        }
        let figures = self.figures(idp, times);
        if self.told.as_ref() == Some(&figures) {
            return None;
        }
        self.told = Some(figures.clone());
        Some(figures)
    }

    fn figures(&self, idp: u32, times: Times) -> Figures {
        let packets = self.rate(times, |step| step.packets);
        let drops = self.rate(times, |step| step.drops);
        let reasons = self.steps.iter().fold(0, |all, step| all | step.reasons);
        let mut reasons: Vec<_> = (0..)
            .zip(0..REASONS)
            .filter(|(_, bit)| (reasons >> bit) & 1 == 1)
            .map(|(reason, _)| Value::from(reason))
            .collect();
        let bad = reasons.iter().any(|reason| !is_usual(*reason));
        let why = match (reasons.pop(), reasons.is_empty()) {
            (None, _) => String::new(),
            (Some(reason), true) => format!(" {reason}"),
            (Some(_), false) => " dropped".to_owned(),
        };
        Figures {
            idp,
            rate: whole(packets),
            text: per_second(packets),
            loss: per_second(drops) + &why,
            bad,
        }
    }

    /// So many a second. The last second says it to one more or less, as packets do not come with its begin; between
    /// these, what is remembered decides.
    fn rate(&self, times: Times, of: impl Fn(&Step) -> u64) -> f64 {
        let (mut all, mut lately, mut last) = (0, 0, times.memory);
        for step in &self.steps {
            let count = of(step);
            all += count;
            if step.at > times.second {
                lately += count;
            }
            if count > 0 {
                last = step.at;
            }
        }
        let passed = |since: f64| times.now - since.max(self.since);
        let (all, lately) = (float(all) / passed(times.memory), float(lately));
        let second = passed(times.second);
        let least = (lately - 1.0) / second;
        // As many as none since the last one can be.
        let most = if lately > 0.0 {
            (lately + 1.0) / second
        } else {
            1.0 / passed(last)
        };
        all.max(least).min(most)
    }
}

impl Step {
    /// None if a counter has gone back.
    fn between(old: &Count, new: &Count, now: f64) -> Option<Self> {
        let mut step = Step {
            at: now,
            packets: new.packets.checked_sub(old.packets)?,
            ..Step::default()
        };
        for (bit, (old, new)) in old.drops.iter().zip(&new.drops).enumerate() {
            let drops = new.checked_sub(*old)?;
            step.drops += drops;
            step.reasons |= u16::from(drops > 0) << bit;
        }
        Some(step)
    }
}

impl Figures {
    fn quiet(idp: u32) -> Self {
        Figures {
            idp,
            ..Figures::default()
        }
    }
}

/// A rate as a whole number, but not less than one.
fn whole(rate: f64) -> f64 {
    if rate > 0.0 {
        rate.round().max(1.0)
    } else {
        0.0
    }
}

/// The same for people.
fn per_second(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => String::new(),
        rate if rate < 0.5 => "<1/s".to_owned(),
        rate => format!("{}/s", short(rate.round())),
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

    /// What is read of the block 7.
    fn reading(packets: u64, reason: DropReason, drops: u64) -> [(u32, Count); 1] {
        let fb = FbAttrs {
            idp: Some(7),
            stats: Some(StatsAttrs {
                packets: Some(packets),
                drop: vec![DropAttrs {
                    reason: Some(Value::Known(reason)),
                    packets: Some(drops),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut writer = Writer::new();
        Attributes::encode(&fb, &mut writer).unwrap();
        [count(&writer.into_bytes()).unwrap()]
    }

    /// Reads at such times as a page does: ten times a second or a little less. `counted` says what was counted by
    /// then, and how much of it was dropped. All figures, with the times.
    fn follow(
        seconds: f64,
        reason: DropReason,
        counted: impl Fn(f64) -> (u64, u64),
    ) -> Vec<(f64, Figures)> {
        let (mut counters, mut all, mut now) = (Counters::default(), Vec::new(), 0.0);
        let mut shown = Figures::quiet(7);
        for late in [0.0, 0.001, 0.013, 0.002, 0.007].iter().cycle() {
            let (packets, drops) = counted(now);
            for figures in counters.compare(&reading(packets, reason, drops), now) {
                assert_ne!(figures, shown);
                shown = figures;
            }
            let known = counters.all();
            assert_eq!(known.first().cloned().unwrap_or(Figures::quiet(7)), shown);
            all.push((now, shown.clone()));
            now += 0.1 + late;
            if now > seconds {
                break;
            }
        }
        all
    }

    /// How many have come by then, at such a rate.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and not negative"
    )]
    fn steady(rate: f64, time: f64) -> u64 {
        (rate * time) as u64
    }

    #[test]
    fn a_packet_a_second_is_one_a_second() {
        // A ping is late now and then.
        let ping = |now: f64| steady(1.0 / 1.02, now + 0.7);
        for (now, figures) in follow(40.0, DropReason::Unbound, |now| (ping(now), 0)) {
            if now > 2.0 {
                assert_eq!((figures.text.as_str(), figures.rate), ("1/s", 1.0), "{now}");
            }
        }
    }

    #[test]
    fn a_steady_rate_is_steady() {
        for rate in [3.0, 9.6, 33.3, 250.0, 77_800.0] {
            for (now, figures) in follow(20.0, DropReason::Unbound, |now| (steady(rate, now), 0)) {
                // What one packet makes of the second, and then of the time that is remembered.
                let packet = if now > 5.2 {
                    0.2
                } else {
                    1.0 / now.clamp(0.1, 1.0)
                };
                if now > 0.6 {
                    let off = (figures.rate - rate).abs();
                    assert!(off <= 0.5 + packet, "{now}: {} for {rate}", figures.rate);
                }
            }
        }
    }

    #[test]
    fn it_follows_within_a_second() {
        let counted = |now: f64| (steady(100.0, now.clamp(10.0, 20.0)), 0);
        for (now, figures) in follow(30.0, DropReason::Unbound, counted) {
            match now {
                0.6..10.0 | 25.2.. => assert_eq!(figures, Figures::quiet(7), "{now}"),
                11.3..20.0 => assert!((98.0..=101.0).contains(&figures.rate), "{now}: {figures:?}"),
                21.3..21.9 => assert_eq!(figures.text, "1/s", "{now}"),
                22.3..25.0 => assert_eq!(figures.text, "<1/s", "{now}"),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_dropped_is_not_more_than_what_came() {
        // Waves, from nothing to some hundred a second.
        let waves = |now: f64| steady(60.0, now + (now * 0.9).sin()) + steady(3.0, now);
        for (now, figures) in follow(60.0, DropReason::Unbound, |now| (waves(now), waves(now))) {
            let loss = if figures.text.is_empty() {
                String::new()
            } else {
                format!("{} unbound", figures.text)
            };
            assert_eq!((figures.loss, figures.bad), (loss, false), "{now}");
        }
    }

    #[test]
    fn trouble_can_be_seen_for_a_while() {
        let counted = |now: f64| (steady(50.0, now), u64::from(now > 8.0));
        let all = follow(20.0, DropReason::QueueFull, counted);
        let begin = all.iter().find(|(_, figures)| figures.bad).unwrap();
        let end = all.iter().rfind(|(_, figures)| figures.bad).unwrap();
        assert!((8.0..8.2).contains(&begin.0), "{begin:?}");
        assert!((12.9..13.3).contains(&end.0), "{end:?}");
        for (now, figures) in &all {
            let bad = (begin.0..=end.0).contains(now);
            let loss = if bad { "<1/s queue-full" } else { "" };
            assert_eq!((figures.bad, figures.loss.as_str()), (bad, loss), "{now}");
        }
    }

    #[test]
    fn who_has_several_reasons_says_dropped() {
        let mut counters = Counters::default();
        let mut read = reading(0, DropReason::Filtered, 0);
        assert!(counters.compare(&read, 0.0).is_empty());
        read[0].1.packets = 500;
        read[0].1.drops[1] = 10;
        read[0].1.drops[15] = 10;
        let told = counters.compare(&read, 1.0);
        assert_eq!(told[0].loss, "20/s dropped");
        assert!(told[0].bad);
    }

    #[test]
    fn only_what_changes_is_told() {
        let read = |packets, filtered| reading(packets, DropReason::Filtered, filtered);
        let mut counters = Counters::default();
        assert!(counters.compare(&read(100, 0), 0.0).is_empty());
        assert!(counters.compare(&read(100, 0), 1.0).is_empty());
        let told = counters.compare(&read(2100, 10), 2.0);
        let busy = Figures {
            idp: 7,
            rate: 1999.0,
            text: "2k/s".into(),
            loss: "9/s filtered".into(),
            bad: false,
        };
        assert_eq!(told, [busy]);
        assert_eq!(counters.all(), told);
        for now in [3.0, 4.5] {
            assert_eq!(counters.compare(&read(2100, 10), now).len(), 1);
        }
        assert!(counters.compare(&read(2100, 10), 4.6).is_empty());
        let told = counters.compare(&read(2100, 10), 7.0);
        assert_eq!(told, [Figures::quiet(7)]);
        assert!(counters.all().is_empty());
        // One that has gone leaves nothing behind.
        counters.compare(&read(9000, 10), 8.0);
        assert!(counters.compare(&[], 9.0).is_empty());
        assert!(counters.all().is_empty() && counters.blocks.is_empty());
    }

    #[test]
    fn counters_that_go_back_begin_anew() {
        let read = |packets, drops| reading(packets, DropReason::QueueFull, drops);
        let mut counters = Counters::default();
        counters.compare(&read(100, 0), 0.0);
        counters.compare(&read(200, 10), 1.0);
        assert_eq!(counters.all().len(), 1);
        // As many packets, but fewer drops, is another block, too.
        assert_eq!(counters.compare(&read(200, 9), 1.1), [Figures::quiet(7)]);
        assert!(counters.compare(&read(201, 9), 1.2).is_empty());
        let told = counters.compare(&read(230, 9), 2.1);
        assert!(
            (29.0..=31.0).contains(&told[0].rate) && !told[0].bad,
            "{told:?}"
        );
        assert_eq!(counters.compare(&read(1, 0), 2.2), [Figures::quiet(7)]);
    }
}
