// SPDX-License-Identifier: GPL-2.0

//! The flows of blocks, as they are read once or again and again.

use super::{
    devices::Devices,
    filter::{Filter, KEYS},
    flow::{self, Counts, Key},
};
use anyhow::Result;
use indexmap::{map::Entry, IndexMap};
use lana_cli::{denied, usage, word, Scale, Session};
use lana_netlink::{errno_text, Error};
use std::{
    fs::File,
    io::{self, BufReader, ErrorKind},
    time::{Duration, Instant, SystemTime},
};

/// The type whose blocks have flows.
const TYPE: &str = "netflow";
/// Half of what the kernel gives at once: it then prints no part that has no room.
const BUFFER: usize = 1 << 15;
const SECOND: Duration = Duration::from_secs(1);
/// How much later than a reading a flow can be read.
const LATE: Duration = Duration::from_millis(200);

/// A block, and what it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(super) name: String,
    pub(super) counters: Vec<(String, String)>,
}

impl Block {
    pub(super) fn counter(&self, name: &str) -> u64 {
        counter(&self.counters, name)
    }
}

fn counter(counters: &[(String, String)], name: &str) -> u64 {
    let counter = counters.iter().find(|(known, _)| known == name);
    let value = counter.and_then(|(_, value)| value.parse().ok());
    value.unwrap_or_default()
}

/// A flow at the last reading, and what it had had at the one before.
#[derive(Debug)]
struct Known {
    counts: Counts,
    /// Packets and bytes.
    before: Option<[u64; 2]>,
    /// The number of the reading that it was seen at.
    seen: u32,
}

/// All flows.
#[derive(Debug)]
pub(crate) struct Flows {
    /// The blocks that were asked for; without one all of the type.
    names: Vec<String>,
    pub(super) blocks: Vec<Block>,
    pub(super) devices: Devices,
    /// One behind the other, so that they take as little memory as they can.
    known: IndexMap<Key, Known>,
    /// How many readings there were, when the last one ended, and how long that was after the one before.
    readings: u32,
    pub(super) at: Instant,
    pub(super) time: SystemTime,
    passed: Duration,
}

/// A flow, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(super) key: &'a Key,
    pub(super) counts: &'a Counts,
    /// What came each second: between two readings, or else since the flow began.
    pub(super) packet_rate: f64,
    pub(super) bit_rate: f64,
}

impl Flows {
    /// Reads them for the first time. Of a filter only those that match are kept.
    pub(super) fn first(
        session: &mut Session,
        names: &[String],
        keep: Option<&Filter>,
    ) -> Result<Self> {
        for name in names {
            check(session, name)?;
        }
        let mut flows = Self::empty(names);
        flows.read(session, keep)?;
        Ok(flows)
    }

    fn empty(names: &[String]) -> Self {
        Flows {
            names: names.to_vec(),
            blocks: Vec::new(),
            devices: Devices::default(),
            known: IndexMap::new(),
            readings: 0,
            at: Instant::now(),
            time: SystemTime::now(),
            passed: Duration::ZERO,
        }
    }

    /// Reads them again. A block that is gone has no flows.
    pub(super) fn next(&mut self, session: &mut Session) -> Result<()> {
        self.read(session, None)
    }

