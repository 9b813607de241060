// SPDX-License-Identifier: GPL-2.0

//! How long blocks have packets: measured by a probe that traces a sample of the packets, while somebody looks.
//!
//! The kernel reads a clock as a traced packet comes to a block and as it leaves it. What the blocks behind that one
//! take is not in it; what a device's block takes is with the sending. One packet of a number is traced, which goes by
//! the packets a second that there are.

use lana_cli::{clean, Stop};
use lana_netlink::{spec::ProbeAttrs, Error, Probe};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// So many packets a second are traced: enough for a mean, and some thousandths of a CPU.
const WANTED: f64 = 250.0;
/// No more than so many, however the packets come.
const RATE: u32 = 1000;
/// The probe is asked for anew when so many times as many packets come as before, or as few.
const FACTOR: u32 = 4;
/// How long the packets are counted before the first probe.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);
/// How often what has come is read: what waits too long is lost.
const SLICE: Duration = Duration::from_secs(1);

/// The time of the packets of a block that were traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Took {
    pub(crate) packets: u64,
    pub(crate) nanos: u64,
}

impl Took {
    /// Nanoseconds a packet.
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    pub(crate) fn mean(self) -> Option<f64> {
        (self.packets > 0).then(|| self.nanos as f64 / self.packets as f64)
    }
}

/// What was measured in an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// By IDP.
    pub(crate) blocks: HashMap<u32, Took>,
    /// Packets that were traced.
    pub(crate) packets: u64,
    /// One of so many.
    pub(crate) sample: u32,
    /// Why nothing is measured.
    pub(crate) why: Option<String>,
}

impl Times {
    /// Nanoseconds a packet at a block, where any was traced there.
    pub(crate) fn mean(&self, idp: u32) -> Option<f64> {
        self.blocks.get(&idp).and_then(|took| took.mean())
    }

    /// The line that says why nothing is measured.
    pub(crate) fn why(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("time: not measured: {}", clean(why)))
    }

    /// Adds a traced packet.
    pub(crate) fn add(&mut self, record: &ProbeAttrs) {
        self.packets += 1;
        for hop in &record.hop {
            let (Some(idp), Some(nanos)) = (hop.idp, hop.took) else {
                continue;
            };
            let took = self.blocks.entry(idp).or_default();
            took.packets += 1;
            took.nanos = took.nanos.saturating_add(nanos);
        }
    }
}

/// The probe, and what it has told.
pub(crate) struct Timing {
    probe: Option<Probe>,
    times: Times,
}

impl Timing {
    /// Begins where so many packets come in a second.
    pub(crate) fn begin(rate: f64) -> Self {
        let mut timing = Timing {
            probe: None,
            times: Times::default(),
        };
        timing.open(sample(rate));
        timing
    }

    /// Asks for a probe. Without one, nothing is measured.
    fn open(&mut self, sample: u32) {
        // The old one counts among those that there may be.
        self.probe = None;
        let request = ProbeAttrs {
            sample: Some(sample),
            rate: Some(RATE),
            snaplen: Some(0),
            ..Default::default()
        };
        let opened = Probe::open(&request);
        self.times.sample = sample;
        self.times.why = opened.as_ref().err().map(Error::to_string);
        self.probe = opened.ok();
    }

    /// Reads what has come.
    pub(crate) fn read(&mut self) {
        let Some(probe) = &mut self.probe else {
            return;
        };
        loop {
            match probe.take_record() {
                Ok(Some(record)) => self.times.add(&record),
                Ok(None) => return,
                Err(error) => {
                    self.times.why = Some(error.to_string());
                    self.probe = None;
                    return;
                }
            }
        }
    }

    /// What is known before anything has come.
    pub(crate) fn none(&self) -> Times {
        Times {
            sample: self.times.sample,
            why: self.times.why.clone(),
            ..Times::default()
        }
    }

    /// What came since it was asked last, when so many packets came in a second.
    pub(crate) fn next(&mut self, rate: f64) -> Times {
        self.read();
        let none = self.none();
        let times = std::mem::replace(&mut self.times, none);
        let (better, sample) = (sample(rate), times.sample);
        let far = better / FACTOR >= sample || sample / FACTOR >= better;
        // Where there was none, somebody may have given one back.
        if self.probe.is_none() || far {
            self.open(better);
        }
        times
    }

    /// Sleeps until then, or until a signal.
    pub(crate) fn sleep(&mut self, stop: &Stop, until: Instant) {
        while !stop.has_come() && Instant::now() < until {
            stop.sleep(until.min(Instant::now() + SLICE));
            self.read();
        }
    }
}

/// Of how many packets one is to be traced, where so many come in a second: a power of two.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the bounds"
)]
fn sample(rate: f64) -> u32 {
    let power = (rate / WANTED).max(1.0).log2().round().min(20.0);
    1 << power as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::spec::HopAttrs;

    #[test]
    fn so_many_are_traced_that_it_costs_little() {
        for (rate, expected) in [
            (0.0, 1),
            (250.0, 1),
            (1000.0, 4),
            (100_000.0, 512),
            (1e7, 32768),
            (1e300, 1 << 20),
            (f64::NAN, 1),
        ] {
            assert_eq!(sample(rate), expected, "{rate}");
        }
    }

    #[test]
    fn each_hop_counts_for_its_block() {
        let hop = |idp, took| HopAttrs {
            idp: Some(idp),
            took,
            ..Default::default()
        };
        let record = ProbeAttrs {
            hop: vec![
                hop(1, Some(100)),
                hop(2, Some(40)),
                hop(1, Some(200)),
                hop(3, None),
            ],
            ..Default::default()
        };
        let mut times = Times::default();
        times.add(&record);
        times.add(&record);
        assert_eq!(times.packets, 2);
        assert_eq!(
            [1, 2, 3].map(|idp| times.mean(idp)),
            [Some(150.0), Some(40.0), None]
        );
    }
}
