// SPDX-License-Identifier: GPL-2.0

//! Flows as lines of the block's file, and how a reader of it goes on from some of them to the next.

use core::fmt;

use super::{
    address::{Address, Mac},
    key::{Spec, LABEL, MAC},
    record::{since, Ends, Flow},
};

/// Which flows are printed next: those of some tables, on a CPU, from a record on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    pub(crate) tables: u32,
    pub(crate) cpu: u32,
    pub(crate) record: u32,
}

/// Where its parts are in a number, below a bit that is always set, as 0 stands for what is in front of the flows.
const IS_FLOWS: u64 = 1 << 62;
const TABLES_AT: u32 = 38;
const CPU_AT: u32 = 24;
const CPUS: u64 = (1 << (TABLES_AT - CPU_AT)) - 1;
const RECORDS: u64 = (1 << CPU_AT) - 1;

impl Cursor {
    /// The highest number that tables can have.
    pub(crate) const TABLES: u32 = (1 << (62 - TABLES_AT)) - 1;
    /// In front of all flows.
    pub(crate) const FIRST: Self = Self {
        tables: 0,
        cpu: 0,
        record: 0,
    };

    /// Where it goes on if these are the first tables that are left.
    pub(crate) fn on(self, tables: u32) -> Self {
        if self.tables == tables {
            return self;
        }
        Self {
            tables,
            ..Self::FIRST
        }
    }

    /// Where it goes on if this is the next CPU.
    pub(crate) fn at(self, cpu: u32) -> Self {
        if self.cpu == cpu {
            return self;
        }
        Self {
            cpu,
            record: 0,
            ..self
        }
    }

    /// Behind the records up to this one, or behind all of the CPU.
    pub(crate) fn behind(self, record: Option<u32>) -> Self {
        match record {
            Some(record) => Self { record, ..self },
            None => self.at(self.cpu.saturating_add(1)),
        }
    }

    /// Behind all records of the tables.
    pub(crate) fn next_tables(self) -> Option<Self> {
        let next = self.tables.checked_add(1);
        let next = next.filter(|tables| *tables <= Self::TABLES);
        next.map(|tables| self.on(tables))
    }
}

impl From<u64> for Cursor {
    fn from(number: u64) -> Self {
        Self {
            tables: (number >> TABLES_AT) as u32 & Self::TABLES,
            cpu: (number >> CPU_AT & CPUS) as u32,
            record: (number & RECORDS) as u32,
        }
    }
}

impl From<Cursor> for u64 {
    fn from(cursor: Cursor) -> Self {
        let tables = Self::from(cursor.tables & Cursor::TABLES) << TABLES_AT;
        let cpu = (Self::from(cursor.cpu) & CPUS) << CPU_AT;
        IS_FLOWS | tables | cpu | Self::from(cursor.record) & RECORDS
    }
}

/// A flow, as text.
pub(crate) fn line(to: &mut dyn fmt::Write, flow: &Flow, spec: Spec, now: u32) -> fmt::Result {
    let (source, destination) = match flow.ends() {
        Ends::V4(source, destination) => (Address::V4(source), Address::V4(destination)),
        Ends::V6(source, destination) => (Address::V6(source), Address::V6(destination)),
    };
    let (from, into) = flow.ports();
    let direction = if flow.is_egress() {
        "egress"
    } else {
        "ingress"
    };
    write!(
        to,
        "{direction} in={} out={} proto={} src={source} dst={destination} sport={from} dport={into}",
        flow.input(),
        flow.rest.output,
        flow.protocol(),
    )?;
    write!(to, " tos={} flags={}", flow.tos(), flow.hot.flags)?;
    if flow.vlan() != 0 {
        write!(to, " vlan={}", flow.vlan())?;
    }
    if flow.inner_vlan() != 0 {
        write!(to, " inner={}", flow.inner_vlan())?;
    }
    if spec.parts & MAC != 0 {
        let (from, into) = flow.macs();
        write!(to, " smac={} dmac={}", Mac::from(from), Mac::from(into))?;
    }
    if spec.parts & LABEL != 0 && flow.is_v6() {
        write!(to, " label={}", flow.flow_label())?;
    }
    if flow.mpls() != 0 {
        write!(to, " mpls={}", flow.mpls() >> 4)?;
    }
    write!(to, " packets={} bytes={}", flow.hot.packets, flow.hot.bytes)?;
    if flow.reverse.packets != 0 {
        let reverse = &flow.reverse;
        write!(
            to,
            " reverse.packets={} reverse.bytes={} reverse.flags={}",
            reverse.packets, reverse.bytes, reverse.flags
        )?;
    }
    let (age, idle) = (since(now, flow.hot.first), since(now, flow.hot.last));
    writeln!(to, " age={age}ms idle={idle}ms")
}
