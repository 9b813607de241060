// SPDX-License-Identifier: GPL-2.0

//! Probes of a scripted kernel.

use super::*;
use lana_netlink::{
    spec::{Command, FbAttrs, HopAttrs},
    wire::{Attributes, Writer},
    Transport,
};
use std::{collections::VecDeque, os::fd::BorrowedFd};

const ID: u16 = 0x1b;
const CONTROLLER: u16 = 16;
const NEW_FAMILY: u8 = 1;
const DELETED_FAMILY: u8 = 2;

/// Says this in turn; where there is `None`, nothing has come yet.
struct Script {
    datagrams: VecDeque<Option<Vec<u8>>>,
    /// Always readable: who waits for more looks again.
    ready: UnixStream,
    _other: UnixStream,
}

impl Script {
    fn of(datagrams: impl IntoIterator<Item = Option<Vec<u8>>>) -> Box<dyn Transport> {
        let (ready, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let all = [Some(family(NEW_FAMILY)), Some(ack(0))];
        Box::new(Script {
            datagrams: all.into_iter().chain(datagrams).collect(),
            ready,
            _other: other,
        })
    }
}

impl Transport for Script {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let next = self.datagrams.pop_front().flatten();
        next.ok_or_else(|| io::Error::other("end of script"))
    }
    fn try_receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.datagrams.pop_front().flatten())
    }
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.ready.as_fd())
    }
    fn join(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }
}