    fn read(&mut self, session: &mut Session, keep: Option<&Filter>) -> Result<()> {
        self.devices = Devices::read()?;
        if let Some(filter) = keep {
            filter.check(&self.devices)?;
        }
        let mut names = self.names.clone();
        if names.is_empty() {
            let all = session.lana()?.fbs_in_brief()?.items.into_iter();
            let all = all.filter(|fb| fb.r#type.as_deref() == Some(TYPE));
            names.extend(all.filter_map(|fb| fb.name));
        }
        self.begin();
        for name in names {
            // A thread has a namespace of its own.
            match File::open(format!("/proc/thread-self/net/lana/fblock/{name}")) {
                Ok(file) => self.add(&name, BufReader::with_capacity(BUFFER, file), keep)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&name, &error)),
            }
        }
        self.end();
        Ok(())
    }

    fn begin(&mut self) {
        self.readings = self.readings.wrapping_add(1);
        self.blocks.clear();
    }

    /// Adds the flows of a block, whose file is this.
    fn add(&mut self, name: &str, mut file: impl io::BufRead, keep: Option<&Filter>) -> Result<()> {
        let number = u32::try_from(self.blocks.len())?;
        let (devices, flows, seen) = (&self.devices, &mut self.known, self.readings);
        let counters = flow::counters(&mut file);
        if let Ok(counters) = &counters {
            let count = counter(counters, "current").try_into().unwrap_or_default();
            // A list that grows is moved. Where there is no room for all, some may match.
            let _ = flows.try_reserve_exact(usize::saturating_sub(count, flows.len()));
        }
        let take = |key: Key, counts: Counts| {
            if keep.is_some_and(|filter| !filter.passes(&key, devices)) {
                return;
            }
            match flows.entry(key) {
                Entry::Vacant(place) => {
                    let before = None;
                    place.insert(Known {
                        counts,
                        before,
                        seen,
                    });
                }
                // A part of it was on another CPU.
                Entry::Occupied(mut known) if known.get().seen == seen => {
                    known.get_mut().counts.add(&counts);
                }
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    let sums = known.counts.sums();
                    known.before = Some([sums.packets, sums.bytes]);
                    (known.counts, known.seen) = (counts, seen);
                }
            }
        };
        let read = counters.and_then(|counters| {
            flow::flows(&mut file, number, take)?;
            Ok(counters)
        });
        let counters = match read {
            Ok(counters) => counters,
            // It has gone meanwhile.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 5)) => return Ok(()),
            Err(error) => return Err(failed(name, &error)),
        };
        self.blocks.push(Block {
            name: name.to_owned(),
            counters,
        });
        Ok(())
    }

    fn end(&mut self) {
        let seen = self.readings;
        self.known.retain(|_, known| known.seen == seen);
        let now = Instant::now();
        self.passed = match self.readings {
            1 => Duration::ZERO,
            _ => now.saturating_duration_since(self.at),
        };
        (self.at, self.time) = (now, SystemTime::now());
    }

    /// How long it was from one reading to the next, in seconds; none after the first.
    pub(super) fn seconds(&self) -> Option<f64> {
        (self.readings > 1).then_some(self.passed.as_secs_f64())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Those that a filter lets pass, in no order.
    pub(super) fn rows<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = Row<'a>> {
        let all = self.known.iter();
        let passing = all.filter(|(key, _)| filter.passes(key, &self.devices));
        passing.map(|(key, known)| self.row(key, known))
    }

    fn row<'a>(&self, key: &'a Key, known: &'a Known) -> Row<'a> {
        let sums = known.counts.sums();
        let passed = match self.readings {
            1 => Duration::from_millis(known.counts.age.into()),
            _ => self.passed,
        };
        // Of one that has begun meanwhile all has come meanwhile. Of another one that is new nothing is known.
        let age = Duration::from_millis(known.counts.age.into());
        let begun = (age <= passed + LATE).then_some([0, 0]);
        let is_same = |before: &[u64; 2]| before[0] <= sums.packets && before[1] <= sums.bytes;
        let before = known.before.filter(is_same).or(begun);
        let scale = Scale::new(SECOND, passed);
        let rate = |at: usize, now| {
            let before = before.and_then(|before| before.get(at).copied());
            scale.count(before, now).rate
        };
        Row {
            key,
            counts: &known.counts,
            packet_rate: rate(0, sums.packets),
            bit_rate: rate(1, sums.bytes) * 8.0,
        }
    }
}

