// SPDX-License-Identifier: GPL-2.0

//! A traced packet in words: what is printed, and what a page shows.

use super::{
    fields::Fields,
    tree::{rows, Row},
};
use crate::probe::{
    names::Names,
    packet::{clock, Packet as Bytes},
    summary::summary,
    way,
};
use lana_netlink::{
    spec::{HopEnd, ProbeAttrs},
    wire::Value,
};
use serde::Serialize;
use std::fmt::Write;

/// So many changes of a hop are shown.
const CHANGES: usize = 12;
/// So many of them in a line.
const ABREAST: usize = 3;
/// Where the blocks stand in a line.
const MARGIN: usize = 14;

/// A traced packet in words.
#[derive(Debug, Serialize)]
pub(crate) struct Packet {
    /// Packets that were lost before it.
    lost: u64,
    head: String,
    hops: Vec<Hop>,
}

/// A hop in words.
#[derive(Debug, Serialize)]
struct Hop {
    time: String,
    /// So many packets stand between the one that is traced and this one.
    depth: usize,
    /// It is the first one of its packet.
    first: bool,
    /// The block, with its type.
    block: String,
    way: &'static str,
    outcome: String,
    took: Option<String>,
    /// What the block has changed.
    changes: Vec<String>,
    /// And so much more.
    more: usize,
}

impl Packet {
    pub(crate) fn of(number: u64, record: &ProbeAttrs, lost: u64, names: &Names) -> Self {
        let packet = Bytes::of(record);
        let head = format!(
            "{number}. {} cpu {}{} {}",
            clock(record.time.unwrap_or_default()),
            record.cpu.unwrap_or_default(),
            if record.frame.is_some() { " frame" } else { "" },
            summary(&packet.data, packet.len),
        );
        let rows = rows(&record.hop);
        let mut fields = Fields::of(&rows, record.data.as_deref().unwrap_or_default());
        let hop = |row: &Row<'_>| Hop::of(row, names, fields.changed(row.hop));
        let hops = rows.iter().map(hop).collect();
        Packet { lost, head, hops }
    }

    /// The lines that are printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.lost > 0 {
            lines.push(format!("({} lost)", self.lost));
        }
        lines.push(self.head.clone());
        let names: Vec<_> = self.hops.iter().map(Hop::indented).collect();
        let width = names.iter().map(|name| name.chars().count()).max();
        for (hop, name) in self.hops.iter().zip(&names) {
            hop.write(&mut lines, name, width.unwrap_or_default());
        }
        lines
    }
}

impl Hop {
    fn of(row: &Row<'_>, names: &Names, mut changes: Vec<String>) -> Self {
        let hop = row.hop;
        let more = changes.len().saturating_sub(CHANGES);
        changes.truncate(CHANGES);
        let mut outcome = outcome(row, names);
        // Writing to a string does not fail.
        if let Some(made @ 1..) = hop.made {
            let packets = if made == 1 { "packet" } else { "packets" };
            let _ = write!(outcome, ", made {made} {packets}");
        }
        if let Some(len) = hop.len {
            let _ = write!(outcome, ", length {len}");
        }
        let idp = hop.idp.unwrap_or_default();
        let mut block = names.name(idp);
        if let Some(known) = names.get(idp) {
            let _ = write!(block, " ({})", known.kind);
        }
        Hop {
            time: micros(hop.time.unwrap_or_default()),
            depth: row.depth,
            first: row.first,
            block,
            way: way(hop.direction),
            outcome,
            took: hop.took.map(micros),
            changes,
            more,
        }
    }

    /// The block, as deep as the packet is.
    fn indented(&self) -> String {
        let mut out = "| ".repeat(self.depth.saturating_sub(1));
        match (self.depth, self.first) {
            (0, _) => {}
            (_, true) => out.push_str("+-"),
            (_, false) => out.push_str("| "),
        }
        out.push_str(&self.block);
        out
    }

    /// Writes its line, and those with what the block has changed.
    fn write(&self, lines: &mut Vec<String>, name: &str, width: usize) {
        let (time, way) = (&self.time, self.way);
        let padding = " ".repeat(width.saturating_sub(name.chars().count()));
        let mut out = format!("  {time:>10}  {name}{padding}  {way:<4}  {}", self.outcome);
        if let Some(took) = &self.took {
            // Writing to a string does not fail.
            let _ = write!(out, ", took {took}");
        }
        lines.push(out);
        let tree = "| ".repeat(self.depth);
        for some in self.changes.chunks(ABREAST) {
            let margin = " ".repeat(MARGIN);
            lines.push(format!("{margin}{tree}  {}", some.join(", ")));
        }
        if let (1.., Some(last)) = (self.more, lines.last_mut()) {
            let _ = write!(last, ", and {} more", self.more);
        }
    }
}

/// Nanoseconds as microseconds.
fn micros(nanos: u64) -> String {
    format!("{}.{:03} us", nanos / 1000, nanos % 1000)
}

/// What became of the packet.
fn outcome(row: &Row<'_>, names: &Names) -> String {
    let hop = row.hop;
    match hop.end {
        Some(Value::Known(HopEnd::Forwarded)) => {
            let mut out = "->".to_owned();
            if let Some(direction) = hop.port_direction {
                let port = hop.port.unwrap_or_default();
                let _ = write!(out, " {direction} {port}");
            }
            if let Some(next) = row.next {
                let _ = write!(out, " {}", names.name(next));
            }
            out
        }
        Some(Value::Known(HopEnd::Dropped)) => match hop.reason {
            Some(reason) => format!("dropped: {reason}"),
            None => "dropped".to_owned(),
        },
        Some(Value::Known(HopEnd::Left)) => "left the graph".to_owned(),
        Some(Value::Known(HopEnd::Unclaimed)) => "to the network stack".to_owned(),
        Some(Value::Known(HopEnd::Cut)) | None => "(no room for more)".to_owned(),
        Some(Value::Unknown(end)) => format!("end {end}"),
    }
}
