// SPDX-License-Identifier: GPL-2.0

//! From two samples to rates, by the time that has passed between them.

use crate::{
    parse::{Device, Side, Ticks},
    sample::{Link, Sample},
};
use lana_cli::{BlockRates, Count, Scale};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// One way of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Way {
    pub(crate) bytes: Count,
    pub(crate) packets: Count,
    pub(crate) drops: Count,
    pub(crate) errors: Count,
    /// Of the line rate, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
}

/// An interrupt of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) interrupt: String,
    pub(crate) name: String,
    pub(crate) count: Count,
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct DeviceRates {
    pub(crate) name: String,
    /// It is not there (any more).
    pub(crate) gone: bool,
    pub(crate) rx: Way,
    pub(crate) tx: Way,
    pub(crate) rx_queues: usize,
    pub(crate) tx_queues: usize,
    pub(crate) interrupts: Vec<Line>,
    /// Bytes that wait in the device, by transmit queue.
    pub(crate) in_flight: BTreeMap<usize, u64>,
}

/// A CPU; shares in per cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Cpu {
    #[serde(rename = "cpu")]
    pub(crate) number: usize,
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) idle: f64,
    pub(crate) iowait: f64,
    /// Interrupts of the devices shown.
    pub(crate) irq: Count,
    pub(crate) soirq_rx: Count,
    pub(crate) soirq_tx: Count,
}

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Seconds that have passed between the samples.
    pub(crate) seconds: f64,
    /// Context switches.
    pub(crate) switches: f64,
    pub(crate) memory: f64,
    pub(crate) running: u64,
    pub(crate) iowait: u64,
    pub(crate) devices: Vec<DeviceRates>,
    pub(crate) cpus: Vec<Cpu>,
    pub(crate) blocks: Vec<BlockRates>,
}

/// A part in per cent; of nothing, 0.
#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a digit behind the point"
)]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 * 100.0 / whole as f64
}

fn way(scale: Scale, old: Option<Side>, new: Side) -> Way {
    Way {
        bytes: scale.count(old.map(|old| old.bytes), new.bytes),
        packets: scale.count(old.map(|old| old.packets), new.packets),
        drops: scale.count(old.map(|old| old.drops), new.drops),
        errors: scale.count(old.map(|old| old.errors), new.errors),
        load: None,
    }
}

/// Rates per `interval` from two samples, of the devices in `names`.
pub(crate) fn report(old: &Sample, new: &Sample, interval: Duration, names: &[String]) -> Report {
    let passed = new.at.saturating_duration_since(old.at);
    let scale = Scale::new(interval, passed);
    let per_second = Scale::new(Duration::from_secs(1), passed);
    let devices = names
        .iter()
        .map(|name| device(old, new, scale, per_second, name));
    Report {
        seconds: passed.as_secs_f64(),
        switches: scale.count(Some(old.stat.switches), new.stat.switches).rate,
        memory: percent(new.memory.0, new.memory.1),
        running: new.stat.running,
        iowait: new.stat.blocked,
        devices: devices.collect(),
        cpus: new
            .stat
            .cpus
            .keys()
            .map(|&number| cpu(old, new, scale, number))
            .collect(),
        blocks: BlockRates::between(&old.blocks, &new.blocks, scale),
    }
}