/// Whether there is a block of this name, and it has flows.
fn check(session: &mut Session, name: &str) -> Result<()> {
    let fb = session
        .lana()?
        .fb(name)
        .map_err(|error| about(name, error))?;
    match fb.r#type.as_deref() {
        Some(TYPE) => Ok(()),
        kind => Err(usage(format!(
            "{} is of type {}, and only blocks of type {TYPE} have flows",
            word(name),
            kind.unwrap_or("unknown")
        ))),
    }
}

/// Where a name looks like a filter, and no block is called so, it was meant to be one.
fn about(name: &str, error: Error) -> anyhow::Error {
    match name.split_once('=') {
        Some((key, _)) if matches!(error, Error::Refused(_)) => {
            let keys = KEYS.map(|(key, _)| key).join(", ");
            usage(format!(
                "'{key}=' is no filter, and no block is called '{name}'; the filters are {keys}"
            ))
        }
        _ => error.into(),
    }
}

fn failed(name: &str, error: &io::Error) -> anyhow::Error {
    let why = match error.raw_os_error() {
        Some(_) => errno_text(error),
        None => error.to_string(),
    };
    denied(format!("{}: {why}", word(name)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::flow::tests::FILE;
    use super::*;

    /// The flows of the block `f` after so many readings, of which the second one comes two seconds later and has what
    /// `later` makes of the file.
    pub(crate) fn flows(later: Option<fn(&str) -> String>) -> Flows {
        let mut flows = Flows::empty(&[]);
        flows.devices = Devices::of(&[(2, "lan0"), (3, "lan1")]);
        let text = later.map(|later| later(FILE));
        for text in [Some(FILE.to_owned()), text].into_iter().flatten() {
            flows.begin();
            flows.add("f", text.as_bytes(), None).unwrap();
            flows.end();
            flows.time = SystemTime::UNIX_EPOCH;
        }
        flows.passed = Duration::from_secs(2);
        flows
    }

    /// The second reading: a flow has had twice as much, another one has begun anew, one is gone.
    pub(crate) fn later(file: &str) -> String {
        let text = file
            .replace("packets=3000 bytes=4000000", "packets=6000 bytes=8000000")
            .replace(
                "packets=40 bytes=4000 age=8000ms",
                "packets=20 bytes=2000 age=900ms",
            );
        let lines = text.lines().filter(|line| !line.contains("proto=1 "));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn rates(flows: &Flows, words: &str) -> Vec<(u64, f64, f64)> {
        let filter = words.parse().unwrap();
        let rows = flows.rows(&filter);
        rows.map(|row| (row.counts.sums().packets, row.packet_rate, row.bit_rate))
            .collect()
    }

    #[test]
    fn rates_are_those_between_two_readings() {
        let flows = flows(Some(later));
        assert_eq!((flows.count(), flows.seconds()), (3, Some(2.0)));
        assert_eq!(rates(&flows, "sport=443"), [(6000, 1500.0, 16e6)]);
        assert_eq!(rates(&flows, "sport=40000"), [(114, 0.0, 0.0)]);
        // It has begun since, as it has less.
        assert_eq!(rates(&flows, "proto=udp"), [(20, 10.0, 8000.0)]);
        assert_eq!(rates(&flows, "proto=icmp"), []);
    }

    #[test]
    fn after_one_reading_they_are_those_of_a_life() {
        let flows = flows(None);
        assert_eq!((flows.count(), flows.seconds()), (4, None));
        assert_eq!(rates(&flows, "proto=udp"), [(40, 5.0, 4000.0)]);
    }

    #[test]
    fn counters_are_kept_by_block() {
        let flows = flows(None);
        let [block] = flows.blocks.as_slice() else {
            panic!("{:?}", flows.blocks);
        };
        assert_eq!((block.counter("packets"), block.counter("none")), (3157, 0));
    }

    #[test]
    fn only_what_is_wanted_is_kept() {
        let mut flows = Flows::empty(&[]);
        let filter: Filter = "proto=tcp".parse().unwrap();
        flows.begin();
        flows.add("f", FILE.as_bytes(), Some(&filter)).unwrap();
        flows.end();
        assert_eq!(flows.count(), 2);
    }
}