fn control(kind: u16, seq: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(seq.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

fn ack(seq: u32) -> Vec<u8> {
    control(2, seq, &[0; 20])
}

fn message(kind: u16, seq: u32, command: u8, attrs: &[u8]) -> Vec<u8> {
    control(kind, seq, &[&[command, 1, 0, 0], attrs].concat())
}

fn family(command: u8) -> Vec<u8> {
    let mut attrs = Writer::new();
    attrs.put(1, &ID).unwrap();
    let group = |to: &mut Writer| {
        to.text(1, "events")?;
        to.put(2, &9u32)
    };
    attrs.nest(7, |to| to.nest(1, group)).unwrap();
    message(CONTROLLER, 0, command, &attrs.into_bytes())
}

fn of<A: Attributes>(seq: u32, command: Command, attrs: &A) -> Vec<u8> {
    let mut writer = Writer::new();
    attrs.encode(&mut writer).unwrap();
    message(ID, seq, command as u8, &writer.into_bytes())
}

/// A dump of one block.
fn dump(seq: u32, name: &str) -> Vec<u8> {
    let fb = FbAttrs {
        idp: Some(5),
        name: Some(name.into()),
        ..Default::default()
    };
    let end = control(3, seq, &[0; 4]);
    [of(seq, Command::FbGet, &fb), end].concat()
}

fn record(lost: u64) -> Vec<u8> {
    let record = ProbeAttrs {
        idp: Some(5),
        time: Some(1),
        lost: (lost > 0).then_some(lost),
        ..Default::default()
    };
    of(1, Command::Probe, &record)
}

/// The answer to who asks how many were lost.
fn lost(lost: u64) -> Vec<u8> {
    let answer = ProbeAttrs {
        lost: Some(lost),
        ..Default::default()
    };
    of(2, Command::Probe, &answer)
}

fn event(kind: EventKind, idp: u32) -> Vec<u8> {
    let event = EventAttrs {
        seq: Some(1),
        kind: Some(Value::Known(kind)),
        fb: Some("any".into()),
        idp: Some(idp),
        ..Default::default()
    };
    of(0, Command::EventNtf, &event)
}

/// Takes down the name of each record, and what was lost before it; and the totals.
#[derive(Default)]
struct Shown(Vec<(String, u64)>, Totals);

impl Show for Shown {
    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        let name = names.name(part.record.idp.unwrap());
        self.0.push((name, part.lost));
        Ok(())
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn is_standard(&self) -> bool {
        false
    }
}

/// What comes of records and events, of a block that is called `a`, then `b`.
fn followed(
    records: Vec<Option<Vec<u8>>>,
    events: Vec<Option<Vec<u8>>>,
    limit: Option<u64>,
) -> (Result<End>, Shown) {
    let mut lana = Connection::over(Script::of([Some(dump(1, "a")), Some(dump(2, "b"))])).unwrap();
    let request = ProbeAttrs::default();
    let answers = [Some(ack(1))].into_iter().chain(records);
    // The kernel has lost none, if it says nothing else.
    let answers = answers.chain([Some(lost(0))]);
    let mut probe = Probe::over(Script::of(answers), &request).unwrap();
    let events = EventStream::over(Script::of(events)).unwrap();
    let mut running = Running {
        watch: Watch {
            request,
            blocks: vec![(5, "a".into())],
            limit,
            begins: None,
            verb: "traced",
        },
        names: Names::default(),
        stale: true,
        left: [5].into(),
        parts: Parts::default(),
        last: Instant::now(),
        totals: Totals::default(),
    };
    let signals = Signals::listen().unwrap();
    let mut shown = Shown::default();
    let end = running.follow(&mut lana, &mut probe, events, &signals, &mut shown);
    running.settle(&mut probe);
    shown.1 = running.totals;
    (end, shown)
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let owned = |(name, lost): &(&str, u64)| ((*name).to_owned(), *lost);
    expected.iter().map(owned).collect()
}

#[test]
fn names_are_those_of_the_time() {
    let records = vec![
        Some(record(0)),
        None,
        Some(record(0)),
        Some(record(0)),
        Some(record(0)),
    ];
    let events = vec![None, Some(event(EventKind::Replaced, 5))];
    let (end, shown) = followed(records, events, Some(3));
    assert_eq!(end.unwrap(), End::Limit);
    assert_eq!(shown.0, pairs(&[("a", 0), ("b", 0), ("b", 0)]));
}

#[test]
fn losses_are_told_once() {
    let records = vec![
        Some(record(3)),
        Some(record(3)),
        Some(record(0)),
        Some(record(10)),
    ];
    let (end, shown) = followed(records, vec![], Some(4));
    assert_eq!(end.unwrap(), End::Limit);
    assert_eq!(shown.0, pairs(&[("a", 3), ("a", 0), ("a", 0), ("a", 7)]));
}

/// What was lost behind the last record no record tells: the kernel is asked for it.
#[test]
fn losses_count_without_a_record_behind_them() {
    let records = vec![
        Some(record(0)),
        Some(record(5)),
        // A record that came too late, and was not shown.
        Some(record(70)),
        Some(lost(75)),
    ];
    let (end, shown) = followed(records, vec![], Some(2));
    assert_eq!(end.unwrap(), End::Limit);
    assert_eq!(shown.0, pairs(&[("a", 0), ("a", 5)]));
    let totals = Totals {
        records: 2,
        lost: 75,
        lost_last: 70,
    };
    assert_eq!(shown.1, totals);
    assert_eq!(totals.text("traced"), "2 packets traced, 75 not traced");
}

/// A record of a packet that goes on with `held`, and is held at the end by `holds`.
fn part(held: Option<u64>, holds: Option<u64>) -> Vec<u8> {
    let hop = HopAttrs {
        held: holds,
        ..Default::default()
    };
    let record = ProbeAttrs {
        idp: Some(5),
        time: Some(1),
        held,
        hop: vec![hop],
        ..Default::default()
    };
    of(1, Command::Probe, &record)
}

#[test]
fn the_last_packet_is_waited_for_while_it_is_held() {
    let records = vec![
        Some(part(None, Some(70))),
        None,
        // Not one of those that were to be shown.
        Some(record(0)),
        Some(part(Some(70), Some(71))),
        None,
        Some(part(Some(71), None)),
        Some(record(0)),
    ];
    let (end, shown) = followed(records, vec![], Some(1));
    assert_eq!(end.unwrap(), End::Limit);
    assert_eq!(shown.0, pairs(&[("a", 0), ("a", 0), ("a", 0)]));
}

#[test]
fn the_block_that_goes_ends_it_behind_its_last_packet() {
    let events = vec![
        Some(event(EventKind::Removed, 4)),
        None,
        Some(event(EventKind::Removed, 5)),
    ];
    let (end, shown) = followed(vec![None, Some(record(0)), Some(record(0))], events, None);
    assert_eq!(end.unwrap(), End::Removed);
    assert_eq!(shown.0.len(), 2);
}

#[test]
fn the_module_that_goes_is_an_error() {
    let gone = Some(family(DELETED_FAMILY));
    let (end, _) = followed(vec![], vec![gone], None);
    assert_eq!(end.unwrap_err().to_string(), "lana was unloaded");
}

#[test]
fn totals_count() {
    let totals = |records, lost| {
        let totals = Totals {
            records,
            lost,
            lost_last: 0,
        };
        totals.text("traced")
    };
    assert_eq!(totals(1, 0), "1 packet traced, 0 not traced");
    assert_eq!(totals(2, 7), "2 packets traced, 7 not traced");
}