fn device(old: &Sample, new: &Sample, scale: Scale, per_second: Scale, name: &str) -> DeviceRates {
    let (Some(now), Some(link)) = (new.devices.get(name), new.links.get(name)) else {
        return DeviceRates {
            name: name.to_owned(),
            gone: true,
            ..DeviceRates::default()
        };
    };
    // Another one of the same name has counters of its own.
    let same = old
        .links
        .get(name)
        .is_some_and(|before| before.index == link.index);
    let before: Option<&Device> = old.devices.get(name).filter(|_| same);
    let load = |old: Option<Side>, new: Side, link: &Link| {
        let seconds = per_second.count(old.map(|old| old.bytes), new.bytes);
        let speed = u32::try_from(link.speed?).ok()?;
        Some(seconds.rate * 8.0 * 100.0 / (f64::from(speed) * 1e6))
    };
    let mut rx = way(scale, before.map(|before| before.rx), now.rx);
    let mut tx = way(scale, before.map(|before| before.tx), now.tx);
    rx.load = load(before.map(|before| before.rx), now.rx, link);
    tx.load = load(before.map(|before| before.tx), now.tx, link);
    let sum = |sample: &Sample, number: &str| -> Option<u64> {
        let mut lines = sample.interrupts.get(name)?.iter();
        let line = lines.find(|line| line.number == number)?;
        Some(line.counts.values().sum())
    };
    let lines = new.interrupts.get(name).into_iter().flatten();
    let lines = lines.map(|line| Line {
        interrupt: line.number.clone(),
        name: line.name.rsplit(' ').next().unwrap_or_default().to_owned(),
        count: scale.count(sum(old, &line.number), line.counts.values().sum()),
    });
    DeviceRates {
        name: name.to_owned(),
        gone: false,
        rx,
        tx,
        rx_queues: link.rx_queues,
        tx_queues: link.tx_queues,
        interrupts: lines.collect(),
        in_flight: link.in_flight.clone(),
    }
}

fn cpu(old: &Sample, new: &Sample, scale: Scale, cpu: usize) -> Cpu {
    let ticks = |sample: &Sample| sample.stat.cpus.get(&cpu).copied();
    let now = ticks(new).unwrap_or_default();
    let before = ticks(old).unwrap_or(now);
    let more = |of: fn(&Ticks) -> u64| of(&now).saturating_sub(of(&before));
    let [user, system, idle, iowait, other] = [
        more(|ticks| ticks.user),
        more(|ticks| ticks.system),
        more(|ticks| ticks.idle),
        more(|ticks| ticks.iowait),
        more(|ticks| ticks.other),
    ];
    let all = [user, system, idle, iowait, other]
        .iter()
        .fold(0, |sum: u64, part| sum.saturating_add(*part));
    let irqs = |sample: &Sample| -> u64 {
        let lines = sample.interrupts.values().flatten();
        lines.filter_map(|line| line.counts.get(&cpu)).sum()
    };
    let soft = |of: fn(&Sample) -> &BTreeMap<usize, u64>| {
        let count = |sample| of(sample).get(&cpu).copied();
        scale.count(count(old), count(new).unwrap_or_default())
    };
    Cpu {
        number: cpu,
        user: percent(user, all),
        system: percent(system, all),
        idle: percent(idle, all),
        iowait: percent(iowait, all),
        irq: scale.count(Some(irqs(old)), irqs(new)),
        soirq_rx: soft(|sample| &sample.softirq_rx),
        soirq_tx: soft(|sample| &sample.softirq_tx),
    }
}

/// The rates of devices over the last intervals, of which the one in the middle counts.
#[derive(Default)]
pub(crate) struct Median(BTreeMap<String, VecDeque<[f64; 8]>>);

/// How many intervals.
const WINDOW: usize = 11;

impl Median {
    /// Puts the medians in the place of the last rates.
    pub(crate) fn apply(&mut self, report: &mut Report) {
        for device in &mut report.devices {
            let last = self.0.entry(device.name.clone()).or_default();
            let mut rates = [0.0; 8];
            for (rate, count) in rates.iter_mut().zip(counts(device)) {
                *rate = count.rate;
            }
            last.push_back(rates);
            if last.len() > WINDOW {
                last.pop_front();
            }
            for (i, count) in counts(device).into_iter().enumerate() {
                let mut column: Vec<f64> = last
                    .iter()
                    .filter_map(|rates| rates.get(i).copied())
                    .collect();
                column.sort_by(f64::total_cmp);
                count.rate = column.get(column.len() / 2).copied().unwrap_or_default();
            }
        }
    }
}

fn counts(device: &mut DeviceRates) -> [&mut Count; 8] {
    let DeviceRates { rx, tx, .. } = device;
    [
        &mut rx.bytes,
        &mut rx.packets,
        &mut rx.drops,
        &mut rx.errors,
        &mut tx.bytes,
        &mut tx.packets,
        &mut tx.drops,
        &mut tx.errors,
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::parse;
    use lana_cli::Block;
    use std::time::Instant;

    /// A sample of a machine with so many CPUs, after so many steps.
    pub(crate) fn sample(cpus: usize, step: u64, at: Instant) -> Sample {
        let side = |n: u64| Side {
            bytes: n * 64 * step,
            packets: n * step,
            errors: 0,
            drops: step,
        };
        let numbers = |n: u64| (0..cpus).map(|cpu| (cpu, n * step)).collect();
        let ticks = Ticks {
            user: 5 * step,
            system: 15 * step,
            idle: 80 * step,
            ..Ticks::default()
        };
        let interrupt = parse::Interrupt {
            number: "29".into(),
            name: "PCI-MSIX 1-edge eth0-rx-0".into(),
            counts: numbers(10),
        };
        Sample {
            at,
            devices: [(
                "eth0".to_owned(),
                Device {
                    rx: side(1000),
                    tx: side(10),
                },
            )]
            .into(),
            interrupts: [("eth0".to_owned(), vec![interrupt])].into(),
            links: [(
                "eth0".to_owned(),
                Link {
                    index: 2,
                    speed: Some(1000),
                    rx_queues: 1,
                    tx_queues: 1,
                    ..Link::default()
                },
            )]
            .into(),
            stat: parse::Stat {
                cpus: (0..cpus).map(|cpu| (cpu, ticks)).collect(),
                switches: 2160 * step,
                running: 1,
                blocked: 0,
            },
            memory: (439, 1000),
            softirq_rx: numbers(7),
            softirq_tx: numbers(1),
            blocks: vec![Block {
                idp: 3,
                name: "fb3".into(),
                kind: "bpf".into(),
                packets: 100 * step,
                bytes: 6400 * step,
                received: None,
                drops: [("filtered".to_owned(), 40 * step)].into(),
            }],
        }
    }

    pub(crate) fn two(cpus: usize, millis: u64) -> Report {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(millis);
        let names = ["eth0".to_owned(), "eth1".to_owned()];
        report(
            &sample(cpus, 1, begin),
            &sample(cpus, 2, end),
            Duration::from_secs(1),
            &names,
        )
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn rates_go_by_the_time_that_has_passed() {
        let report = two(2, 2000);
        near(report.devices[0].rx.packets.rate, 500.0);
        assert_eq!(report.devices[0].rx.packets.total, 2000);
        near(report.devices[0].rx.load.unwrap(), 500.0 * 64.0 * 8.0 / 1e7);
        near(report.switches, 1080.0);
        near(report.cpus[1].irq.rate, 5.0);
        near(report.cpus[1].system, 15.0);
        near(report.blocks[0].drops.rate, 20.0);
        assert_eq!(report.blocks[0].reasons["filtered"], 80);
        assert!(report.devices[1].gone);
    }

    #[test]
    fn a_counter_that_began_anew_has_no_rate() {
        let now = Instant::now();
        let (old, mut new) = (
            sample(1, 9, now),
            sample(1, 1, now + Duration::from_secs(1)),
        );
        let names = ["eth0".to_owned()];
        let rate = |new: &Sample| {
            report(&old, new, Duration::from_secs(1), &names).devices[0]
                .rx
                .packets
                .rate
        };
        near(rate(&new), 0.0);
        new.devices.get_mut("eth0").unwrap().rx.packets = 10_000;
        near(rate(&new), 1000.0);
        new.links.get_mut("eth0").unwrap().index = 3;
        near(rate(&new), 0.0);
        // No time has passed.
        near(
            report(&old, &old, Duration::from_secs(1), &names).switches,
            0.0,
        );
    }

    #[test]
    fn the_median_is_not_moved_by_one() {
        let mut median = Median::default();
        for millis in [1000, 1000, 1, 1000] {
            let mut report = two(1, millis);
            median.apply(&mut report);
            near(report.devices[0].rx.packets.rate, 1000.0);
        }
    }
}
